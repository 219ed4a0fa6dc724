import t, { type Test } from 'tap';
import { data, dig } from './dig.ts';
import { dnsmasq, forwardAll, namegate, nsd, type Server, unbound, zones } from './peers.ts';
import { missing } from './process.ts';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: chain2.example, owner: team, reason: test }
      - { name: chain.example, owner: team, reason: test }
      - { name: deep.under.it.example, owner: team, reason: test }
      - { name: "*.wild.example", owner: team, reason: test }
      - { name: large.example, types: [TXT], owner: team, reason: test }
`;

/** Caches that stand between jobs and namegate keep our denials as they are, and never prune an approved name. */
for (const { name, program, start } of [
  {
    name: 'dnsmasq',
    program: 'dnsmasq',
    start: (t: Test, server: Server) => dnsmasq(t, [`--server=${server.host}#${server.port}`]),
  },
  {
    name: 'Unbound as a plain cache',
    program: 'unbound',
    start: (t: Test, server: Server) =>
      unbound(t, {
        // The most that it does to conclude from one denial that more is not there.
        server: ['module-config: "iterator"', 'harden-below-nxdomain: yes', 'aggressive-nsec: yes'],
        clauses: [forwardAll(server)],
      }),
  },
]) {
  t.test(`${name} below us`, { skip: missing('nsd', 'ldns-signzone', 'dig', program) }, async (t) => {
    const { example, signed } = await zones(t);
    const authority = await nsd(t, [example, signed]);
    const server = await namegate(t, { policy: POLICY, upstream: `[udp://127.0.0.1:${authority.port}]` });
    const cache = await start(t, server);
    const ask = (question: string) => dig(cache, question);

    await t.test('a denied name stays denied', async (t) => {
      for (const denied of [
        'secret.example',
        'a.example',
        'other.test',
        'x.y.it.example',
        'a.b.wild.example',
      ]) {
        for (const time of ['once', 'twice', 'three times']) {
          const answer = await ask(`${denied} A`);
          t.strictSame([answer.status, answer.answer], ['NXDOMAIN', []], `${denied} ${time}`);
        }
        t.equal((await ask(`${denied} AAAA`)).status, 'NXDOMAIN', `${denied} AAAA`);
        t.equal((await ask(`below.${denied} A`)).status, 'NXDOMAIN', `below ${denied}`);
      }
    });

    await t.test('what is denied above, beside and below prunes no approved name', async (t) => {
      for (const name of ['it.example', 'under.it.example', 'wild.example', 'example']) {
        const answer = await ask(`${name} A`);
        t.strictSame([answer.status, answer.answer], ['NOERROR', []], name);
      }
      t.equal((await ask('beside.under.it.example A')).status, 'NXDOMAIN');
      t.equal((await ask('x.deep.under.it.example A')).status, 'NXDOMAIN');
      t.strictSame(data(await ask('deep.under.it.example A'), 'A'), ['192.0.2.80']);
      t.strictSame(data(await ask('any.wild.example A'), 'A'), ['192.0.2.30']);
    });

    await t.test('approved names resolve, also from the cache', async (t) => {
      for (let time = 0; time < 2; time++) {
        t.strictSame(data(await ask('www.example A'), 'A'), ['192.0.2.10', '192.0.2.11']);
        t.strictSame(
          data(await ask('chain2.example A'), 'A'),
          ['192.0.2.10', '192.0.2.11'],
          'to an approved name',
        );
        t.strictSame(data(await ask('www.example AAAA'), 'AAAA'), ['2001:db8::10']);
        t.equal((await ask('large.example TXT')).answer.length, 18, 'over TCP');
        t.equal((await ask('www.example MX')).status, 'NOERROR', 'a type that is not approved');
      }
    });

    await t.test('a chain over names that are not approved', async (t) => {
      const chain = await ask('chain.example A');
      if (program === 'dnsmasq') {
        t.strictSame(data(chain, 'A'), ['192.0.2.10', '192.0.2.11'], 'comes through as one answer');
      } else {
        // Unbound believes the first CNAME alone and asks for its target by itself: there a chain's names need approval.
        t.strictSame(
          [chain.status, data(chain, 'CNAME'), data(chain, 'A')],
          ['NXDOMAIN', ['chain1.example.'], []],
        );
      }
    });

    if (program === 'dnsmasq') {
      t.match(cache.log(), /cached secret\.example is NXDOMAIN/, 'the second time it answered by itself');
    }
  });
}

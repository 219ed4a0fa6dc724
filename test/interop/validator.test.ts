import t from 'tap';
import { data, dig } from './dig.ts';
import { forwardAll, namegate, nsd, unbound, zones } from './peers.ts';
import { missing } from './process.ts';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: www.signed.example, types: [A, AAAA, TXT], owner: team, reason: test }
      - { name: chain.signed.example, owner: team, reason: test }
      - { name: text.signed.example, types: [A, TXT], owner: team, reason: test }
      - { name: "*.wild.signed.example", owner: team, reason: test }
      - { name: "*.absent.signed.example", owner: team, reason: test }
`;

t.test(
  'Unbound validating below us',
  { skip: missing('nsd', 'unbound', 'ldns-signzone', 'dig') },
  async (t) => {
    const { example, signed } = await zones(t);
    const authority = await nsd(t, [example, signed]);
    const server = await namegate(t, { policy: POLICY, upstream: `[udp://127.0.0.1:${authority.port}]` });
    const validator = await unbound(t, {
      server: [
        'module-config: "validator iterator"',
        `trust-anchor-file: "${signed.anchor}"`,
        'trust-anchor-signaling: no',
        'ede: yes',
      ],
      clauses: [forwardAll(server)],
    });
    const ask = (question: string) => dig(validator, question);

    await t.test('signed names validate', async (t) => {
      for (const [question, type, expected] of [
        ['www.signed.example A', 'A', ['192.0.2.110']],
        ['www.signed.example AAAA', 'AAAA', ['2001:db8::110']],
        ['chain.signed.example A', 'A', ['192.0.2.110']],
        ['text.signed.example TXT', 'TXT', ['"signed"']],
        ['a.wild.signed.example A', 'A', ['192.0.2.130']],
      ] as const) {
        const answer = await ask(`${question} +dnssec`);
        t.equal(answer.status, 'NOERROR', question);
        t.strictSame(data(answer, type), expected);
        t.ok(answer.flags.includes('ad'), `${question} is authentic`);
      }
    });

    await t.test('and what is not there is proven', async (t) => {
      const typed = await ask('text.signed.example A +dnssec');
      t.strictSame(
        [typed.status, typed.answer, typed.flags.includes('ad')],
        ['NOERROR', [], true],
        'no such type',
      );
      const absent = await ask('a.absent.signed.example A +dnssec');
      t.strictSame([absent.status, absent.flags.includes('ad')], ['NXDOMAIN', true], 'no such name');
    });

    await t.test('an unsigned name is not authentic', async (t) => {
      const answer = await ask('www.example A +dnssec');
      t.strictSame(data(answer, 'A'), ['192.0.2.10', '192.0.2.11']);
      t.notOk(answer.flags.includes('ad'));
    });

    await t.test('our denial of a signed name is bogus to it, as the documents say', async (t) => {
      t.equal((await ask('secret.signed.example A')).status, 'SERVFAIL');
      t.equal((await ask('secret.signed.example A +cdflag')).status, 'NXDOMAIN', 'with CD it is seen');
      t.equal((await ask('secret.example A')).status, 'NXDOMAIN', 'where nothing is signed it is believed');
    });

    await t.test('DNSSEC records come to who asks', async (t) => {
      const types = async (question: string) =>
        (await dig(server, question)).answer.map((record) => record.split(' ')[3]).sort();
      t.strictSame(await types('www.signed.example A +dnssec'), ['A', 'RRSIG']);
      t.strictSame(await types('www.signed.example A'), ['A']);
      t.strictSame(
        await types('signed.example DNSKEY +dnssec'),
        ['DNSKEY', 'DNSKEY', 'RRSIG'],
        'of an ancestor',
      );
      t.notOk(
        (await dig(server, 'www.signed.example A +dnssec')).flags.includes('ad'),
        'NSD is not verified',
      );
    });
  },
);

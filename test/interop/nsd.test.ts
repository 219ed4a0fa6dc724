import t from 'tap';
import { data, dig, ttls } from './dig.ts';
import { namegate, nsd, zones } from './peers.ts';
import { missing } from './process.ts';

/** 127.0.0.1 is a job, 127.0.0.3 one that may have private addresses; nobody is 127.0.0.9. */
const POLICY = `
destinations:
  names:
    owner: platform
    reason: what the zone holds
    names:
      - { name: www.example, types: [A, AAAA, TXT] }
      - www.mixed.example
      - { name: large.example, types: [TXT] }
      - { name: caa.example, types: [CAA] }
      - { name: naptr.example, types: [NAPTR] }
      - { name: sshfp.example, types: [SSHFP] }
      - { name: tlsa.example, types: [TLSA] }
      - { name: unknown.example, types: [TYPE65280] }
      - { name: svc.example, types: [A, HTTPS] }
      - { name: _sip._tcp.example, types: [SRV] }
      - sip.example
      - { name: mail.example, types: [MX] }
      - mx1.example
      - chain.example
      - loop1.example
      - "*.wild.example"
      - "*.mail.example"
      - nothing.example
      - gone.example
      - below.gone.example
      - deep.under.it.example
      - short.example
      - long.example
  inside:
    owner: platform
    reason: addresses that an attacker would like to rebind to
    names: [private.example, loopback.example, mixed.example, metadata.example]
  inside-granted:
    owner: platform
    reason: the same, granted
    names:
      - { name: private.example, private: true }
      - { name: mixed.example, private: true }
      - { name: metadata.example, private: true }
      - { name: loopback.example, private: [127.0.0.0/8] }
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [names, inside]
  - name: trusted
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.3] }
    allow: [names, inside-granted]
`;

t.test('NSD as the upstream', { skip: missing('nsd', 'ldns-signzone', 'dig') }, async (t) => {
  const { example, signed } = await zones(t);
  const upstream = await nsd(t, [example, signed]);
  const server = await namegate(t, { policy: POLICY, upstream: `[udp://127.0.0.1:${upstream.port}]` });
  const ask = (question: string) => dig(server, question);

  await t.test('records of every kind arrive as they are', async (t) => {
    for (const question of [
      'www.example A',
      'www.example AAAA',
      'www.example TXT',
      'www.mixed.example A',
      'large.example TXT',
      'caa.example CAA',
      'naptr.example NAPTR',
      'sshfp.example SSHFP',
      'tlsa.example TLSA',
      'unknown.example TYPE65280',
      'svc.example HTTPS',
      '_sip._tcp.example SRV',
      'a.wild.example A',
    ]) {
      const type = question.split(' ')[1] as string;
      const original = data(await dig(upstream, question), type);
      const answer = await ask(question);
      t.not(original.length, 0, `${question} has records`);
      t.strictSame(data(answer, type), original, question);
      t.strictSame(
        [answer.status, answer.authority, answer.additional],
        ['NOERROR', [], []],
        'and nothing else',
      );
      t.strictSame(answer.flags, ['qr', 'rd', 'ra'], 'not authoritative, recursion available');
      t.strictSame(data(await ask(`${question} +tcp`), type), original, `${question} over TCP`);
    }
    t.not((await dig(upstream, 'www.example A')).additional.length, 0, 'NSD had more to say');
  });

  await t.test('what is too large for UDP is truncated whole', async (t) => {
    const cut = await ask('large.example TXT +ignore');
    t.ok(cut.flags.includes('tc'));
    t.strictSame(cut.answer, [], 'no partial RRset');
    const whole = await ask('large.example TXT');
    t.ok(whole.stream, 'dig asks again over TCP');
    t.equal(whole.answer.length, 18);
  });

  await t.test('a chain is followed, its targets are not approved by it', async (t) => {
    const chain = await ask('chain.example A');
    t.strictSame(data(chain, 'CNAME'), ['chain1.example.', 'chain2.example.', 'www.example.']);
    t.strictSame(data(chain, 'A'), ['192.0.2.10', '192.0.2.11']);
    t.equal((await ask('chain1.example A')).status, 'NXDOMAIN');
    t.equal((await ask('chain2.example A')).status, 'NXDOMAIN');
    t.strictSame(data(await ask('loop1.example A'), 'A'), [], 'a loop ends');
  });

  await t.test('names of the tree, and names that are not', async (t) => {
    for (const name of ['example', 'wild.example', 'under.it.example', 'it.example', '.']) {
      const answer = await ask(`${name} A`);
      t.strictSame([answer.status, answer.answer], ['NOERROR', []], name);
      t.match(answer.authority, [/ IN SOA \. \. /], name);
      t.ok(answer.flags.includes('aa'));
    }
    for (const name of ['secret.example', 'a.b.wild.example', 'other.test', 'ns.example', 'xwww.example']) {
      const answer = await ask(`${name} A`);
      t.strictSame([answer.status, answer.answer], ['NXDOMAIN', []], name);
      t.match(answer.ede, [{ code: 15, text: /^job: .*/ }]);
      t.match(answer.authority, [/ 30 IN SOA \. \. .* 30$/], name);
      t.notMatch(answer.authority, [new RegExp(`^${name}\\.`)], 'never the question itself');
      t.ok(answer.flags.includes('aa'));
      t.ok(answer.size <= 3 * (12 + name.length + 2 + 4 + 11), `${answer.size} octets for ${name}`);
    }
    const typed = await ask('www.example MX');
    t.strictSame([typed.status, typed.answer], ['NOERROR', []], 'a type that is not approved');
    t.match(typed.ede, [{ code: 15 }]);
  });

  await t.test("the upstream's denials", async (t) => {
    const absent = await ask('absent.mail.example A');
    t.equal(absent.status, 'NXDOMAIN', 'of a name that a wildcard approves');
    const soa = [/^example\. \d+ IN SOA ns\.example\. hostmaster\.example\. /];
    t.match(
      absent.authority,
      soa,
      'in the case in which it was asked: not the random one of our question upstream',
    );
    t.strictSame(absent.ede, []);
    t.equal((await ask('nothing.example A')).status, 'NXDOMAIN', 'of a name that is written out');
    const above = await ask('gone.example A');
    t.strictSame(
      [above.status, above.answer],
      ['NOERROR', []],
      'of a name with an approved name below: no data',
    );
    const empty = await ask('sip.example AAAA');
    t.strictSame([empty.status, empty.answer], ['NOERROR', []]);
    t.match(empty.authority, soa);
  });

  await t.test('targets of SRV and MX are approved or the RRset goes', async (t) => {
    t.equal((await ask('_sip._tcp.example SRV')).answer.length, 1);
    const mail = await ask('mail.example MX');
    t.strictSame([mail.status, mail.answer], ['NOERROR', []], 'mx2.example is not approved');
  });

  await t.test('addresses of the inside', async (t) => {
    for (const question of [
      'private.example A',
      'private.example AAAA',
      'loopback.example A',
      'mixed.example A',
      'metadata.example A',
    ]) {
      const answer = await ask(question);
      t.strictSame([answer.status, answer.answer], ['NOERROR', []], question);
      t.match(answer.ede, [{ code: 15 }], question);
    }
    const trusted = (question: string) => ask(`-b 127.0.0.3 ${question}`);
    t.strictSame(data(await trusted('private.example A'), 'A'), ['10.1.2.3']);
    t.strictSame(data(await trusted('private.example AAAA'), 'AAAA'), ['fd00::1']);
    t.strictSame(data(await trusted('mixed.example A'), 'A'), ['10.1.2.4', '192.0.2.70']);
    t.strictSame(data(await trusted('loopback.example A'), 'A'), ['127.0.0.1']);
    t.strictSame(
      data(await trusted('metadata.example A'), 'A'),
      [],
      '`private: true` is not enough for this one',
    );
    t.strictSame(data(await ask('private.example A'), 'A'), [], 'though the cache has it now');
  });

  await t.test('a client that nobody knows', async (t) => {
    const answer = await ask('-b 127.0.0.9 www.example A');
    t.equal(answer.status, 'NXDOMAIN');
    t.match(answer.ede, [{ code: 15, text: /^namegate sees you as 127\.0\.0\.9/ }]);
  });

  await t.test('TTLs', async (t) => {
    const [long = 0] = ttls(await ask('long.example A'));
    t.ok(long <= 300 && long >= 290, `86400 became ${long}`);
    const [first = 0] = ttls(await ask('www.example A'));
    await new Promise((resolve) => setTimeout(resolve, 2100));
    const [second = 0] = ttls(await ask('www.example A'));
    t.ok(second < first && second <= 118, `${first}, and two seconds later ${second}`);
  });

  await t.test('without the upstream', async (t) => {
    t.strictSame(data(await ask('short.example A'), 'A'), ['192.0.2.90']);
    await upstream.stop();
    await new Promise((resolve) => setTimeout(resolve, 5200));
    const stale = await ask('short.example A');
    t.strictSame(data(stale, 'A'), ['192.0.2.90'], 'stale data is served');
    t.strictSame(ttls(stale), [30]);
    t.match(stale.ede, [{ code: 3 }]);
    const never = await ask('mx1.example A');
    t.equal(never.status, 'SERVFAIL');
    t.match(never.ede, [{ code: /^2[23]$/ }]);
    t.strictSame(data(await ask('www.example A'), 'A'), ['192.0.2.10', '192.0.2.11'], 'the cache serves');
    t.equal((await ask('secret.example A')).status, 'NXDOMAIN', 'and denials need nobody');
    t.equal(await server.stop(), 0, 'it ends well');
  });
});

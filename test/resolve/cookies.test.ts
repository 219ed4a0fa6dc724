import t from 'tap';
import { COOKIE_SIZE, Cookies } from '../../src/resolve/client/cookies.ts';
import { SipHash } from '../../src/resolve/client/siphash.ts';
import type { Client } from '../../src/resolve/ports.ts';
import { FLAG } from '../../src/wire/header.ts';
import { OPTION } from '../../src/wire/iana.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { House, type QueryOptions, queryOctets } from './house.ts';
import { policy } from './policy.ts';
import type { Reply } from './reply.ts';

/** DNS cookies (RFC 7873, RFC 9018), and what is not done for a client whose address may be forged. */

const CLIENT = Buffer.from('2464c4abcf10c957', 'hex');
const SECRET = Buffer.from('e5e973e5a6b2a43f48e7dc849e37bfcf', 'hex');

t.test('SipHash-2-4 gives the vectors of its reference implementation', async (t) => {
  const hash = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i));
  const vectors = [
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [7, '37d1018bf50002ab'],
    [8, '6224939a79f5f593'],
    [15, 'e545be4961ca29a1'],
    [63, '724506eb4c328a95'],
  ] as const;
  for (const [length, expected] of vectors) {
    hash.run(
      Uint8Array.from({ length }, (_, i) => i),
      length,
    );
    const out = Buffer.alloc(8);
    out.writeInt32LE(hash.low, 0);
    out.writeInt32LE(hash.high, 4);
    t.equal(out.toString('hex'), expected, `${length} octets`);
  }
});

function option(data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(OPTION.COOKIE, 0);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
}

function clientAt(family: 4 | 6, ...words: number[]): Client {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  const defer = (): never => {
    throw new Error('nobody waits here');
  };
  return {
    transport: 'udp',
    spoofable: true,
    lease: '',
    credential: null,
    asked: () => false,
    family,
    w0,
    w1,
    w2,
    w3,
    port: 5353,
    defer,
  };
}

/** What `judge` wrote last. */
const written = Buffer.alloc(COOKIE_SIZE);

function judge(cookies: Cookies, data: Buffer, client: Client, epoch: number): boolean {
  const query = new Query();
  const octets = queryOctets('a.example', 'A', { options: option(data) });
  if (readQuery(octets, octets.length, query) !== null) throw new Error('a good query');
  return cookies.judge(query, client, epoch, written);
}

t.test('server cookies are those of RFC 9018, appendix A', async (t) => {
  const here = clientAt(4, 0xc633_6464);
  const cookies = new Cookies(SECRET);
  t.notOk(judge(cookies, CLIENT, here, 1_559_731_985), 'A.1: a client cookie alone proves nothing');
  const first = Buffer.from(written);
  t.equal(first.toString('hex'), '2464c4abcf10c957010000005cf79f111f8130c3eee29480');
  t.ok(judge(cookies, first, here, 1_559_731_985));

  t.notOk(judge(cookies, first, here, 1_559_734_385 + 1201), 'after an hour it is void');
  t.ok(judge(cookies, first, here, 1_559_734_385), 'A.2: 40 minutes later it is good');
  t.equal(
    written.toString('hex'),
    '2464c4abcf10c957010000005cf7a871d4a564a1442aca77',
    'and a new one comes back',
  );

  const six = clientAt(6, 0x2001_0db8, 0x0220_0001, 0x59de_d0f4, 0x8769_82b8);
  const rolled = new Cookies(Buffer.from('dd3bdf9344b678b185a6f5cb60fca715', 'hex'));
  rolled.roll(Buffer.from('445536bcd2513298075a5d379663c962', 'hex'));
  const older = Buffer.from('22681ab97d52c298010000005cf7c57926556bd0934c72f8', 'hex');
  t.ok(judge(rolled, older, six, 1_559_741_961), 'A.4: the secret before this one is good too');
  t.equal(
    written.toString('hex'),
    '22681ab97d52c298010000005cf7c609a6bb79d16625507a',
    'the new cookie is of the new secret',
  );
});

t.test('what makes a server cookie void', async (t) => {
  const here = clientAt(4, 0xc000_0201);
  const now = 1_800_000_000;
  const cookies = new Cookies(SECRET);
  judge(cookies, CLIENT, here, now);
  const good = Buffer.from(written);
  t.ok(judge(cookies, good, here, now + 3600));
  t.notOk(judge(cookies, good, here, now + 3601), 'older than an hour');
  t.ok(judge(cookies, good, here, now - 300));
  t.notOk(judge(cookies, good, here, now - 301), 'from more than five minutes ahead');
  t.notOk(judge(cookies, good, clientAt(4, 0xc000_0202), now), 'of another address');
  t.ok(judge(cookies, good, clientAt(6, 0, 0, 0xffff, 0xc000_0201), now), 'mapped, it is the same address');
  for (let bit = 0; bit < 24 * 8; bit++) {
    const bad = Buffer.from(good);
    bad[bit >>> 3]! ^= 1 << (bit & 7);
    if (judge(cookies, bad, here, now)) t.fail(`bit ${bit} does not count`);
  }
  t.notOk(judge(cookies, Buffer.concat([good, Buffer.alloc(1)]), here, now), 'another length');
  t.notOk(judge(cookies, good.subarray(0, 16), here, now), 'half of it');
  cookies.roll(Buffer.alloc(16, 1));
  t.ok(judge(cookies, good, here, now), 'one secret later');
  cookies.roll(Buffer.alloc(16, 2));
  t.notOk(judge(cookies, good, here, now), 'two secrets later');
});

const POLICY = policy(
  {
    alice: { allow: ['**.site.example', 'only.example'] },
    bob: { allow: [], more: ['mode: audit', 'audit_until: 2030-01-01T00:00:00Z'] },
  },
  { records: ['{ name: only.example, type: A, data: 192.0.2.1 }'] },
);
const FORGEABLE: QueryOptions = { spoofable: true };

function cookieOf(reply: Reply): Buffer {
  return reply.options.find(({ code }) => code === OPTION.COOKIE)!.data;
}

t.test(
  'a question is forwarded only for a client with a server cookie; others are sent to TCP',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const plain = await house.query('a.site.example', 'A', FORGEABLE);
    t.same([plain.rcode, plain.flags & FLAG.TC, plain.answer], [0, FLAG.TC, []]);
    t.same(house.exits, ['unproven']);
    t.same(house.asked, [], 'nothing is asked');

    const fresh = await house.query('a.site.example', 'A', { ...FORGEABLE, options: option(CLIENT) });
    t.equal(fresh.flags & FLAG.TC, FLAG.TC, 'a client cookie alone proves nothing');
    const cookie = cookieOf(fresh);
    t.equal(cookie.length, 24);
    t.same(cookie.subarray(0, 8), CLIENT);

    const answer = { answer: ['a.site.example 60 A 192.0.2.7'] };
    const proven = await house.ask('a.site.example', 'A', { ...FORGEABLE, options: option(cookie) }, answer);
    t.same(proven.answer, ['a.site.example 60 A 192.0.2.7']);
    t.same(cookieOf(proven), cookie);
    const hit = await house.query('a.site.example', 'A', FORGEABLE);
    t.same(hit.answer, ['a.site.example 60 A 192.0.2.7'], 'a hit needs no proof');
    const stolen = { ...FORGEABLE, options: option(cookie), from: '127.0.0.9' };
    t.equal((await house.query('b.site.example', 'A', stolen)).rcode, 3, 'elsewhere it is nothing');
    t.equal((await house.query('only.example', 'A', FORGEABLE)).answer.length, 1, 'local data needs none');
    for (const transport of ['tcp', 'tls'] as const) {
      const reply = await house.ask(
        `${transport}.site.example`,
        'A',
        { transport },
        { answer: [`${transport}.site.example 60 A 192.0.2.8`] },
      );
      t.equal(reply.answer.length, 1, `nobody forges an address on ${transport}`);
    }
  },
);

t.test('denials without proof are counted apart, and use up nothing', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.identityAllowed = false;
  t.equal((await house.query('evil.example', 'A', FORGEABLE)).rcode, 3, 'the identity has spent all it may');
  t.same(house.exits, ['deny_unproven']);
  t.equal((await house.query('evil.example')).rcode, 2);
  const audited = await house.query('evil.example', 'A', { ...FORGEABLE, from: '127.0.0.2' });
  t.equal(audited.flags & FLAG.TC, FLAG.TC, 'what audit would let through needs proof too');
  t.match(house.findings, [{ kind: 'would_deny', identity: 'bob', unproven: true }]);
});

t.test('a cookie of a length that none has is malformed; of several the first counts', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (let size = 0; size <= 48; size++) {
    const reply = await house.query('only.example', 'A', { options: option(Buffer.alloc(size, 1)) });
    const good = size === 8 || (size >= 16 && size <= 40);
    t.equal(reply.rcode, good ? 0 : 1, `${size} octets`);
    t.equal(
      reply.options.some(({ code }) => code === OPTION.COOKIE),
      good,
    );
  }
  const two = Buffer.concat([option(CLIENT), option(Buffer.alloc(8, 9))]);
  t.same(cookieOf(await house.query('only.example', 'A', { options: two })).subarray(0, 8), CLIENT);
  const refused = await house.query('only.example', 'AXFR', { options: option(CLIENT) });
  t.same([refused.rcode, cookieOf(refused).length], [5, 24], 'every reply has it');
});

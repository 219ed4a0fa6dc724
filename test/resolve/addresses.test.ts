import t, { type Test } from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import type { Reply } from './reply.ts';

/** Addresses, "judged by the IPv4 inside", "given whole or not at all". */

const TYPES = 'types: [A, AAAA, HTTPS, SVCB]';
const POLICY = policy({
  strict: { allow: [rule('www.example', TYPES)] },
  open: { allow: [rule('www.example', `${TYPES}, private: true`)] },
  listed: {
    allow: [
      rule(
        'www.example',
        `${TYPES}, private: ["10.1.0.0/16", "127.0.0.0/8", "fe80::/10", "169.254.169.254/32"]`,
      ),
    ],
  },
});
const STRICT = { from: '127.0.0.1' };
const OPEN = { from: '127.0.0.2' };
const LISTED = { from: '127.0.0.3' };

function isGiven(reply: Reply): boolean {
  if (reply.answer.length > 0) return true;
  if (reply.rcode !== 0 || reply.authority.length !== 1 || reply.ede[0]?.code !== 15)
    throw new Error('neither');
  return false;
}

/** Whether each identity is given the RRset, on the miss and on the hit. */
async function verdicts(t: Test, type: string, rdata: readonly string[]): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const client of [STRICT, OPEN, LISTED]) {
    const house = new House(t.testdir.bind(t), POLICY);
    const answer = rdata.map((data) => `www.example 60 ${type} ${data}`);
    const miss = isGiven(await house.ask('www.example', type, client, { answer }));
    const hit = isGiven(await house.query('www.example', type, client));
    if (miss !== hit || house.asked.length !== 1) throw new Error('a hit that differs from its miss');
    found.push(miss);
  }
  return found;
}

const PUBLIC = [true, true, true];
const PRIVATE = [false, true, false];
const SPECIAL = [false, false, false];
const SPECIAL_LISTED = [false, false, true];

t.test(
  'A: RFC 1918, RFC 6598 need `private: true`; loopback, unspecified, link-local, multicast and cloud metadata a list',
  async (t) => {
    const cases: [string, boolean[]][] = [
      ['192.0.2.1', PUBLIC],
      ['9.255.255.255', PUBLIC],
      ['10.0.0.0', PRIVATE],
      ['10.255.255.255', PRIVATE],
      ['10.1.2.3', [false, true, true]],
      ['11.0.0.0', PUBLIC],
      ['172.15.255.255', PUBLIC],
      ['172.16.0.0', PRIVATE],
      ['172.31.255.255', PRIVATE],
      ['172.32.0.0', PUBLIC],
      ['192.167.255.255', PUBLIC],
      ['192.168.0.0', PRIVATE],
      ['192.168.255.255', PRIVATE],
      ['192.169.0.0', PUBLIC],
      ['100.63.255.255', PUBLIC],
      ['100.64.0.0', PRIVATE],
      ['100.127.255.255', PRIVATE],
      ['100.128.0.0', PUBLIC],
      ['0.0.0.0', SPECIAL],
      ['0.255.255.255', SPECIAL],
      ['127.0.0.1', SPECIAL_LISTED],
      ['127.255.255.255', SPECIAL_LISTED],
      ['128.0.0.0', PUBLIC],
      ['169.253.255.255', PUBLIC],
      ['169.254.0.1', SPECIAL],
      ['169.254.169.254', SPECIAL_LISTED],
      ['169.255.0.0', PUBLIC],
      ['100.100.100.200', SPECIAL],
      ['100.100.100.199', PRIVATE],
      ['168.63.129.16', SPECIAL],
      ['168.63.129.15', PUBLIC],
      ['192.0.0.192', SPECIAL],
      ['192.0.0.191', PUBLIC],
      ['223.255.255.255', PUBLIC],
      ['224.0.0.1', SPECIAL],
      ['239.255.255.255', SPECIAL],
      ['255.255.255.255', SPECIAL],
    ];
    for (const [address, wanted] of cases) t.same(await verdicts(t, 'A', [address]), wanted, address);
  },
);

t.test('AAAA: ULA needs `private: true`; the rest of the special ranges a list', async (t) => {
  const cases: [string, boolean[]][] = [
    ['2001:db8::1', PUBLIC],
    ['fbff::1', PUBLIC],
    ['fc00::1', PRIVATE],
    ['fdff::1', PRIVATE],
    ['fe00::1', PUBLIC],
    ['::', SPECIAL],
    ['::1', SPECIAL],
    ['fe80::1', SPECIAL_LISTED],
    ['febf::1', SPECIAL_LISTED],
    ['fec0::1', SPECIAL],
    ['ff02::1', SPECIAL],
    ['fd00:ec2::254', SPECIAL],
    ['fd00:ec2::253', PRIVATE],
  ];
  for (const [address, wanted] of cases) t.same(await verdicts(t, 'AAAA', [address]), wanted, address);
});

t.test(
  'an address that carries an IPv4 address (mapped, 6to4, 64:ff9b::/96) is judged by the IPv4 inside',
  async (t) => {
    const cases: [string, boolean[]][] = [
      ['::ffff:192.0.2.1', PUBLIC],
      ['::ffff:10.0.0.1', PRIVATE],
      ['::ffff:10.1.0.1', [false, true, true]],
      ['::ffff:127.0.0.1', SPECIAL_LISTED],
      ['::ffff:169.254.169.254', SPECIAL_LISTED],
      ['::10.0.0.1', PRIVATE],
      ['2002:c000:201::1', PUBLIC],
      ['2002:a00:1::1', PRIVATE],
      ['2002:7f00:1::1', SPECIAL_LISTED],
      ['64:ff9b::192.0.2.1', PUBLIC],
      ['64:ff9b::10.0.0.1', PRIVATE],
      ['64:ff9b::127.0.0.1', SPECIAL_LISTED],
      ['64:ff9b::a9fe:a9fe', SPECIAL_LISTED],
      ['64:ff9b:1::10.0.0.1', PRIVATE],
    ];
    for (const [address, wanted] of cases) t.same(await verdicts(t, 'AAAA', [address]), wanted, address);
  },
);

t.test('the hints in HTTPS/SVCB', async (t) => {
  const cases: [string, boolean[]][] = [
    ['1 . ipv4hint=192.0.2.1', PUBLIC],
    ['1 . alpn=h2', PUBLIC],
    ['1 . ipv4hint=10.0.0.1', PRIVATE],
    ['1 . ipv4hint=192.0.2.1,10.0.0.1', PRIVATE],
    ['1 . ipv4hint=127.0.0.1', SPECIAL_LISTED],
    ['1 . ipv6hint=fd00::1', PRIVATE],
    ['1 . ipv6hint=2001:db8::1,fe80::1', SPECIAL_LISTED],
    ['1 . alpn=h2 ipv4hint=192.0.2.1 ipv6hint=::ffff:10.0.0.1', PRIVATE],
  ];
  for (const type of ['HTTPS', 'SVCB']) {
    for (const [data, wanted] of cases) t.same(await verdicts(t, type, [data]), wanted, `${type} ${data}`);
  }
});

t.test('an RRset is given whole or not at all: one forbidden address empties it', async (t) => {
  t.same(await verdicts(t, 'A', ['192.0.2.1', '192.0.2.2', '10.0.0.1']), PRIVATE);
  t.same(await verdicts(t, 'A', ['10.0.0.1', '127.0.0.1']), SPECIAL);
  t.same(await verdicts(t, 'A', ['10.1.0.1', '127.0.0.1', '192.0.2.1']), SPECIAL_LISTED);
  t.same(await verdicts(t, 'HTTPS', ['1 . ipv4hint=192.0.2.1', '2 . ipv4hint=10.0.0.1']), PRIVATE);
});

t.test('…(no data, EDE 15, a finding)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.example 60 A 10.0.0.1'];
  const reply = await house.ask('www.example', 'A', { ...STRICT, transport: 'tcp' }, { answer });
  t.same([reply.rcode, reply.answer, reply.authority], [0, [], ['www.example 30 SOA minimum 30']]);
  t.same(reply.ede, [
    { code: 15, text: 'strict: answer held an address that the rule does not grant; ask net-team' },
  ]);
  const finding = { kind: 'private-address', identity: 'strict', name: 'www.example', type: 1 };
  t.same(house.findings, [finding]);
  await house.query('www.example', 'A', STRICT);
  t.same(house.findings, [finding, finding], 'on a hit too');
  t.same(house.exits, ['withheld', 'withheld']);
});

t.test('per identity, from one entry', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.example 60 A 10.9.0.1'];
  t.notOk(isGiven(await house.ask('www.example', 'A', STRICT, { answer })));
  t.ok(isGiven(await house.query('www.example', 'A', OPEN)));
  t.notOk(isGiven(await house.query('www.example', 'A', LISTED)));
  t.notOk(isGiven(await house.query('www.example', 'A', STRICT)));
  t.equal(house.asked.length, 1);
});

t.test('the address at the end of a chain, and stale ones', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.example 60 CNAME b.net', 'b.net 60 A 10.0.0.1'];
  t.notOk(isGiven(await house.ask('www.example', 'A', STRICT, { answer })));
  house.pass(61);
  t.notOk(isGiven(await house.ask('www.example', 'A', STRICT, { failure: 'network' })));
  const stale = await house.query('www.example', 'A', OPEN);
  t.same([stale.ede[0]?.code, stale.answer.length], [3, 2]);
});

t.test('what the most specific rule says decides; the wildcard beside it does not widen it', async (t) => {
  const text = policy({
    alice: {
      allow: [rule('*.site.example', 'private: true, types: [A]'), rule('www.site.example', 'types: [A]')],
    },
  });
  const house = new House(t.testdir.bind(t), text);
  t.notOk(
    isGiven(await house.ask('www.site.example', 'A', {}, { answer: ['www.site.example 60 A 10.0.0.1'] })),
  );
  t.ok(isGiven(await house.ask('sub.site.example', 'A', {}, { answer: ['sub.site.example 60 A 10.0.0.1'] })));
});

t.test('a malformed hint, or an odd number of octets in one, is unusable', async (t) => {
  const bad = [
    '0001000004000360000000',
    '00010000040004c000',
    '000100000400050a0000017f',
    '00010000060010fd00',
    '000100000400 00',
  ];
  for (const hex of bad) {
    const house = new House(t.testdir.bind(t), POLICY);
    const octets = hex.replaceAll(' ', '');
    const data = `\\# ${octets.length / 2} ${octets}`;
    const reply = await house.ask('www.example', 'HTTPS', OPEN, { answer: [`www.example 60 HTTPS ${data}`] });
    t.equal(reply.rcode, 2, hex);
  }
});

/** "An SRV, MX, SVCB or HTTPS RRset whose target is neither its owner nor approved is dropped". */
t.test('targets of MX, SRV, SVCB and HTTPS: the owner, or approved, or the RRset is dropped', async (t) => {
  const text = policy({
    alice: {
      allow: [rule('www.example', 'types: [MX, SRV, SVCB, HTTPS, PTR]'), 'mail.example', '*.pool.example'],
    },
    bob: { allow: [rule('www.example', 'types: [MX, SRV, SVCB, HTTPS, PTR]')] },
  });
  const cases: [string, string, boolean, boolean][] = [
    // type, data, for alice, for bob
    ['MX', '10 mail.example', true, false],
    ['MX', '10 MAIL.example', true, false],
    ['MX', '0 .', true, true],
    ['MX', '10 www.example', true, true],
    ['MX', '10 evil.example', false, false],
    ['SRV', '0 0 443 a.pool.example', true, false],
    ['SRV', '0 0 443 a.b.pool.example', false, false],
    ['SRV', '0 0 0 .', true, true],
    ['SVCB', '1 mail.example alpn=h2', true, false],
    ['SVCB', '0 evil.example', false, false],
    ['HTTPS', '1 . alpn=h2', true, true],
    ['HTTPS', '0 mail.example', true, false],
    ['HTTPS', '1 evil.example', false, false],
    ['PTR', 'evil.example', true, true],
  ];
  for (const [type, data, alice, bob] of cases) {
    const house = new House(t.testdir.bind(t), text);
    const answer = [`www.example 60 ${type} ${data}`];
    t.equal(isGiven(await house.ask('www.example', type, {}, { answer })), alice, `${type} ${data}`);
    t.equal(
      isGiven(await house.query('www.example', type, { from: '127.0.0.2' })),
      bob,
      `${type} ${data} for bob`,
    );
  }
});

t.test('a dropped target is told and found; one bad target drops the RRset', async (t) => {
  const text = policy({ alice: { allow: [rule('www.example', 'types: [MX]'), 'mail.example'] } });
  const house = new House(t.testdir.bind(t), text);
  const answer = ['www.example 60 MX 10 mail.example', 'www.example 60 MX 20 evil.example'];
  const reply = await house.ask('www.example', 'MX', { transport: 'tcp' }, { answer });
  t.same(reply.ede, [{ code: 15, text: 'alice: answer led to a name that is not approved; ask team-a' }]);
  t.same(house.findings, [{ kind: 'unapproved-target', identity: 'alice', name: 'www.example', type: 15 }]);
});

t.test('a target behind a CNAME is compared with its own owner', async (t) => {
  const text = policy({ alice: { allow: [rule('www.example', 'types: [HTTPS]')] } });
  const house = new House(t.testdir.bind(t), text);
  const answer = ['www.example 60 CNAME cdn.net', 'cdn.net 60 HTTPS 1 cdn.net alpn=h2'];
  t.ok(isGiven(await house.ask('www.example', 'HTTPS', {}, { answer })));
});

import t, { type Test } from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { rawRecord, replyOctets, type Script, soa, wireName } from './records.ts';

/** Cleaning: what a lying or broken upstream may say, and what is left of it. */

const POLICY = policy({
  alice: { allow: [rule('www.example', 'types: [A, AAAA, NS, MX, SOA, TXT]')] },
});

async function given(dir: (c: Record<string, string>) => string, script: Script, type = 'A') {
  const house = new House(dir, POLICY);
  const reply = await house.ask('www.example', type, { transport: 'tcp', do: true }, script);
  return { reply, house };
}

async function parts(t: Test, script: Script, type = 'A') {
  const { rcode, answer, authority, additional } = (await given(t.testdir.bind(t), script, type)).reply;
  return { rcode, answer, authority, additional };
}

const A = 'www.example 60 A 192.0.2.1';
const NOTHING = { rcode: 0, answer: [], authority: [], additional: [] };

t.test('extra records for other owners are dropped', async (t) => {
  const strangers = [
    'evil.example 60 A 203.0.113.66',
    'example 60 A 203.0.113.66',
    'xwww.example 60 A 203.0.113.66',
    'sub.www.example 60 A 203.0.113.66',
    '. 60 A 203.0.113.66',
  ];
  t.same(await parts(t, { answer: [...strangers, A, ...strangers] }), {
    ...NOTHING,
    answer: [A],
  });
});

t.test('records of other types at the question are dropped', async (t) => {
  const answer = [
    'www.example 60 TXT "x"',
    A,
    'www.example 60 AAAA 2001:db8::1',
    'www.example 60 NS ns.example',
  ];
  t.same(await parts(t, { answer }), { ...NOTHING, answer: [A] });
});

t.test('no other authority: NS and glue are dropped beside an answer', async (t) => {
  const script = {
    answer: [A],
    authority: ['example 60 NS ns.example', soa('example')],
    additional: ['ns.example 60 A 203.0.113.66'],
  };
  t.same(await parts(t, script), { ...NOTHING, answer: [A] });
});

t.test('no additional: not even beside MX or NS', async (t) => {
  const mx = 'www.example 60 MX 10 www.example';
  const script = { answer: [mx], additional: ['www.example 60 A 203.0.113.66', '. 0 CLASS4096 OPT \\# 0'] };
  t.same(await parts(t, script, 'MX'), { ...NOTHING, answer: [mx] });
});

t.test('a referral is unusable: the next server is wanted, and no name is denied', async (t) => {
  const authority = ['example 60 NS ns.example'];
  const house = new House(t.testdir.bind(t), POLICY);
  const pending = house.query('www.example');
  t.equal(house.settle(house.open[0]!, { authority, additional: ['ns.example 60 A 203.0.113.66'] }), false);
  t.equal((await pending).rcode, 2);
});

t.test('wrong class: records of CHAOS are dropped', async (t) => {
  const answer = ['www.example 60 CLASS3 A 203.0.113.66', A];
  t.same(await parts(t, { answer }), { ...NOTHING, answer: [A] });
});

t.test('NXDOMAIN with data is unusable', async (t) => {
  t.same(await parts(t, { rcode: 3, answer: [A] }), { ...NOTHING, rcode: 2 });
});

t.test('a negative answer keeps the SOA above its name, and no other', async (t) => {
  const good = soa('example');
  const bad = [
    soa('evil.net'),
    soa('xexample'),
    soa('sub.www.example'),
    'example 60 CLASS3 SOA a. b. 1 2 3 4 5',
  ];
  for (const rcode of [0, 3]) {
    const wanted = { ...NOTHING, authority: ['example 60 SOA minimum 60'], rcode };
    t.same(await parts(t, { rcode, authority: [...bad, good, soa('.')] }), wanted);
    t.same(await parts(t, { rcode, authority: bad }), { ...NOTHING, rcode });
  }
});

t.test('a SOA in the answer section of another question is no authority', async (t) => {
  t.same(await parts(t, { answer: [soa('www.example')] }), NOTHING);
});

t.test(
  'what no SOA supports is kept for the five seconds of a written-out name alone (RFC 2308 §5)',
  async (t) => {
    for (const rcode of [0, 3]) {
      const { house } = await given(t.testdir.bind(t), { rcode });
      house.pass(4.9);
      await house.query('www.example');
      t.equal(house.exits.at(-1), 'hit');
      t.equal(house.asked.length, 1, 'else a client could tell its upstream the time by asking');
      house.pass(0.1);
      void house.query('www.example');
      t.equal(house.asked.length, 2);
    }
  },
);

t.test('a TTL with its top bit set is 0 (RFC 2181 §8)', async (t) => {
  const { reply, house } = await given(t.testdir.bind(t), { answer: ['www.example 2147483648 A 192.0.2.1'] });
  t.same(reply.answer, ['www.example 0 A 192.0.2.1']);
  house.pass(5);
  void house.query('www.example');
  t.equal(house.asked.length, 2, 'kept for the five seconds of a written-out name, and no longer');
});

t.test('differing TTLs in an RRset become the least (RFC 2181 §5.2)', async (t) => {
  const answer = ['www.example 90 A 192.0.2.1', 'www.example 20 A 192.0.2.2', 'www.example 70 A 192.0.2.3'];
  const { reply, house } = await given(t.testdir.bind(t), { answer });
  t.same(reply.answer.toSorted(), [
    'www.example 20 A 192.0.2.1',
    'www.example 20 A 192.0.2.2',
    'www.example 20 A 192.0.2.3',
  ]);
  house.pass(20);
  void house.query('www.example');
  t.equal(house.asked.length, 2);
});

t.test('RDATA that its type does not allow is unusable', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const owner = wireName('www.example');
  const bad: [string, number, Buffer][] = [
    ['A', 1, Buffer.alloc(3)],
    ['A', 1, Buffer.alloc(5)],
    ['A', 1, Buffer.alloc(0)],
    ['AAAA', 28, Buffer.alloc(15)],
    ['AAAA', 28, Buffer.alloc(17)],
    ['NS', 2, Buffer.from([3, 0x61, 0x62])],
    ['NS', 2, Buffer.from([0, 0])],
    ['NS', 2, Buffer.from([0xc0])],
    ['NS', 2, Buffer.from([0xc0, 0xff])],
    ['NS', 2, Buffer.from([0x40])],
    ['MX', 15, Buffer.from([0])],
    ['MX', 15, Buffer.from([0, 10])],
    ['SOA', 6, Buffer.alloc(10)],
    ['SOA', 6, Buffer.alloc(30)],
  ];
  for (const [text, type, rdata] of bad) {
    const pending = house.query('www.example', text);
    const record = rawRecord(owner, type, 60, rdata);
    t.equal(house.settle(house.open[0]!, { answer: [record] }), false, `${text} ${rdata.toString('hex')}`);
    t.equal((await pending).rcode, 2);
    house.pass(60);
  }
  t.same(house.bugs, []);
});

t.test('garbage, counts that lie, and octets behind the last record are unusable', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const name = wireName('www.example');
  const whole = replyOctets({ name, type: 1 }, { answer: [A] });
  const many = Buffer.from(whole);
  many.writeUInt16BE(2, 6);
  const bad = [
    Buffer.alloc(0),
    Buffer.alloc(11),
    whole.subarray(0, 12),
    whole.subarray(0, 40),
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, Buffer.alloc(1)]),
    many,
    Buffer.alloc(600, 0xff),
  ];
  for (const octets of bad) {
    const pending = house.query('www.example');
    t.equal(house.settle(house.open[0]!, { octets }), false);
    t.equal((await pending).rcode, 2);
    house.pass(60);
  }
  t.same(house.bugs, []);
});

t.test('a malformed record that would be dropped does not save its message', async (t) => {
  // The A record is fine; what cannot be read to its end is not trusted in its beginning.
  const cut = rawRecord(wireName('evil.example'), 1, 60, Buffer.alloc(4)).subarray(0, 20);
  const house = new House(t.testdir.bind(t), POLICY);
  void house.query('www.example');
  t.equal(house.settle(house.open[0]!, { answer: [A, cut] }), false);
});

t.test('proofs of zones that have no say are dropped', async (t) => {
  const script = {
    rcode: 3,
    authority: [
      soa('example'),
      'smuggled.evil.net 60 NSEC z.evil.net',
      'b.example 60 NSEC x.example',
      'smuggled 60 NSEC3 x',
      'abc.example 60 CLASS3 NSEC3 x',
    ],
  };
  t.same(await parts(t, script), {
    rcode: 3,
    answer: [],
    authority: ['example 60 SOA minimum 60', 'b.example 60 NSEC x.example'],
    additional: [],
  });
});

t.test('a flood of proofs is unusable', async (t) => {
  const proofs = Array.from({ length: 3000 }, (_, i) => `${i}.example 60 NSEC z.example`);
  const house = new House(t.testdir.bind(t), POLICY);
  void house.query('www.example', 'A', { do: true });
  t.equal(house.settle(house.open[0]!, { rcode: 3, authority: [soa('example'), ...proofs] }), false);
});

t.test('the upstream’s AA, and its AD when it is not verified, reach nobody', async (t) => {
  const { reply } = await given(t.testdir.bind(t), { answer: [A], flags: FLAG.AA | FLAG.AD });
  t.equal(reply.flags & (FLAG.AA | FLAG.AD), 0);
  t.ok(reply.flags & FLAG.RA);
});

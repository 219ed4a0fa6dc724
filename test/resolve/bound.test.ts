import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { NEGATIVE_TTL } from '../../src/wire/reply.ts';
import { House, queryOctets } from './house.ts';
import { policy, rule } from './policy.ts';
import { wireName } from './records.ts';
import { questionOf } from './reply.ts';

/** "On UDP an answer to a denied name stays within three times its question: first the text is cut, then the EDE." */

const OWNER = 'o'.repeat(200);
const LONG = policy({
  alice: { allow: ['www.site.example', rule('typed.site.example', 'types: [TXT]')] },
}).replace('owner: team-a', `owner: ${OWNER}`);
const HEAD = 'alice: name not approved';
const FULL = `${HEAD}; ask ${OWNER}`;

/** The middle goes first, so that whom to ask is cut last. */
function isCut(text: string, owner: string): boolean {
  const tail = `; ask ${owner}`;
  if (!text.endsWith(tail)) return tail.slice(2).startsWith(text);
  return HEAD.startsWith(text.slice(0, -tail.length));
}

/** A name of exactly `octets` octets that nothing approves; null where there is none. */
function denied(octets: number): string | null {
  if (octets === 2) return null;
  const labels: string[] = [];
  for (let left = octets - 1; left > 0; ) {
    let size = Math.min(63, left - 1);
    if (left - 1 - size === 1) size--;
    labels.push('z'.repeat(size));
    left -= 1 + size;
  }
  return labels.length === 0 ? '.' : labels.join('.');
}

t.test('the bound holds for every name length, with and without EDNS', async (t) => {
  const house = new House(t.testdir.bind(t), LONG);
  let cutText = 0;
  let cutWhole = 0;
  for (let octets = 1; octets <= 255; octets++) {
    const name = denied(octets);
    if (name === null) continue;
    t.equal(wireName(name).length, octets);
    for (const edns of [true, false]) {
      const query = queryOctets(name, 'A', { edns });
      const reply = await house.query(name, 'A', { edns });
      if (reply.octets.length > 3 * query.length)
        t.fail(`${octets} octets: ${reply.octets.length} of ${query.length}`);
      if (reply.rcode !== (octets === 1 ? 0 : 3) || reply.authority.length !== 1 || reply.flags & FLAG.TC)
        t.fail(`${octets} octets: not a whole answer`);
      t.equal(reply.ede.length, edns && octets > 1 ? 1 : 0);
      const [ede] = reply.ede;
      if (ede === undefined) continue;
      if (!isCut(ede.text, OWNER)) t.fail(`${octets} octets: ${ede.text}`);
      if (ede.text === '') cutWhole++;
      else if (ede.text !== FULL) cutText++;
      // What fits is told: a text is never cut further than it must be.
      if (ede.text !== FULL) t.ok(3 * query.length - reply.octets.length <= '; '.length);
    }
  }
  t.ok(cutText > 50, 'texts were cut');
  t.equal(cutWhole, 0);
});

t.test('minimal questions: the root and one octet, without EDNS', async (t) => {
  const house = new House(t.testdir.bind(t), LONG);
  const root = await house.query('.', 'A', { edns: false, from: '192.0.2.1' });
  t.same([queryOctets('.', 'A', { edns: false }).length, root.octets.length], [17, 50]);
  const one = await house.query('z', 'A', { edns: false });
  t.same([queryOctets('z', 'A', { edns: false }).length, one.octets.length], [19, 52]);
});

t.test('an emptied type is told within the bound too', async (t) => {
  const house = new House(t.testdir.bind(t), LONG);
  const query = queryOctets('typed.site.example', 'A');
  const reply = await house.query('typed.site.example', 'A');
  t.ok(reply.octets.length <= 3 * query.length);
  t.equal(reply.ede[0]!.text, 'alice: type not approved; ask net-team', 'who answers for the rule');
});

t.test('a cut never splits a UTF-8 sequence', async (t) => {
  const owner = 'ü€😀'.repeat(20);
  const house = new House(t.testdir.bind(t), LONG.replace(OWNER, owner));
  for (let octets = 3; octets < 80; octets++) {
    const reply = await house.query(denied(octets)!);
    const text = reply.ede[0]!.text;
    if (text.includes('\ufffd') || !isCut(text, owner)) t.fail(text);
  }
  t.pass('every text is the whole one without its middle');
});

t.test('on TCP the text is whole', async (t) => {
  const house = new House(t.testdir.bind(t), LONG);
  t.same((await house.query('z', 'A', { transport: 'tcp' })).ede, [{ code: 15, text: FULL }]);
});

t.test('EDE only where the question had OPT', async (t) => {
  const house = new House(t.testdir.bind(t), LONG);
  for (const transport of ['udp', 'tcp'] as const) {
    const reply = await house.query('evil.example', 'A', { edns: false, transport });
    t.same([reply.edns, reply.ede], [false, []]);
  }
});

t.test('`replies.ede_text: false` keeps the code and drops the text', async (t) => {
  const house = new House(t.testdir.bind(t), LONG, {
    replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: false, contact: '' },
  });
  t.same((await house.query('evil.example')).ede, [{ code: 15, text: '' }]);
});

t.test('EDE text: `identity: reason; ask owner`, empty for `unknown`', async (t) => {
  const house = new House(t.testdir.bind(t), LONG.replace(OWNER, 'team-a'));
  const udp = { transport: 'tcp' } as const;
  t.same((await house.query('evil.example', 'A', udp)).ede[0]!.text, 'alice: name not approved; ask team-a');
  t.same(
    (await house.query('evil.example', 'A', { ...udp, from: '192.0.2.1' })).ede[0]!.text,
    'namegate sees you as 192.0.2.1; no identity has it',
  );
});

t.test('a search-list miss is told as one', async (t) => {
  const text = policy({ alice: { allow: ['www.site.example'], more: ['search: [svc.cluster.local]'] } });
  const house = new House(t.testdir.bind(t), text);
  const reply = await house.query('www.site.example.svc.cluster.local', 'A', { transport: 'tcp' });
  t.equal(reply.rcode, 3);
  t.match(reply.ede[0]!.text, /^alice: search-list miss/);
});

/** "Every negative answer of ours has AA and one SOA: its owner is the closest ancestor of the question in this view, else the root (on NXDOMAIN never the question itself); MNAME and RNAME `.`; TTL = MINIMUM = 30." */
t.test('the SOA of our own negative answers, octet by octet', async (t) => {
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.site.example'] } }));
  const reply = await house.query('x.SITE.example', 'A', { edns: false });
  const question = questionOf(reply.octets);
  const soa = reply.octets.subarray(12 + question.length);
  t.equal(reply.octets.readUInt16BE(8), 1, 'one record in the authority section');
  t.equal(
    soa.toString('hex'),
    // A pointer to `SITE.example` in the question (12 + 2), SOA, IN, TTL 30, 22 octets: `.`, `.`, SERIAL 1 … MINIMUM 30.
    'c00e' +
      '0006' +
      '0001' +
      '0000001e' +
      '0016' +
      '00' +
      '00' +
      '0000000100000e100000025800015180' +
      '0000001e',
  );
  t.equal(NEGATIVE_TTL, 30);
});

t.test('the SOA’s owner is the closest ancestor in this view', async (t) => {
  const text = policy(
    {
      alice: {
        allow: ['a.b.c.example', '*.star.example', '**.glob.example', 'n{1..3}.fam.example', 'x.rec.example'],
      },
      bob: { allow: ['b.c.example'] },
    },
    { records: ['{ name: x.rec.example, type: A, data: 192.0.2.1 }'] },
  );
  const house = new House(t.testdir.bind(t), text);
  const cases: [string, string, string, number][] = [
    // question, SOA owner for alice, for bob, RCODE for alice
    ['z.example', 'example', 'example', 3],
    ['z.c.example', 'c.example', 'c.example', 3],
    ['b.c.example', 'b.c.example', '', 0],
    ['z.b.c.example', 'b.c.example', 'b.c.example', 3],
    ['q.z.b.c.example', 'b.c.example', 'b.c.example', 3],
    ['q.w.star.example', 'w.star.example', 'example', 3],
    ['p.q.w.star.example', 'w.star.example', 'example', 3],
    ['n4.fam.example', 'fam.example', 'example', 3],
    ['z.n2.fam.example', 'n2.fam.example', 'example', 3],
    ['z.x.rec.example', 'x.rec.example', 'example', 3],
    ['net', '.', '.', 3],
    ['a.b.net', '.', '.', 3],
  ];
  for (const [name, alice, bob, rcode] of cases) {
    const mine = await house.query(name, 'MX');
    t.same([mine.rcode, mine.authority], [rcode, [`${alice} 30 SOA minimum 30`]], name);
    if (bob === '') continue;
    const other = await house.query(name, 'MX', { from: '127.0.0.2' });
    t.same([other.rcode, other.authority], [3, [`${bob} 30 SOA minimum 30`]], `${name} for bob`);
  }
});

t.test('on NXDOMAIN never the question itself: dnsmasq then answers NOERROR the second time', async (t) => {
  const house = new House(t.testdir.bind(t), policy({ alice: { allow: ['www.site.example'] } }));
  for (const name of [
    'evil.example',
    'evil',
    'use-application-dns.net',
    'x.use-application-dns.net',
    'a.www.site.example',
  ]) {
    const reply = await house.query(name);
    t.equal(reply.rcode, 3);
    t.not(reply.authority[0]?.split(' ')[0], name);
  }
});

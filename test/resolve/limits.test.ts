import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House, queryOctets } from './house.ts';
import { policy } from './policy.ts';
import { soa } from './records.ts';

/** Limits per identity and in total, and of `unknown`. */

const POLICY = policy(
  {
    alice: { allow: ['**.site.example'] },
    bob: { allow: ['**.site.example'] },
    carol: { allow: ['**.site.example'], more: ['limits: { in_flight: 2 }'] },
  },
  { records: ['{ name: local.site.example, type: A, data: 192.0.2.1 }'] },
);
const SMALL = { limits: { inFlight: 16, tcpClients: 10, unknownQps: 20 } };
const BOB = { from: '127.0.0.2' };
const CAROL = { from: '127.0.0.3' };
const SHARE = 'over its share of questions in flight';

t.test('queries a second: SERVFAIL with a text, and nothing goes out', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.identityAllowed = false;
  for (const name of ['a.site.example', 'local.site.example', 'evil.example', 'localhost']) {
    const reply = await house.query(name, 'A', { transport: 'tcp' });
    t.same(
      [reply.rcode, reply.ede],
      [2, [{ code: 0, text: 'alice: over its queries a second; ask team-a' }]],
    );
  }
  t.same(house.exits, ['limited', 'limited', 'limited', 'limited']);
  t.same(house.asked, []);
});

t.test('a query that waited is not charged again', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const pending = house.query('a.site.example');
  house.identityAllowed = false;
  house.settleAll({ answer: ['a.site.example 60 A 192.0.2.1'] });
  t.equal((await pending).rcode, 0);
});

t.test(
  'in flight: an eighth of the total by default; over it SERVFAIL with a text, and nobody else waits',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY, SMALL);
    const waiting = [house.query('a.site.example'), house.query('b.site.example')];
    const over = await house.query('c.site.example', 'A', { transport: 'tcp' });
    t.same([over.rcode, over.ede], [2, [{ code: 0, text: `alice: ${SHARE}; ask team-a` }]]);
    t.equal(house.exits.at(-1), 'limited');
    waiting.push(house.query('c.site.example', 'A', BOB));
    t.same(house.questions, ['a.site.example A', 'b.site.example A', 'c.site.example A']);
    t.equal((await house.query('local.site.example')).rcode, 0, 'what needs nobody is answered');
    t.equal((await house.query('evil.example')).rcode, 3);
    house.settleAll({ authority: [soa('.')] });
    for (const reply of await Promise.all(waiting)) t.equal(reply.rcode, 0);
    t.equal(house.resolver.waiting, 0);
    void house.query('d.site.example');
    t.equal(house.asked.length, 4, 'and then it may again');
  },
);

t.test('its own `in_flight` counts where it is written', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const waiting = [house.query('a.site.example', 'A', CAROL), house.query('b.site.example', 'A', CAROL)];
  t.equal((await house.query('c.site.example', 'A', CAROL)).rcode, 2);
  t.equal(house.resolver.waiting, 2);
  house.settleAll({ failure: 'silent' });
  await Promise.all(waiting);
});

t.test('who joins a question under way waits as well, and counts', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const waiting = [1, 2].map(() => house.query('a.site.example', 'A', CAROL));
  t.equal((await house.query('a.site.example', 'A', CAROL)).rcode, 2);
  t.equal(house.asked.length, 1);
  house.settleAll({ authority: [soa('.')] });
  await Promise.all(waiting);
});

t.test('the total: beyond it SERVFAIL, whoever asks', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY.replace('in_flight: 2', 'in_flight: 100'), {
    limits: { inFlight: 8, tcpClients: 10, unknownQps: 20 },
  });
  const waiting = Array.from({ length: 8 }, (_, i) => house.query(`n${i}.site.example`, 'A', CAROL));
  t.equal((await house.query('a.site.example')).rcode, 2);
  t.equal((await house.query('x.site.example', 'A', CAROL)).rcode, 2);
  t.equal(house.resolver.waiting, 8);
  house.settleAll({ failure: 'silent' });
  await Promise.all(waiting);
  t.equal(house.resolver.waiting, 0);
});

t.test('a share of less than one is one', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    limits: { inFlight: 4, tcpClients: 10, unknownQps: 20 },
  });
  const pending = house.query('a.site.example');
  t.equal((await house.query('b.site.example')).rcode, 2);
  house.settleAll({ failure: 'silent' });
  await pending;
});

t.test('a share is of questions: a hit needs none', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('a.site.example', 'A', CAROL, { answer: ['a.site.example 60 A 192.0.2.1'] });
  const waiting = [house.query('b.site.example', 'A', CAROL), house.query('c.site.example', 'A', CAROL)];
  t.equal((await house.query('a.site.example', 'A', CAROL)).answer.length, 1);
  house.settleAll({ failure: 'silent' });
  await Promise.all(waiting);
});

t.test('a reload keeps count: what is in flight stays charged to its identity', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const waiting = [house.query('a.site.example', 'A', CAROL), house.query('b.site.example', 'A', CAROL)];
  house.reload(POLICY);
  t.equal((await house.query('c.site.example', 'A', CAROL)).rcode, 2);
  house.settleAll({ failure: 'silent' });
  await Promise.all(waiting);
  void house.query('c.site.example', 'A', CAROL);
  t.equal(house.asked.length, 3);
});

t.test('an identity that leaves and comes back starts anew, and counts never go wrong', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const waiting = [house.query('a.site.example', 'A', CAROL), house.query('b.site.example', 'A', CAROL)];
  house.reload(policy({ alice: { allow: ['**.site.example'] } }));
  house.reload(POLICY);
  house.settleAll({ authority: [soa('.')] });
  t.same(
    (await Promise.all(waiting)).map(({ rcode }) => rcode),
    [0, 0],
  );
  t.equal(house.resolver.waiting, 0);
  const again = [house.query('c.site.example', 'A', CAROL), house.query('d.site.example', 'A', CAROL)];
  t.equal((await house.query('e.site.example', 'A', CAROL)).rcode, 2);
  house.settleAll({ failure: 'silent' });
  await Promise.all(again);
});

t.test('`unknown` over its rate on UDP: TC, so that it comes back on TCP, or nothing', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const unknown = { from: '192.0.2.9' };
  house.unknownVerdict = 1;
  for (const options of [{}, { edns: false }]) {
    const reply = await house.query('a.site.example', 'A', { ...unknown, ...options });
    t.same([reply.rcode, reply.flags & FLAG.TC, reply.answer, reply.authority], [0, FLAG.TC, [], []]);
    t.ok(reply.octets.length <= queryOctets('a.site.example', 'A', options).length);
  }
  const garbage = await house.send(Buffer.alloc(30, 1), unknown);
  t.ok(garbage.flags & FLAG.TC);
  t.equal(garbage.octets.length, 12);
  house.unknownVerdict = 2;
  t.equal((await house.query('a.site.example', 'A', unknown)).rcode, -1);
  t.same(house.exits, ['limited', 'limited', 'limited', 'drop']);
  t.equal(
    (await house.query('a.site.example', 'A', { ...unknown, transport: 'tcp' })).rcode,
    3,
    'TCP is not limited so',
  );
  t.equal((await house.query('local.site.example')).rcode, 0, 'nor is an identity');
});

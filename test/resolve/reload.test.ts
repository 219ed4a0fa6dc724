import t from 'tap';
import { House } from './house.ts';
import { exception, policy, rule } from './policy.ts';
import { wireName } from './records.ts';

/** "In-flight queries finish on the snapshot they began with, but the answer is given only if the new one still approves it." */

const APPROVED = policy({ alice: { allow: ['www.example'] } });
const DENIED = policy({ alice: { allow: ['else.example'] } });
const A = { answer: ['www.example 60 A 192.0.2.1'] };

t.test('the answer is given if the new policy still approves it', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(policy({ alice: { allow: ['*.other.example', 'www.example'] } }));
  house.settleAll(A);
  t.same((await pending).answer, A.answer);
  t.equal(house.asked.length, 1);
});

t.test('and only then', async (t) => {
  for (const script of [A, { failure: 'silent' as const }]) {
    for (const transport of ['udp', 'tcp'] as const) {
      const house = new House(t.testdir.bind(t), APPROVED);
      const pending = house.query('www.example', 'A', { transport });
      house.reload(DENIED);
      house.settleAll(script);
      const reply = await pending;
      t.same([reply.rcode, reply.answer, reply.ede[0]?.code], [3, [], 15]);
      t.same(house.exits, ['deny']);
      t.equal(house.resolver.waiting, 0);
    }
  }
});

t.test('what came is kept for who may have it', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(DENIED);
  house.settleAll(A);
  await pending;
  house.reload(APPROVED);
  t.same((await house.query('www.example')).answer, A.answer);
  t.equal(house.asked.length, 1);
});

t.test('the type is no longer approved', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(policy({ alice: { allow: [rule('www.example', 'types: [AAAA]')] } }));
  house.settleAll(A);
  const reply = await pending;
  t.same([reply.rcode, reply.answer], [0, []]);
});

t.test('the identity is gone, or the address is another’s', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = [house.query('www.example'), house.query('www.example', 'A', { transport: 'tcp' })];
  house.reload(policy({ bob: { from: ['127.0.0.9'], allow: ['www.example'] } }));
  house.settleAll(A);
  for (const reply of await Promise.all(pending)) {
    t.equal(reply.rcode, 3);
    t.match(reply.ede, [{ code: 15, text: /^namegate sees you as 127\.0\.0\.1; no identi/ }]);
  }
});

t.test('address grants and TTL caps are those of the new policy', async (t) => {
  const house = new House(
    t.testdir.bind(t),
    policy({ alice: { allow: [rule('www.example', 'private: true')] } }),
  );
  const pending = house.query('www.example');
  house.reload(APPROVED);
  house.settleAll({ answer: ['www.example 60 A 10.0.0.1'] });
  t.same((await pending).answer, []);
  const again = house.query('www.example', 'AAAA');
  house.reload(policy({ alice: { exceptions: [exception('www.example', '2026-12-01T00:00:00Z')] } }));
  house.settleAll({ answer: ['www.example 60 AAAA 2001:db8::1'] });
  t.same((await again).answer, ['www.example 30 AAAA 2001:db8::1']);
});

t.test('the name has become local: its record is given, and not what came', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(
    policy(
      { alice: { allow: ['www.example'] } },
      { records: ['{ name: www.example, type: A, data: 192.0.2.99 }'] },
    ),
  );
  house.settleAll(A);
  t.same((await pending).answer, ['www.example 60 A 192.0.2.99']);
});

t.test('the name has become a redirect: its target is asked for', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example', 'A', { id: 77 });
  house.reload(
    policy(
      { alice: { allow: ['www.example'] } },
      { redirects: ['{ name: www.example, to: mirror.example }'] },
    ),
  );
  house.settleAll(A);
  t.same(house.questions, ['www.example A', 'mirror.example A']);
  house.settleAll({ answer: ['mirror.example 60 A 192.0.2.5'] });
  const reply = await pending;
  t.same(reply.answer, ['www.example 300 CNAME mirror.example', 'mirror.example 60 A 192.0.2.5']);
  t.equal(reply.octets.readUInt16BE(0), 77);
  t.equal(house.resolver.waiting, 0);
});

t.test('the group has changed: the new one is asked, and the old one’s answer is not given', async (t) => {
  const corp = { name: 'corp', servers: 'system' as const, zones: [wireName('www.example')] };
  const all = { name: 'default', servers: 'system' as const, zones: [] };
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(APPROVED, { groups: [all, corp] });
  house.settleAll(A);
  t.same(
    house.asked.map(({ group }) => group),
    [0, 1],
  );
  house.settleAll({ answer: ['www.example 60 A 192.0.2.2'] });
  t.same((await pending).answer, ['www.example 60 A 192.0.2.2']);
});

t.test('a query waits three times at most: reloads that go on and on end it with SERVFAIL', async (t) => {
  const all = { name: 'default', servers: 'system' as const, zones: [] };
  const corp = { name: 'corp', servers: 'system' as const, zones: [wireName('www.example')] };
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  for (let i = 0; i < 3; i++) {
    // Each time in another group, so that nothing that came may answer it from the cache.
    const others = Array.from({ length: i }, (_, n) => ({ ...all, name: `g${n}` }));
    house.reload(APPROVED, { groups: [all, ...others, corp] });
    house.settleAll({ answer: ['www.example 0 A 192.0.2.1'] });
  }
  const reply = await pending;
  t.equal(reply.rcode, 2);
  t.equal(house.asked.length, 3);
  t.same([house.resolver.waiting, house.bugs], [0, []]);
});

t.test('`share` has changed while a question is out', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const pending = house.query('www.example');
  house.reload(APPROVED, { cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'identity' } });
  house.settleAll(A);
  t.equal(house.asked.length, 2, 'the identity’s own entry is another one');
  house.settleAll({ answer: ['www.example 60 A 192.0.2.2'] });
  t.same((await pending).answer, ['www.example 60 A 192.0.2.2']);
});

t.test('a rule that ends while a question is out stops approving at that second', async (t) => {
  const text = policy({
    alice: { allow: [rule('www.example', 'until: 2026-11-20T00:00:02Z')] },
    bob: { allow: ['www.example'] },
  });
  const house = new House(t.testdir.bind(t), text);
  const pending = [house.query('www.example'), house.query('www.example', 'A', { from: '127.0.0.2' })];
  house.pass(2);
  house.settleAll(A);
  const [alice, bob] = await Promise.all(pending);
  t.same([alice?.rcode, alice?.answer], [3, []]);
  t.same(bob?.answer, A.answer, 'who joined it and is still approved has it');
});

t.test('stale data for a query that waited is judged by the new policy', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  await house.ask('www.example', 'A', {}, A);
  house.pass(61);
  const pending = house.query('www.example');
  house.reload(DENIED);
  house.open[0]!.listener.slow();
  t.equal((await pending).rcode, 3);
  house.settleAll(A);
});

t.test('a policy that approves late: who was denied asks again and has it', async (t) => {
  const house = new House(t.testdir.bind(t), DENIED);
  t.equal((await house.query('www.example')).rcode, 3);
  house.reload(APPROVED);
  t.same((await house.ask('www.example', 'A', {}, A)).answer, A.answer);
});

t.test('texts and limits follow a reload: the owner is another one', async (t) => {
  const house = new House(t.testdir.bind(t), APPROVED);
  const text = async () => (await house.query('evil.example', 'A', { transport: 'tcp' })).ede[0]?.text;
  t.equal(await text(), 'alice: name not approved; ask team-a');
  house.reload(APPROVED.replace('owner: team-a', 'owner: team-b'));
  t.equal(await text(), 'alice: name not approved; ask team-b');
});

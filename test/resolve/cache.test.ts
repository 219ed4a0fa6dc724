import t from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { soa, wireName } from './records.ts';

/** "The cache is shared, the verdict is not. Key: upstream group, lowercase wire name, type, CD; never the view." */

const POLICY = policy({
  alice: { allow: [rule('www.example', 'types: [A, AAAA, TXT]'), 'host.corp.example'] },
  bob: { allow: [rule('www.example', 'types: [A, TXT]')] },
});
const A = { answer: ['www.example 300 A 192.0.2.1'] };
const BOB = { from: '127.0.0.2' };

t.test('one entry for all who may have it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, A);
  t.same((await house.query('www.example', 'A', BOB)).answer, A.answer);
  t.same(house.exits, ['forwarded', 'hit']);
  t.equal(house.store.size, 1);
});

t.test('lowercase wire name: case does not matter, octets do', async (t) => {
  const other = ['a\\.b.site.example', 'a\\000b.site.example', '\\228.site.example', '\\196.site.example'];
  const text = policy({
    alice: { allow: ['**.site.example', ...other.map((name) => name.replaceAll('\\', '\\\\'))] },
  });
  const house = new House(t.testdir.bind(t), text);
  for (const name of ['a.b.site.example', 'A.B.Site.EXAMPLE'])
    await house.ask(name, 'A', {}, { answer: ['a.b.site.example 60 A 192.0.2.1'] });
  t.same(house.questions, ['a.b.site.example A']);
  for (const name of other) await house.ask(name, 'A', {}, { answer: [`${name} 60 A 192.0.2.1`] });
  t.equal(house.asked.length, 5, 'each of these is another name');
});

t.test('type', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const type of ['A', 'TXT', 'AAAA'])
    await house.ask('www.example', type, {}, { authority: [soa('example')] });
  t.same(house.questions, ['www.example A', 'www.example TXT', 'www.example AAAA']);
});

t.test('CD', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, A);
  await house.ask('www.example', 'A', { cd: true }, { answer: ['www.example 300 A 192.0.2.66'] });
  t.same(house.questions, ['www.example A', 'www.example A CD']);
  t.same((await house.query('www.example')).answer, A.answer, 'what was not checked reaches nobody else');
});

t.test(
  'upstream group: the longest zone wins, and an entry of one group is not one of another',
  async (t) => {
    const groups = [
      { name: 'default', servers: 'system' as const, zones: [] },
      { name: 'corp', servers: 'system' as const, zones: [wireName('corp.example')] },
      { name: 'host', servers: 'system' as const, zones: [wireName('host.corp.example')] },
    ];
    const house = new House(t.testdir.bind(t), POLICY, { groups: groups.slice(0, 2) });
    const ask = (last: string) =>
      house.ask('host.corp.example', 'A', {}, { answer: [`host.corp.example 300 A 192.0.2.${last}`] });
    await ask('1');
    t.same((await ask('9')).answer, ['host.corp.example 300 A 192.0.2.1']);
    house.reload(POLICY, { groups });
    t.same(
      (await ask('2')).answer,
      ['host.corp.example 300 A 192.0.2.2'],
      'the name has moved to another group',
    );
    t.same(
      house.asked.map(({ group }) => group),
      [1, 2],
    );
  },
);

t.test('`cache: { share: identity }` gives each identity its own', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'identity' },
  });
  await house.ask('www.example', 'A', {}, A);
  await house.ask('www.example', 'A', BOB, { answer: ['www.example 300 A 192.0.2.2'] });
  t.equal(house.asked.length, 2);
  t.same((await house.query('www.example', 'A')).answer, A.answer);
  t.same((await house.query('www.example', 'A', BOB)).answer, ['www.example 300 A 192.0.2.2']);
  house.reload(POLICY);
  t.same((await house.query('www.example', 'A')).answer, A.answer, 'a reload flushes nothing');
  t.equal(house.asked.length, 2);
});

t.test('identical questions in flight become one', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const replies = [{}, BOB, { do: true }, { transport: 'tcp' as const }].map((options, id) =>
    house.query('www.EXAMPLE', 'A', { ...options, id: 100 + id }),
  );
  t.equal(house.asked.length, 1);
  house.settleAll(A);
  for (const [i, reply] of (await Promise.all(replies)).entries()) {
    t.same([reply.answer, reply.octets.readUInt16BE(0)], [A.answer, 100 + i]);
    t.equal(reply.octets.toString('latin1', 13, 24), 'www\x07EXAMPLE');
  }
  t.equal(house.resolver.waiting, 0);
});

t.test('with identities apart, identical questions in flight stay apart', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'identity' },
  });
  const replies = [house.query('www.example'), house.query('www.example', 'A', BOB)];
  t.equal(house.asked.length, 2);
  house.settleAll(A);
  await Promise.all(replies);
});

t.test('an entry holds both forms, with and without DNSSEC records', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const script = { answer: [...A.answer, 'www.example 300 RRSIG A 2 example'] };
  t.same((await house.ask('www.example', 'A', {}, script)).answer, A.answer);
  t.same((await house.query('www.example', 'A', { do: true })).answer, [
    ...A.answer,
    'www.example 300 RRSIG A',
  ]);
  t.same((await house.query('www.example', 'A', {})).answer, A.answer);
  t.same((await house.query('www.example', 'A', { cd: false, ad: true })).answer, A.answer);
  t.equal(house.asked.length, 1);
});

t.test('…of negative answers too', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const authority = [soa('example'), 'example 60 RRSIG SOA 1 example', 'example 60 NSEC www.example'];
  await house.ask('www.example', 'A', {}, { rcode: 3, authority });
  t.same((await house.query('www.example')).authority, ['example 60 SOA minimum 60']);
  t.same((await house.query('www.example', 'A', { do: true })).authority, [
    'example 60 SOA minimum 60',
    'example 60 RRSIG SOA',
    'example 60 NSEC www.example',
  ]);
  t.equal(house.asked.length, 1);
});

t.test('what depends on the asker’s rule is applied to each reply, also to a hit', async (t) => {
  const text = policy({
    alice: { allow: ['www.example'] },
    bob: { allow: [rule('www.example', 'until: 2026-11-20T00:01:40Z')] },
  });
  const house = new House(t.testdir.bind(t), text);
  t.same((await house.ask('www.example', 'A', {}, A)).answer, ['www.example 300 A 192.0.2.1']);
  t.same((await house.query('www.example', 'A', BOB)).answer, ['www.example 100 A 192.0.2.1'], 'TTL clamp');
  house.pass(100);
  t.same((await house.query('www.example', 'A', {})).answer, ['www.example 200 A 192.0.2.1']);
  t.equal((await house.query('www.example', 'A', BOB)).rcode, 3, 'the rule has ended');
  t.equal(house.asked.length, 1);
});

t.test('every hit is decided by the present view, so a reload flushes nothing', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', BOB, A);
  house.reload(policy({ alice: { allow: ['www.example'] }, bob: { allow: ['else.example'] } }));
  t.equal((await house.query('www.example', 'A', BOB)).rcode, 3);
  t.same((await house.query('www.example', 'A', {})).answer, A.answer);
  house.reload(POLICY);
  t.same((await house.query('www.example', 'A', BOB)).answer, A.answer);
  t.equal(house.asked.length, 1);
});

t.test(
  'upstream questions carry the lower-case name, the type and CD, and nothing of who asks',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    void house.query('WWW.Example', 'A', {
      do: true,
      ad: true,
      options: Buffer.from([0, 8, 0, 4, 0, 1, 24, 0]),
    });
    const { listener, text, ...question } = house.asked[0]!;
    t.ok(listener);
    t.equal(text, 'www.example A');
    t.same(question, { group: 0, name: wireName('www.example'), type: 1, checkingDisabled: false });
  },
);

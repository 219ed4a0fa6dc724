import t, { type Test } from 'tap';
import { House } from './house.ts';
import { policy } from './policy.ts';
import { soa } from './records.ts';

/**
 * "approved, but every upstream failed: stale data if there is any (RFC 8767: 1.8 s of silence counts as a
 * failure; TTL 30, EDE 3 or 19), else SERVFAIL with EDE 22 or 23, and 13 while a failure is cached; never NXDOMAIN, never an
 * upstream's REFUSED."
 */

const POLICY = policy({ alice: { allow: ['www.example', 'parent.example', 'child.parent.example'] } });
const A = { answer: ['www.example 60 A 192.0.2.1'] };
const STALE = ['www.example 30 A 192.0.2.1'];

/** A house whose answer for www.example has just run out. */
async function expired(t: Test, script: { answer?: string[]; rcode?: number; authority?: string[] } = A) {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, script);
  house.pass(60);
  return house;
}

t.test('SERVFAIL with EDE 22 (silent, refused) or 23 (network)', async (t) => {
  for (const [failure, code, text] of [
    ['silent', 22, 'no server answered in time'],
    ['refused', 22, 'no server gave an answer that can be used'],
    ['network', 23, 'no server could be reached'],
  ] as const) {
    for (const transport of ['udp', 'tcp'] as const) {
      const house = new House(t.testdir.bind(t), POLICY);
      const reply = await house.ask('www.example', 'A', { transport }, { failure });
      t.same([reply.rcode, reply.ede, reply.answer, reply.authority], [2, [{ code, text }], [], []]);
      t.same(house.exits, ['servfail']);
    }
  }
});

t.test('an upstream’s own reason is passed on, and kept for who asks why', async (t) => {
  for (const [ede, told] of [
    [6, 6],
    [0, 0],
    [22, 22],
    [15, 22],
    [49_152, 22],
    [-1, 22],
  ] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const reply = house.query('www.example');
    const cause = { server: 'udp://192.0.2.1:53', detail: 'SERVFAIL', ede };
    house.open[0]!.listener.done({ kind: 'failure', reason: 'refused', cause });
    t.same((await reply).ede, [{ code: told, text: 'upstream udp://192.0.2.1:53: SERVFAIL' }], `EDE ${ede}`);
    t.match([...house.store.values()], [{ failure: { reason: 'refused', cause } }]);
  }
});

t.test('and 13 while a failure is cached: nobody is asked', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, { failure: 'network' });
  house.pass(0.999);
  const reply = await house.query('www.example');
  const ede = [
    { code: 23, text: 'no server could be reached' },
    { code: 13, text: 'that was a moment ago' },
  ];
  t.same([reply.rcode, reply.ede], [2, ede]);
  t.equal(house.asked.length, 1);
  t.equal((await house.query('www.example', 'A', { edns: false })).edns, false);
});

t.test('failures are cached 1 to 4 s, longer in a row (RFC 9520 §3.2)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const seconds of [1, 2, 4, 4, 4]) {
    const before = house.asked.length;
    t.equal((await house.ask('www.example', 'A', {}, { failure: 'silent' })).rcode, 2);
    house.pass(seconds - 0.001);
    t.equal((await house.query('www.example')).rcode, 2);
    t.equal(house.asked.length, before + 1, `${seconds} s`);
    house.pass(0.001);
  }
});

t.test('a name that failed is known as such for a minute more, and then no longer', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const asking = async (failure: boolean): Promise<boolean> => {
    const reply = house.query('www.example');
    const lately = house.open[0]!.listener.failedLately();
    if (failure) house.settle(house.open[0]!, { failure: 'refused' });
    else house.settle(house.open[0]!, A);
    await reply;
    return lately;
  };
  t.equal(await asking(true), false, 'the first time');
  house.pass(1);
  t.equal(await asking(true), true, 'when nobody was kept from asking any more');
  house.pass(2 + 59.999);
  t.equal(await asking(true), true);
  house.pass(4 + 60);
  t.equal(await asking(false), false);
  house.pass(60);
  t.equal(await asking(false), false, 'after an answer');
});

t.test('a good answer ends the row: the next failure is the first again', async (t) => {
  for (const ttl of [60, 0]) {
    const house = new House(t.testdir.bind(t), POLICY, {
      cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 0, share: 'all' },
    });
    for (const seconds of [1, 2, 4]) {
      await house.ask('www.example', 'A', {}, { failure: 'silent' });
      house.pass(seconds);
    }
    await house.ask('www.example', 'A', {}, { answer: [`www.example ${ttl} A 192.0.2.1`] });
    // A written-out name's answer is kept for five seconds at least.
    house.pass(Math.max(ttl, 5));
    await house.ask('www.example', 'A', {}, { failure: 'silent' });
    const before = house.asked.length;
    house.pass(1);
    void house.query('www.example');
    t.equal(house.asked.length, before + 1, `after an answer of TTL ${ttl}`);
  }
});

t.test('a failure is of one question: other types and CD are asked', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, { failure: 'silent' });
  void house.query('www.example', 'AAAA');
  void house.query('www.example', 'A', { cd: true });
  t.equal(house.asked.length, 3);
});

t.test('stale data only after failure: a question goes out first', async (t) => {
  const house = await expired(t);
  const pending = house.query('www.example');
  t.equal(house.asked.length, 2);
  house.settleAll({ answer: ['www.example 60 A 192.0.2.2'] });
  const reply = await pending;
  t.same([reply.answer, reply.ede], [['www.example 60 A 192.0.2.2'], []]);
});

t.test('stale data: TTL 30, EDE 3', async (t) => {
  for (const failure of ['silent', 'network', 'refused'] as const) {
    const house = await expired(t);
    const reply = await house.ask('www.example', 'A', {}, { failure });
    t.same([reply.rcode, reply.answer, reply.ede], [0, STALE, [{ code: 3, text: '' }]]);
    const again = await house.query('www.example', 'A', { transport: 'tcp' });
    t.same([again.answer, again.ede], [STALE, [{ code: 3, text: '' }]], 'while the failure is cached');
    t.equal(house.asked.length, 2);
    t.same(house.exits.slice(-2), ['stale', 'stale']);
  }
});

t.test('a stale NXDOMAIN: EDE 19', async (t) => {
  const house = await expired(t, { rcode: 3, authority: [soa('example')] });
  const reply = await house.ask('www.example', 'A', {}, { failure: 'silent' });
  t.same(
    [reply.rcode, reply.ede, reply.authority],
    [3, [{ code: 19, text: '' }], ['example 30 SOA minimum 60']],
  );
});

t.test('a stale NXDOMAIN that is given as no data: EDE 3, since it is none', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('parent.example', 'A', {}, { rcode: 3, authority: [soa('example')] });
  house.pass(61);
  const reply = await house.ask('parent.example', 'A', {}, { failure: 'silent' });
  t.same([reply.rcode, reply.ede], [0, [{ code: 3, text: '' }]]);
});

t.test(
  '1.8 s of silence counts as a failure: who waits gets stale data, and so does who comes then',
  async (t) => {
    const house = await expired(t);
    const first = house.query('www.example');
    const second = house.query('www.example', 'A', { transport: 'tcp' });
    const [asked] = house.open;
    asked!.listener.slow();
    for (const reply of await Promise.all([first, second]))
      t.same([reply.answer, reply.ede[0]?.code], [STALE, 3]);
    const third = await house.query('www.example');
    t.same([third.answer, third.ede[0]?.code], [STALE, 3]);
    t.equal(house.asked.length, 2);
    house.settle(asked!, { answer: ['www.example 60 A 192.0.2.9'] });
    t.same(
      (await house.query('www.example')).answer,
      ['www.example 60 A 192.0.2.9'],
      'the late answer is kept',
    );
  },
);

t.test('silence without stale data: who waits, waits on', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const pending = house.query('www.example');
  house.open[0]!.listener.slow();
  const joined = house.query('www.example');
  t.equal(house.resolver.waiting, 2);
  house.settleAll(A);
  t.same([(await pending).answer, (await joined).answer], [A.answer, A.answer]);
});

t.test('not beyond `serve_stale`', async (t) => {
  const house = await expired(t);
  house.pass(3599.999);
  const last = house.query('www.example');
  house.settleAll({ failure: 'silent' });
  t.same((await last).answer, STALE);
  house.pass(1);
  const reply = await house.ask('www.example', 'A', {}, { failure: 'silent' });
  t.same([reply.rcode, reply.answer], [2, []]);
});

t.test('`serve_stale: 0` gives none', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 0, share: 'all' },
  });
  await house.ask('www.example', 'A', {}, A);
  house.pass(60);
  t.equal((await house.ask('www.example', 'A', {}, { failure: 'silent' })).rcode, 2);
});

t.test('not after the policy stops approving', async (t) => {
  const house = await expired(t);
  await house.ask('www.example', 'A', {}, { failure: 'silent' });
  house.reload(policy({ alice: { allow: ['else.example'] } }));
  t.equal((await house.query('www.example')).rcode, 3);
});

t.test('stale data is judged like fresh data, and TTL 30 within the rule’s end', async (t) => {
  const text = policy({
    alice: { allow: ['{ name: www.example, owner: o, reason: r, until: 2026-11-20T00:01:10Z }'] },
  });
  const house = new House(t.testdir.bind(t), text);
  await house.ask('www.example', 'A', {}, A);
  house.pass(60);
  const reply = await house.ask('www.example', 'A', {}, { failure: 'silent' });
  t.same([reply.answer, reply.ede[0]?.code], [['www.example 10 A 192.0.2.1'], 3]);
});

t.test('never NXDOMAIN, never an upstream’s REFUSED', async (t) => {
  for (const rcode of [1, 2, 4, 5, 9]) {
    const house = new House(t.testdir.bind(t), POLICY);
    // The upstream room takes these for failures; even if one came through, it would be unusable.
    for (const script of [{ rcode }, { rcode, ...A }, { rcode, authority: [soa('example')] }]) {
      const reply = await house.ask('www.example', 'A', {}, script);
      t.same([reply.rcode, reply.answer, reply.ede[0]?.code], [2, [], 22], `${rcode}`);
      house.pass(30);
    }
  }
});

t.test('an unusable reply is a failure, and stale data helps', async (t) => {
  const house = await expired(t);
  const reply = await house.ask('www.example', 'A', {}, { answer: ['www.example 60 CNAME www.example'] });
  t.same([reply.answer, reply.ede[0]?.code], [STALE, 3]);
});

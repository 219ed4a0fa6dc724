import t, { type Test } from 'tap';
import { House } from './house.ts';
import { entry, policy, rule } from './policy.ts';
import type { Script } from './records.ts';

/**
 * Renewal: "A renewed name is asked for again by namegate on its own schedule, whether or not a client asks. Its
 * answer, a failure included, lives max(its TTL, 60 s) in our cache, and is given with the TTL that is left, at most its own
 * and at least 1; nothing that a client does in that time causes a question upstream."
 */

const POLICY = policy(
  { alice: { allow: ['mirror', 'www.example'] }, bob: { allow: ['mirror'] } },
  { destinations: { mirror: [entry('m.example', 'types: [A]')], unused: ['never.example'] } },
);

function answer(ttl: number, last = 1): Script {
  return { answer: [`m.example ${ttl} A 192.0.2.${last}`] };
}

/** A house that renews m.example A and has asked for it at its second 0. */
function renewing(t: Test, script: Script = answer(5)) {
  const house = new House(t.testdir.bind(t), POLICY);
  house.renew('all');
  house.tick();
  for (const asked of house.open) {
    if (asked.text === 'm.example A') house.settle(asked, script);
    else house.settle(asked, { answer: [] });
  }
  house.asked.length = 0;
  return house;
}

/** Lets `seconds` pass, ticking 5 times a second as the server does; returns when questions went out, in seconds. */
function run(house: House, seconds: number, script: Script): number[] {
  const times: number[] = [];
  for (let i = 1; i <= seconds * 5; i++) {
    house.pass(0.2);
    house.tick();
    for (const asked of house.open) {
      if (asked.text === 'm.example A') times.push(Math.round(i) / 5);
      house.settle(asked, asked.text === 'm.example A' ? script : { answer: [] });
    }
  }
  return times;
}

t.test(
  'on its own schedule, whether or not a client asks: each 60 s for short TTLs, less the time to ask',
  async (t) => {
    const house = renewing(t);
    t.same(run(house, 180, answer(5)), [56, 112, 168]);
  },
);

t.test('a longer TTL is its own schedule', async (t) => {
  const house = renewing(t, answer(100));
  t.same(run(house, 300, answer(100)), [96, 192, 288]);
});

t.test('the TTL that is left, at most its own and at least 1', async (t) => {
  const short = renewing(t, answer(5));
  const long = renewing(t, answer(100));
  for (const [seconds, shortTtl, longTtl] of [
    [0, 5, 100],
    [1, 5, 99],
    [54, 5, 45],
    [3, 2, 42],
    [1, 1, 41],
    [0.9, 1, 40],
    [0.1, 1, 40],
    [5, 1, 35],
  ] as const) {
    short.pass(seconds);
    long.pass(seconds);
    t.same((await short.query('m.example')).answer, [`m.example ${shortTtl} A 192.0.2.1`]);
    t.same((await long.query('m.example')).answer, [`m.example ${longTtl} A 192.0.2.1`]);
  }
  t.same([short.asked, long.asked], [[], []]);
});

t.test('nothing that a client does in that time causes a question upstream', async (t) => {
  const house = renewing(t, answer(0));
  const identities = ['127.0.0.1', '127.0.0.2'];
  for (let second = 0; second < 60; second++) {
    for (const from of identities) {
      for (const options of [
        {},
        { cd: true },
        { do: true },
        { cd: true, do: true },
        { transport: 'tcp' as const },
      ]) {
        const reply = await house.query('M.example', 'A', { from, ...options });
        t.equal(reply.rcode, 0);
      }
    }
    house.pass(1);
  }
  t.same(house.asked, []);
});

t.test('…with identities apart too: a renewed answer is one for all', async (t) => {
  const house = renewing(t);
  house.reload(POLICY, { cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'identity' } });
  house.renew('all');
  for (const from of ['127.0.0.1', '127.0.0.2'])
    t.equal((await house.query('m.example', 'A', { from })).answer.length, 1);
  t.same(house.asked, []);
});

t.test('an answer is given unmarked while its renewal is under way and slow', async (t) => {
  const house = renewing(t, answer(300));
  house.pass(297);
  house.tick();
  const [asked] = house.open;
  t.equal(asked?.text, 'm.example A');
  asked!.listener.slow();
  const reply = await house.query('m.example');
  t.same([reply.answer, reply.ede], [['m.example 3 A 192.0.2.1'], []]);
});

t.test('a failure lives 60 s: SERVFAIL, and nobody is asked', async (t) => {
  const house = renewing(t, { failure: 'network' });
  for (let second = 0; second < 60; second++) {
    const reply = await house.query('m.example', 'A', { cd: second % 2 === 0 });
    t.same([reply.rcode, reply.ede.map(({ code }) => code)], [2, [23, 13]]);
    house.pass(1);
  }
  t.same(house.asked, []);
});

t.test('a failure while the last answer is fresh: that is given as it is; then stale data', async (t) => {
  const house = renewing(t, answer(300));
  house.pass(296);
  house.tick();
  house.settleAll({ failure: 'silent' });
  house.asked.length = 0;
  const fresh = await house.query('m.example');
  t.same([fresh.answer, fresh.ede], [['m.example 4 A 192.0.2.1'], []]);
  house.pass(4);
  const stale = await house.query('m.example');
  t.same([stale.answer, stale.ede[0]?.code], [['m.example 30 A 192.0.2.1'], 3]);
  house.pass(55);
  t.equal((await house.query('m.example')).ede[0]?.code, 3);
  t.same(house.asked, []);
});

t.test('a late renewal does not let clients ask', async (t) => {
  for (const script of [answer(5), { failure: 'network' } as const]) {
    const house = renewing(t, script);
    house.pass(65);
    void house.query('m.example');
    t.same(house.asked, [], 'the schedule is 5 s behind');
  }
});

t.test('a client that asks before the first answer waits for it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.renew(['mirror']);
  house.tick();
  const pending = house.query('m.example');
  t.same(house.questions, ['m.example A']);
  house.settleAll(answer(5));
  t.same((await pending).answer, ['m.example 5 A 192.0.2.1']);
});

t.test('a client’s question under way becomes the renewal', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const pending = house.query('m.example');
  house.renew(['mirror']);
  house.tick();
  t.same(house.questions, ['m.example A']);
  house.settleAll(answer(5));
  await pending;
  house.pass(30);
  t.same((await house.query('m.example')).answer, ['m.example 5 A 192.0.2.1'], 'it lives 60 s');
});

t.test('the filters of the asker hold for renewed answers', async (t) => {
  const house = renewing(t, { answer: ['m.example 60 A 10.0.0.1'] });
  t.equal((await house.query('m.example')).ede[0]?.code, 15);
  t.equal((await house.query('m.example', 'A', { from: '192.0.2.1' })).rcode, 3);
});

t.test('let go at a reload that no longer names it; the rest goes on in its own time', async (t) => {
  const house = renewing(t, answer(5));
  house.pass(30);
  house.reload(POLICY);
  house.renew('all');
  house.tick();
  t.same(house.asked, [], 'a reload asks nothing anew');
  house.reload(policy({ alice: { allow: ['m.example'] } }));
  house.renew([]);
  t.equal(house.renewals.count, 0);
  house.pass(60);
  house.tick();
  t.same(house.asked, []);
  void house.query('m.example');
  t.same(house.questions, ['m.example A'], 'an ordinary name again');
});

t.test('let go while its question is under way: what comes is not renewed', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.renew(['mirror']);
  house.tick();
  house.renew([]);
  house.settleAll(answer(5));
  house.pass(6);
  void house.query('m.example');
  t.equal(house.asked.length, 2);
});

t.test('a renewed name whose rule has ended is asked for no more: nobody is approved to know', async (t) => {
  const text = policy({
    alice: { allow: [rule('m.example', 'types: [A, AAAA], until: 2026-11-20T00:01:30Z'), 'www.example'] },
    bob: { allow: [rule('m.example', 'types: [A], until: 2026-11-20T00:04:00Z')] },
  });
  const house = new House(t.testdir.bind(t), text);
  house.renew('all');
  const times: Record<string, number[]> = {};
  for (let second = 0; second < 400; second++) {
    house.tick();
    for (const asked of house.open) {
      times[asked.text] = [...(times[asked.text] ?? []), second];
      house.settle(asked, { answer: [] });
    }
    house.pass(1);
  }
  t.same(times['m.example AAAA'], [0, 56]);
  t.same(times['m.example A'], [0, 56, 112, 168, 224], 'a type goes on while any rule approves it');
  t.equal(times['www.example A']?.length, 8);
});

t.test(
  'only names that are written out, of identities’ rules in force, that are fetched: no local, no special one',
  async (t) => {
    const text = policy(
      {
        alice: {
          allow: ['mirror', '**.glob.example', 'localhost', rule('n{1..3}.fam.example', 'types: [A]')],
          more: ['stages: { fetch: { allow: [staged] } }'],
        },
      },
      {
        destinations: {
          mirror: ['m.example', 'local.example', 're.example'].map((name) => entry(name, 'types: [A]')),
          unused: ['never.example'],
          staged: ['staged.example'],
        },
        records: [
          '{ name: local.example, type: A, data: 192.0.2.1 }',
          '{ name: n2.fam.example, type: A, data: 192.0.2.1 }',
        ],
        redirects: ['{ name: re.example, to: m.example }'],
      },
    );
    const house = new House(t.testdir.bind(t), text);
    house.renew('all');
    house.tick();
    t.same(house.questions.toSorted(), ['m.example A', 'n1.fam.example A', 'n3.fam.example A']);
  },
);

t.test('a thousand names are not asked for at once', async (t) => {
  const house = new House(
    t.testdir.bind(t),
    policy({ alice: { allow: [rule('n{1..200}.example', 'types: [A]')] } }),
  );
  house.renew('all');
  const sizes: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = house.asked.length;
    house.tick();
    sizes.push(house.asked.length - before);
    house.pass(0.2);
  }
  t.same(sizes, [50, 50, 50, 50, 0]);
});

import t from 'tap';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';
import { exception, policy, rule } from './policy.ts';
import { soa } from './records.ts';

/** TTLs: bounds of what clients are given. The test's now is 2026-11-20T00:00:00Z. */

const POLICY = policy({
  alice: {
    allow: [
      'www.example',
      rule('ends.example', 'until: 2026-11-20T00:00:10Z'),
      rule('both.example', 'until: 2026-11-20T00:00:20Z'),
    ],
    exceptions: [
      exception('dyn.example', '2026-12-01T00:00:00Z'),
      exception('soon.example', '2026-11-20T00:00:05Z'),
    ],
  },
});

function ttls(texts: readonly string[]): number[] {
  return texts.map((text) => Number(text.split(' ')[1]));
}

async function given(house: House, name: string, ttl: number): Promise<number[]> {
  return ttls((await house.ask(name, 'A', {}, { answer: [`${name} ${ttl} A 192.0.2.1`] })).answer);
}

t.test('TTLs to clients are at most 300 s by default', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.same(await given(house, 'www.example', 86_400), [300]);
  house.pass(86_000);
  t.same(await given(house, 'www.example', 1), [300], 'kept for a day, given for 300 s at a time');
  house.pass(200);
  t.same(await given(house, 'www.example', 1), [200]);
  t.equal(house.asked.length, 1);
});

t.test('`replies.max_ttl` and `cache.max_ttl` bound what is given and what is kept', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY, {
    replies: { maxTtl: 60, dynamicMaxTtl: 5, edeText: true, contact: '' },
    cache: { size: 2 ** 20, maxTtl: 100, serveStale: 0, share: 'all' },
  });
  t.same(await given(house, 'www.example', 3600), [60]);
  t.same(await given(house, 'dyn.example', 3600), [5]);
  house.pass(100);
  t.same(await given(house, 'www.example', 7), [7], 'asked again');
});

t.test('at most 30 s for what a stage, lease or exception approves', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.same(await given(house, 'dyn.example', 300), [30]);
  t.same(await given(house, 'dyn.example', 1), [30], 'on a hit too');
});

t.test('a cap is for the asker: the entry has its own TTL', async (t) => {
  const text = policy({
    alice: { allow: ['www.example'] },
    bob: { exceptions: [exception('www.example', '2026-12-01T00:00:00Z')] },
  });
  const house = new House(t.testdir.bind(t), text);
  t.same(
    ttls(
      (
        await house.ask(
          'www.example',
          'A',
          { from: '127.0.0.2' },
          { answer: ['www.example 200 A 192.0.2.1'] },
        )
      ).answer,
    ),
    [30],
  );
  t.same(ttls((await house.query('www.example')).answer), [200]);
});

t.test('…and never outlive the rule', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.same(await given(house, 'ends.example', 300), [10]);
  t.same(await given(house, 'soon.example', 300), [5], 'an exception’s end is nearer than its cap');
  house.pass(9);
  t.same(await given(house, 'ends.example', 300), [1]);
  house.epoch += 0.5;
  t.same(await given(house, 'ends.example', 300), [0], 'half a second is none');
  house.epoch += 0.5;
  t.equal((await house.query('ends.example')).rcode, 3, 'at that second it stops approving');
});

t.test('of several rules the most specific decides; among equals the later expiry', async (t) => {
  const text = policy({
    alice: {
      allow: [rule('www.site.example', 'until: 2026-11-20T00:00:10Z'), '*.site.example'],
      exceptions: [exception('two.site.example', '2026-11-20T00:00:20Z')],
    },
  });
  const house = new House(t.testdir.bind(t), text);
  t.same(
    await given(house, 'www.site.example', 300),
    [10],
    'exact before the wildcard, although it ends sooner',
  );
  house.pass(10);
  t.same(await given(house, 'www.site.example', 300), [290], 'then the wildcard goes on');
});

t.test('TTLs count down, for each record by its own, and are never negative', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.example 100 CNAME b.net', 'b.net 60 A 192.0.2.1'];
  await house.ask('www.example', 'A', {}, { answer });
  for (const [seconds, left] of [
    [0.9, [100, 60]],
    [0.1, [99, 59]],
    [58, [41, 1]],
    [0.9, [41, 1]],
  ] as const) {
    house.pass(seconds);
    t.same(ttls((await house.query('www.example')).answer), left);
  }
  house.pass(0.1);
  void house.query('www.example');
  t.equal(house.asked.length, 2, 'the least TTL has run out');
});

t.test('negative answers live by their SOA: the least of its TTL, its MINIMUM and 300 s', async (t) => {
  const cases: [number, number, number][] = [
    [60, 3600, 60],
    [3600, 60, 60],
    [3600, 3600, 300],
    [0, 60, 0],
  ];
  for (const rcode of [0, 3]) {
    for (const [ttl, minimum, life] of cases) {
      const house = new House(t.testdir.bind(t), POLICY);
      const reply = await house.ask(
        'www.example',
        'A',
        {},
        { rcode, authority: [soa('example', ttl, minimum)] },
      );
      t.same(ttls(reply.authority), [life], `${ttl} ${minimum}`);
      if (life > 0) {
        house.pass(life - 0.001);
        t.same(ttls((await house.query('www.example')).authority), [1]);
        house.pass(0.001);
      } else house.pass(5);
      void house.query('www.example');
      t.equal(house.asked.length, 2);
    }
  }
});

t.test('a SOA that was asked for is data: it lives by its TTL alone', async (t) => {
  const house = new House(
    t.testdir.bind(t),
    policy({ alice: { allow: [rule('www.example', 'types: [SOA]')] } }),
  );
  for (const [ttl, minimum] of [
    [600, 0],
    [600, 60],
  ] as const) {
    const answer = [soa('www.example', ttl, minimum)];
    t.same(ttls((await house.ask('www.example', 'SOA', {}, { answer })).answer), [300]);
    house.pass(599);
    t.same(ttls((await house.query('www.example', 'SOA')).answer), [1]);
    house.pass(1);
  }
  t.equal(house.asked.length, 2);
});

t.test('an answer of TTL 0 is given as such; a written-out name keeps it for 5 s', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.same(await given(house, 'www.example', 0), [0]);
  house.pass(4.9);
  t.same(ttls((await house.query('www.example')).answer), [0]);
  t.equal(house.asked.length, 1);
  house.pass(0.1);
  void house.query('www.example');
  t.equal(house.asked.length, 2);
  const charges = newCharges(new Ticks());
  const wild = new House(t.testdir.bind(t), policy({ alice: { allow: ['*.site.example'] } }), { charges });
  t.same(await given(wild, 'www.site.example', 0), [1], 'it was paid for, and is kept fresh');
  t.equal(wild.store.size, 0);
});

t.test('an answer of TTL 0 ends what was kept before it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await given(house, 'www.example', 10);
  house.pass(11);
  t.same(await given(house, 'www.example', 0), [0]);
  house.pass(5);
  const reply = await house.ask('www.example', 'A', {}, { failure: 'network' });
  t.notSame(reply.answer, [], 'stale data');
  t.equal(house.asked.length, 3, 'of the answer that replaced the older one');
});

t.test(
  'our own answers: 30 s for negatives, the record’s own for records, HINFO and localhost within the cap',
  async (t) => {
    const text = policy(
      {
        alice: { allow: [rule('rec.example', 'until: 2026-11-20T00:00:10Z'), 'long.example', 'www.example'] },
      },
      {
        records: [
          '{ name: rec.example, type: A, data: 192.0.2.1, ttl: 60 }',
          '{ name: long.example, type: A, data: 192.0.2.1, ttl: 3600 }',
        ],
      },
    );
    const house = new House(t.testdir.bind(t), text);
    t.same(ttls((await house.query('rec.example')).answer), [10]);
    t.same(ttls((await house.query('long.example')).answer), [300]);
    t.same(ttls((await house.query('www.example', 'ANY')).answer), [300]);
    t.same(ttls((await house.query('localhost')).answer), [300]);
    t.same(ttls((await house.query('evil.example')).authority), [30]);
  },
);

t.test(
  'DS and DNSKEY of a name that an exception or an ending rule approves are bounded as it is',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const [name, wanted] of [
      ['dyn.example', 30],
      ['ends.example', 10],
      ['www.example', 300],
    ] as const) {
      const script = { answer: [`${name} 3600 DS 1 8 2 ${'ab'.repeat(32)}`] };
      t.same(ttls((await house.ask(name, 'DS', { do: true }, script)).answer), [wanted], name);
    }
  },
);

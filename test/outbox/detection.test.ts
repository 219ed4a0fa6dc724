import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { suffixTable } from '../../src/config/policy/suffixes.ts';
import type { Acquaintance } from '../../src/detect/patterns/acquaintance.ts';
import { DEFAULT_THRESHOLDS } from '../../src/detect/patterns/kinds.ts';
import { Detection } from '../../src/outbox/detection.ts';
import { type FeedEvent, KINDS } from '../../src/outbox/event.ts';
import type { FeedSetting } from '../../src/outbox/feed-setting.ts';
import { OutcomeWriter } from '../../src/outbox/outcome-writer.ts';
import { registeredDomains } from '../../src/outbox/registered-domains.ts';
import { nameFromText } from '../../src/wire/name.ts';
import { policy } from '../resolve/policy.ts';
import { Rig, SETTING } from './rig.ts';

const POLICY = policy({
  builder: { allow: ['github.com', '*.cdn.example'], more: ['stages: { fetch: { allow: [] } }'] },
  audited: { allow: ['github.com'], more: ['mode: audit', 'audit_until: 2027-01-01'] },
});

const BUILDER = { from: '127.0.0.1' };

function rig(t: Test, detect: object = {}): Rig {
  const setting = {
    store: SETTING,
    sinks: [],
    history: null,
    kinds: [],
    decided: [],
    detect: { limits: { ...DEFAULT_THRESHOLDS, ...detect }, identities: [] },
  };
  const feed = new Rig(t, POLICY, ['deny', 'would_deny']);
  const registered = registeredDomains(suffixTable);
  feed.followers = [
    new Detection({ setting, registered, folder: null, kept: (prefix) => feed.store.state(prefix) }),
  ];
  feed.store.close();
  feed.open();
  feed.loop.keep([]);
  return feed;
}

const brief = ({
  activity,
  finding,
  severity,
  identity,
  key,
  total,
}: Pick<FeedEvent, 'activity' | 'finding' | 'severity' | 'identity' | 'key' | 'total'>): string =>
  [activity, finding, severity, identity, key, total].filter((part) => part !== undefined).join(' ');

const long = (i: number): string => `${String(i).padStart(30, 'x')}.tunnel.example`;

t.test('a tunnel of denied names is an attempt that rises, and three events', async (t) => {
  const feed = rig(t);
  for (let i = 0; i < 16; i++) {
    feed.house.pass(1);
    await feed.house.ask(long(i), 'A', BUILDER);
  }
  const events = feed.take();
  t.strictSame(events.filter(({ activity }) => activity === 'create').map(brief), [
    'create attempt low builder tunnel.example 1',
  ]);
  t.ok(
    events.some(
      ({ finding, activity, severity }) => `${finding} ${activity} ${severity}` === 'attempt update medium',
    ),
  );
  t.equal(events.at(-1)?.names?.length, 5, 'with five names at most');
  t.match(events.at(-1)?.next, /look at the names/);
  t.equal(events.filter(({ kind }) => kind === 'deny').length, 0, 'nobody takes denials, and none is kept');
  feed.house.pass(90_000);
  t.strictSame(feed.take().map(brief), ['close attempt medium builder tunnel.example 11']);
});

t.test('of a flood that a sink takes an attempt counts each question once', async (t) => {
  const feed = rig(t);
  for (let i = 0; i < 100; i++) await feed.house.ask(long(i), 'A', BUILDER);
  feed.take();
  feed.house.pass(1);
  await feed.house.ask(long(100), 'A', BUILDER);
  feed.take();
  feed.house.pass(90_000);
  const [closed] = feed.take().filter(({ activity }) => activity === 'close');
  t.equal(closed?.total, 96, 'all after the five that made it one');
});

t.test('a call home is told at its first question, denied or audited', async (t) => {
  const feed = rig(t);
  await feed.house.ask('abc.oast.fun', 'A', BUILDER);
  await feed.house.ask('abc.oast.fun', 'A', { from: '127.0.0.2' });
  t.strictSame(feed.take().map(brief), [
    'create out-of-band high builder oast.fun (interactsh) 1',
    'create out-of-band high audited oast.fun (interactsh) 1',
  ]);
});

t.test('what a forged source may have sent makes no finding', async (t) => {
  const feed = rig(t);
  for (let i = 0; i < 30; i++) await feed.house.ask(long(i), 'A', { ...BUILDER, spoofable: true });
  t.strictSame(feed.take().map(brief), []);
});

t.test('a kind that is off is not looked for', async (t) => {
  const feed = rig(t, { attempt: null });
  for (let i = 0; i < 30; i++) await feed.house.ask(long(i), 'A', BUILDER);
  t.strictSame(feed.take().map(brief), []);
});

t.test(
  'a name that looks like an approved one is told with it, in the answer and as a finding',
  async (t) => {
    const feed = rig(t);
    const reply = await feed.house.ask('www.githib.com', 'A', BUILDER);
    t.match(reply.ede[0]?.text, /^builder: did you mean github\.com\?; ask team-a$/);
    t.equal(
      (await feed.house.ask('gitlab.com', 'A', BUILDER)).ede[0]?.text,
      'builder: name not approved; ask team-a',
    );
    await feed.house.ask('www.githib.com', 'AAAA', BUILDER);
    const events = feed.take();
    t.strictSame(
      events.map((event) => `${brief(event)} ${event.target}`),
      [
        'create near-miss medium builder www.githib.com 1 github.com',
        'update near-miss medium builder www.githib.com 2 github.com',
      ],
    );
  },
);

t.test('repeats of one name in one second are an attempt, as they are over a minute', async (t) => {
  const feed = rig(t);
  for (let i = 0; i < 70; i++) await feed.house.ask('beacon.vendor.example', 'A', BUILDER);
  t.match(feed.take().map(brief)[0], /^create attempt low builder vendor\.example /);
});

t.test('a flood of denied names hides none that looks like an approved one', async (t) => {
  const feed = rig(t);
  let compared = 0;
  for (let i = 0; i < 5_000; i++) await feed.house.ask(`n${i}.evil${i % 600}.com`, 'A', BUILDER);
  for (let i = 0; i < 600; i++) {
    const { ede } = await feed.house.ask(`n${i}.githib.com`, 'A', BUILDER);
    if (ede[0]?.text?.includes('did you mean')) compared++;
  }
  t.equal(compared, 600);
  await feed.house.ask('www.xn--gthub-n4a.com', 'A', BUILDER);
  await feed.house.ask('githud.com', 'A', BUILDER);
  const found = feed.take().filter(({ finding }) => finding === 'near-miss');
  for (const name of ['www.xn--gthub-n4a.com', 'githud.com'])
    t.ok(
      found.some(({ key, names }) => key === name || names?.includes(name)),
      `${name} in the second of the flood`,
    );
  t.ok(found.length < 150, 'and few findings');
});

/** The rig with what tells outcomes beside what tells decisions. */
function withOutcomes(feed: Rig): Rig {
  const { writer } = feed;
  const outcomes = new OutcomeWriter(writer.slots);
  feed.house.also = {
    waits: () => {},
    decided: (turn) => writer.decided(turn),
    overspent: (turn) => writer.overspent(turn),
    ended: (turn, length) => {
      writer.ended(turn, length);
      outcomes.ended(turn);
    },
  };
  return feed;
}

t.test(
  'a dependency that fails upstream is told after a minute, and ends with its next answer',
  async (t) => {
    const feed = withOutcomes(rig(t));
    const { house } = feed;
    const good = { answer: ['github.com 1 A 192.0.2.7'] };
    const bad = { rcode: 2, authority: [] };
    await house.ask('github.com', 'A', BUILDER, good);
    house.pass(7_200);
    for (let i = 0; i < 9; i++) {
      await house.ask('github.com', 'A', BUILDER, bad);
      house.pass(10);
    }
    const events = feed.take();
    t.match(events[0], {
      finding: 'dependency',
      activity: 'create',
      severity: 'operations',
      identity: 'builder',
      key: 'github.com',
      next: 'ask net-team, who answers for it; the policy is not to blame',
      rule: /\.yaml:\d+$/,
    });
    house.pass(60);
    await house.ask('github.com', 'A', BUILDER, good);
    t.match(feed.take().map(brief), [/^close dependency operations builder github\.com/]);
  },
);

t.test('a name that is answered out of the cache alone is known, and so is its outage', async (t) => {
  const feed = withOutcomes(rig(t));
  const { house } = feed;
  await house.ask('github.com', 'A', { from: '127.0.0.2' }, { answer: ['github.com 3600 A 192.0.2.7'] });
  await house.ask('github.com', 'A', BUILDER);
  feed.take();
  house.pass(7_200);
  const empty = { answer: [], authority: ['github.com 1 SOA ns.github.com a.github.com 1 1 1 1 1'] };
  for (let i = 0; i < 12; i++) {
    await house.ask('github.com', 'A', BUILDER, empty);
    house.pass(10);
  }
  t.equal(feed.take().map(brief)[0], 'create dependency operations builder github.com 1');
  t.equal(feed.loop.open.get('dependency'), 1, 'one is open');
});

t.test('of ever other names some are told a second, and an outage begins and ends among them', async (t) => {
  const feed = withOutcomes(rig(t));
  const { house } = feed;
  const { ring } = feed.writer.slots;
  const flood = async (second: number): Promise<number> => {
    const before = ring.next;
    for (let i = 0; i < (second === 0 ? 150 : 20); i++)
      await house.ask(`n${second}-${i}.cdn.example`, 'A', BUILDER, {
        answer: [`n${second}-${i}.cdn.example 1 A 192.0.2.7`],
      });
    return (ring.next - before) >>> 0;
  };
  const good = { answer: ['github.com 1 A 192.0.2.7'] };
  await house.ask('github.com', 'A', BUILDER, good);
  feed.take();
  for (let second = 0; second < 10; second++) {
    house.pass(10);
    t.ok((await flood(second)) <= 130, 'few of them');
    await house.ask('github.com', 'A', BUILDER, { rcode: 2, authority: [] });
  }
  t.equal(feed.take().map(brief)[0], 'create dependency operations builder github.com 1');
  house.pass(60);
  await flood(10);
  await house.ask('github.com', 'A', BUILDER, good);
  t.match(feed.take().map(brief), [/^close dependency operations builder github\.com/]);
});

t.test('an outcome that the ring has no room for is counted', async (t) => {
  const feed = rig(t);
  const outcomes = new OutcomeWriter(feed.writer.slots);
  feed.house.also = {
    waits: () => {},
    decided: () => {},
    overspent: () => {},
    ended: (turn) => outcomes.ended(turn),
  };
  const { ring } = feed.writer.slots;
  while (ring.hasRoom()) ring.note('{}');
  await feed.house.ask('github.com', 'A', BUILDER, { answer: ['github.com 1 A 192.0.2.7'] });
  t.equal(outcomes.lost, 1);
  for (let i = 0; i < 3; i++) feed.writer.slots.ring.lose('builder', KINDS.indexOf('deny'), 0);
  t.equal(ring.lostOf[KINDS.indexOf('deny')], 3, 'and so is a denial');
});

t.test('made-up names under a wildcard are a storm, and their hits count', async (t) => {
  const feed = withOutcomes(rig(t));
  const none = { rcode: 3, authority: ['cdn.example 60 SOA ns.cdn.example a.cdn.example 1 1 1 1 60'] };
  for (let i = 0; i < 199; i++) {
    await feed.house.ask(`n${i}.cdn.example`, 'A', BUILDER, none);
    feed.house.pass(0.5);
  }
  t.strictSame(feed.take().map(brief), []);
  await feed.house.ask('one-more.cdn.example', 'A', BUILDER, none);
  t.strictSame(feed.take().map(brief), ['create nxdomain-storm medium builder 127.0.0.1 1']);
});

t.test('what is told in the log: the beginning, a rise, and the end of an outage', async (t) => {
  const feed = rig(t);
  const heard: string[] = [];
  feed.loop.hear((findings) => heard.push(...findings.map((finding) => brief(finding))));
  for (let i = 0; i < 40; i++) {
    feed.house.pass(1);
    await feed.house.ask(long(i), 'A', BUILDER);
    feed.take();
  }
  t.strictSame(heard, [
    'create attempt low builder tunnel.example 1',
    'update attempt medium builder tunnel.example 10',
  ]);
});

t.test('what identities have used outlives a restart', async (t) => {
  const folder = t.testdir({});
  const seen = (acquaintance: Acquaintance, name: string, at: number): boolean =>
    acquaintance.isFirst(
      {
        at,
        identity: 'one',
        claim: 'c',
        who: { low: 0, high: 0 },
        lease: '',
        name: nameFromText(name) as Uint8Array,
        domain: 0,
        type: 1,
        verdict: 'allow',
        count: 1,
        proven: true,
        expected: false,
        isOfOtherStage: false,
        isInQuarantine: false,
        resembles: '',
        isOfPattern: false,
      },
      { history: 1_000, leases: 0 },
    );
  const open = (): Detection => {
    const detect = { limits: DEFAULT_THRESHOLDS, identities: [] };
    const setting = { store: SETTING, sinks: [], kinds: [], detect } as unknown as FeedSetting;
    return new Detection({ setting, registered: () => 0, folder, kept: () => [] });
  };
  const before = open();
  t.notOk(seen(before.detectors.acquaintance, 'a.example', 0));
  before.close();
  const after = open().detectors.acquaintance;
  t.notOk(seen(after, 'a.example', 5_000), 'it was used before');
  t.ok(seen(after, 'b.example', 5_000), 'a first contact');
  writeFileSync(join(folder, 'detect.json'), 'garbage');
  t.notOk(seen(open().detectors.acquaintance, 'b.example', 9_000), 'a file that is damaged begins anew');
});

import { copyFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { DatabaseRefusal } from '../../src/database/database.ts';
import type { Batch, Draft } from '../../src/outbox/draft.ts';
import { DECISIONS, type FeedEvent, KINDS, type Kind, type Selection } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/event-store.ts';
import type { StoreOptions, StoreSetting } from '../../src/outbox/store-options.ts';
import { Random } from '../server/random.ts';

const DAY = 86_400_000;
const LARGE = { octets: 2 ** 30, age: 30 * DAY };
const SETTING: StoreSetting = { isDurable: false, decisions: LARGE, findings: LARGE, full: 'drop_oldest' };
const SIEM = { name: 'siem', kinds: KINDS };
const FIRST = { name: 'first', kinds: KINDS };
const SECOND = { name: 'second', kinds: KINDS };
const ALL: Selection = { kinds: new Set(KINDS), minSeverity: 'operations' };

class Clock {
  now = Date.UTC(2026, 10, 20);
  /** Milliseconds that somebody has set it forward. */
  set = 0;

  jump(by: number): void {
    this.now += by;
    this.set += by;
  }
}

interface Made {
  readonly store: Store;
  readonly path: string;
  readonly clock: Clock;
  again(setting?: StoreSetting): Store;
}

function made(t: Test, setting = SETTING): Made {
  const path = join(t.testdir(), 'feed.db');
  const clock = new Clock();
  const open = (with_: StoreSetting): Store => {
    const options: StoreOptions = {
      path,
      setting: with_,
      server: 'ns1',
      version: '1.2.3',
      now: () => clock.now,
      running: () => clock.now - clock.set,
    };
    const store = new Store(options);
    t.teardown(() => store.close());
    return store;
  };
  return { store: open(setting), path, clock, again: (other = setting) => open(other) };
}

function batch(drafts: readonly Draft[], more: Partial<Batch> = {}): Batch {
  return { drafts, losses: [], state: new Map(), ...more };
}

function draft(kind: Kind, clock: Clock, more: Partial<Draft> = {}): Draft {
  return { kind, at: clock.now, identity: 'builder', ...more };
}

function events(store: Store, after = 0, selection = ALL): FeedEvent[] {
  return store.page(after, selection, 100_000, 2 ** 30).events.map(({ event }) => event);
}

const numbers = (found: readonly FeedEvent[]): string[] => found.map(({ kind, seq }) => `${kind} ${seq}`);

t.test('events are numbered by kind, in one order, and go on after a restart', async (t) => {
  const { store, clock, again, path } = made(t);
  store.commit(
    batch([draft('deny', clock), draft('finding', clock, { severity: 'high' }), draft('deny', clock)]),
  );
  t.strictSame(numbers(events(store)), ['deny 1', 'finding 1', 'deny 2']);
  const [first] = events(store);
  t.match(first, {
    kind: 'deny',
    server: 'ns1',
    version: '1.2.3',
    time: '2026-11-20T00:00:00.000Z',
    identity: 'builder',
  });
  t.match(first?.id, /^[0-9A-HJKMNP-TV-Z]{26}$/, 'a ULID');
  t.notOk('at' in (first as object));
  t.equal(statSync(path).mode & 0o777, 0o600);
  store.close();
  const later = again();
  later.commit(batch([draft('deny', clock), draft('heartbeat', clock)]));
  t.strictSame(numbers(events(later)), ['deny 1', 'finding 1', 'deny 2', 'deny 3', 'heartbeat 1']);
  t.equal(new Set(events(later).map(({ id }) => id)).size, 5, 'every id is another');
});

t.test('a batch is taken whole or not at all', async (t) => {
  const { store, clock } = made(t);
  store.commit(batch([draft('deny', clock)], { state: new Map([['read', '17']]) }));
  const looped: Record<string, unknown> = {};
  looped.self = looped;
  const bad = draft('deny', clock, { job: looped as Record<string, string> });
  t.throws(() => store.commit(batch([draft('deny', clock), bad], { state: new Map([['read', '99']]) })));
  t.strictSame(store.state('read'), [['read', '17']], 'state stays too');
  store.commit(batch([draft('deny', clock)], { state: new Map([['read', null]]) }));
  t.strictSame(numbers(events(store)), ['deny 1', 'deny 2'], 'no number was used up');
  t.strictSame(store.state('read'), []);
  t.equal(store.status().decisions.rows, 2);
});

t.test('pages', async (t) => {
  const { store, clock } = made(t);
  const kinds: Kind[] = ['deny', 'finding', 'allow', 'dropped', 'heartbeat'];
  store.commit(batch(Array.from({ length: 50 }, (_, i) => draft(kinds[i % 5]!, clock, { severity: 'low' }))));
  const only = (...of: Kind[]): Selection => ({ kinds: new Set(of), minSeverity: 'operations' });
  t.equal(events(store).length, 50);
  t.equal(events(store, 45).length, 5);
  t.ok(events(store, 0, only('allow')).every(({ kind }) => kind === 'allow'));
  t.equal(events(store, 0, only('allow', 'finding')).length, 20);
  t.equal(events(store, 0, { ...only('finding', 'dropped', 'deny'), minSeverity: 'medium' }).length, 20);
  t.equal(store.page(0, only('contain'), 10, 1e6).reached, 50, 'nothing is selected: all was looked at');

  const seen: string[] = [];
  for (let at = 0; ; ) {
    const { events: found, reached } = store.page(at, ALL, 7, 1e6);
    if (found.length === 0) break;
    t.ok(found.length <= 7);
    seen.push(...found.map(({ event }) => event.id));
    at = reached;
  }
  t.strictSame(
    seen,
    events(store).map(({ id }) => id),
    'page by page all come, once and in order',
  );
  const size = JSON.stringify(events(store)[0]).length;
  const small = store.page(0, ALL, 10, size * 2 + 10);
  t.equal(small.events.length, 2, 'as many as the octets allow');
  t.equal(small.reached, 2);
  t.equal(store.page(0, ALL, 10, 1).events.length, 1, 'one that is larger comes alone');
});

t.test('cursors and dead letters', async (t) => {
  const { store, clock, again } = made(t);
  store.configure(SETTING, [FIRST]);
  t.equal(store.cursor('first'), 0, 'a sink of a new store has all');
  store.commit(batch([draft('deny', clock), draft('deny', clock), draft('deny', clock)]));
  store.configure(SETTING, [FIRST, SECOND]);
  t.equal(store.cursor('second'), 3, 'a later one begins with what comes next');
  store.advance('first', 2);
  store.advance('first', 1);
  t.equal(store.cursor('first'), 2, 'a cursor never goes back');
  const [placed] = store.page(1, ALL, 1, 1e6).events;
  store.deadLetter('first', placed!, '413 too large');
  store.close();

  const later = again();
  later.configure(SETTING, [FIRST, SECOND]);
  t.equal(later.cursor('first'), 2);
  const [dead, ...none] = later.dead('first', 10);
  t.strictSame(none, []);
  t.match(dead, { reason: '413 too large', position: 2, event: { kind: 'deny', seq: 2 } });
  t.strictSame(later.dead('second', 10), []);
  const { sinks } = later.status();
  t.match(sinks, [
    { name: 'first', cursor: 2, dead: 1, depth: 1, oldest: clock.now, acknowledged: clock.now },
    { name: 'second', cursor: 3, dead: 0, depth: 0, oldest: null, acknowledged: null },
  ]);
  later.forgetDead('first', [dead!.number]);
  t.strictSame(later.dead('first', 10), []);

  t.test('replay', async (t) => {
    clock.now += 60_000;
    later.commit(batch([draft('deny', clock)]));
    later.advance('first', 4);
    t.equal(later.replay('first', clock.now), 3);
    t.strictSame(numbers(events(later, later.cursor('first'))), ['deny 4']);
    t.equal(later.replay('first', clock.now + 1), 3, 'later than all: it stays');
    t.equal(later.replay('first', 0), 0);
  });
});

/** What the numbers of a kind say was lost, and that none of 1 to `last` is missing or told twice. */
function accountFor(t: Test, found: readonly FeedEvent[], kind: Kind, last: number, name: string): number {
  const seen = new Map<number, number>();
  let lost = 0;
  for (const event of found) {
    if (event.kind === kind) seen.set(event.seq, (seen.get(event.seq) ?? 0) + 1);
    if (event.kind !== 'dropped' || event.of !== kind) continue;
    lost += event.count ?? 0;
    for (let i = event.first_seq!; i <= event.last_seq!; i++) if (!seen.has(i)) seen.set(i, 1);
  }
  const missing = Array.from({ length: last }, (_, i) => i + 1).filter((i) => seen.get(i) !== 1);
  t.strictSame(missing, [], `${name}: each number came once, as an event or as lost`);
  return lost;
}

t.test('quotas', async (t) => {
  const SMALL = { octets: 20_000, age: 30 * DAY };

  t.test('drop_oldest takes what all sinks have, and then tells what it took', async (t) => {
    const { store, clock } = made(t, { ...SETTING, decisions: SMALL });
    store.configure({ ...SETTING, decisions: SMALL }, [SIEM]);
    const received: FeedEvent[] = [];
    const read = (): void => {
      const page = store.page(store.cursor('siem'), ALL, 100_000, 1e9);
      received.push(...page.events.map(({ event }) => event));
      store.advance('siem', page.reached);
    };
    for (let i = 0; i < 20; i++) {
      store.commit(batch(Array.from({ length: 20 }, () => draft('deny', clock))));
      read();
      clock.now += 10_000;
    }
    t.notOk(
      received.some(({ kind }) => kind === 'dropped'),
      'nothing is lost that was acknowledged',
    );
    t.ok(store.status().decisions.octets <= SMALL.octets + 20 * 400, 'and it stays small');
    // Nobody reads.
    for (let i = 0; i < 30; i++) {
      const identity = i % 2 === 0 ? 'builder' : 'tester';
      store.commit(batch(Array.from({ length: 20 }, () => draft('deny', clock, { identity, count: 3 }))));
      store.commit(batch([draft('finding', clock, { severity: 'high' })]));
      clock.now += 1_000;
    }
    clock.now += 10_000;
    store.commit(batch([]));
    read();
    const lost = accountFor(t, received, 'deny', 1_000, 'denials');
    const kept = received
      .filter(({ kind }) => kind === 'deny')
      .reduce((sum, { count = 1 }) => sum + count, 0);
    t.equal(kept + lost, 400 + 3 * 600, 'kept and lost are all');
    t.ok(lost > 0);
    t.equal(received.filter(({ kind }) => kind === 'finding').length, 30, 'no finding goes for them');
    const told = received.filter(({ kind }) => kind === 'dropped');
    t.match(told[0], { of: 'deny', why: 'quota', severity: 'operations', lost: { builder: Number } });
    t.ok(told.length < 15, `${told.length} events tell of it`);
  });

  t.test('drop_new keeps what there is', async (t) => {
    const setting = { ...SETTING, decisions: SMALL, full: 'drop_new' } as const;
    const { store, clock, again } = made(t, setting);
    store.configure(setting, [SIEM]);
    for (let i = 0; i < 300; i++) {
      store.commit(batch([draft('deny', clock, { name: `n${i}.example` })]));
      clock.now += 10;
    }
    t.equal(events(store)[0]?.seq, 1, 'the first is there');
    t.ok(store.status().decisions.octets <= SMALL.octets + 400);
    store.close();
    const later = again();
    later.configure(setting, [SIEM]);
    const received = events(later);
    later.advance('siem', later.last);
    clock.now += 10_000;
    later.commit(batch([draft('deny', clock)]));
    received.push(...events(later, later.cursor('siem')));
    const lost = accountFor(t, received, 'deny', 301, 'a restart between');
    t.equal(received.filter(({ kind }) => kind === 'deny').length + lost, 301);
    t.equal(received.at(-1)?.seq === 301 || received.at(-1)?.kind === 'dropped', true, 'room returned');
  });

  t.test('age', async (t) => {
    const { store, clock } = made(t, { ...SETTING, decisions: { octets: 2 ** 30, age: DAY } });
    store.commit(batch([draft('deny', clock), draft('finding', clock)]));
    clock.now += DAY + 1;
    store.commit(batch([draft('deny', clock)]));
    t.strictSame(numbers(events(store)), ['finding 1', 'deny 2']);
    clock.now += 30 * DAY;
    store.commit(batch([]));
    t.strictSame(numbers(events(store)), []);
    store.commit(batch([draft('finding', clock)]));
    t.strictSame(numbers(events(store)), ['finding 2'], 'numbers go on');
  });

  t.test('age, where a sink that stays down may have been sent a part', async (t) => {
    const setting = { ...SETTING, decisions: { octets: 2 ** 30, age: DAY } };
    const { store, clock } = made(t, setting);
    store.configure(setting, [SIEM]);
    for (let i = 0; i < 4; i++) store.commit(batch([draft('deny', clock)]));
    store.advance('siem', 1);
    store.underWay('siem', 3);
    clock.now += DAY / 2;
    store.commit(batch([draft('deny', clock)]));
    clock.now += DAY / 2 + 1;
    store.commit(batch([]));
    t.strictSame(
      events(store).map(({ kind, of, seq, first_seq, last_seq }) => [
        kind,
        of ?? '',
        first_seq ?? seq,
        last_seq ?? seq,
      ]),
      [
        ['deny', '', 5, 5],
        ['dropped', 'deny', 4, 4],
      ],
      'what is too old goes',
    );
    store.underWay('siem', 1);
    clock.now += 10_000;
    store.commit(batch([]));
    const { of, first_seq, last_seq, in_doubt } = events(store).at(-1)!;
    t.strictSame([of, first_seq, last_seq, in_doubt], ['deny', 2, 3, true], 'of what was sent nobody knows');
  });
});

t.test('a clock that is set ages nothing before it has gone on so for a day', async (t) => {
  const { store, clock, again } = made(t, { ...SETTING, decisions: { octets: 2 ** 30, age: 7 * DAY } });
  const kept = (of = store): string[] => {
    of.commit(batch([]));
    return numbers(events(of));
  };
  store.commit(batch([draft('deny', clock), draft('finding', clock)]));
  clock.jump(40 * DAY);
  store.commit(batch([draft('deny', clock)]));
  t.strictSame(kept(), ['deny 1', 'finding 1', 'deny 2'], 'set forward');
  t.equal(
    events(store).at(-1)?.time,
    '2026-12-30T00:00:00.000Z',
    'an event tells the time that the clock says',
  );
  clock.now += DAY / 2;
  clock.jump(-40 * DAY);
  t.strictSame(kept(), ['deny 1', 'finding 1', 'deny 2'], 'and back');
  clock.now += 7 * DAY + 1;
  t.strictSame(kept(), ['finding 1'], 'what was dated ahead grows old as the others');
  clock.jump(40 * DAY);
  store.commit(batch([draft('deny', clock)]));
  store.close();
  clock.now += DAY;
  const later = again();
  t.strictSame(kept(later), ['finding 1', 'deny 3'], 'a restart believes it no sooner');
  clock.now += DAY / 2;
  t.strictSame(kept(later), ['finding 1', 'deny 3']);
  clock.now += DAY / 2;
  t.strictSame(kept(later), ['deny 3'], 'after a day it counts');
  clock.jump(-100 * DAY);
  later.commit(batch([draft('deny', clock)]));
  t.strictSame(kept(later), ['deny 3', 'deny 4'], 'set back');
});

t.test('where a batch fails, the next one still knows that the clock was set back', async (t) => {
  const { store, clock, path } = made(t);
  const other = new DatabaseSync(path);
  t.teardown(() => other.close());
  clock.jump(40 * DAY);
  store.commit(batch([draft('deny', clock)]));
  clock.jump(-40 * DAY);
  other.exec("CREATE TRIGGER full BEFORE INSERT ON sequence BEGIN SELECT RAISE(ABORT, 'full'); END");
  t.throws(() => store.commit(batch([])), /full/);
  other.exec('DROP TRIGGER full');
  store.commit(batch([]));
  clock.now += 30 * DAY + 1;
  store.commit(batch([]));
  t.strictSame(numbers(events(store)), [], 'what was dated ahead has grown old');
});

t.test('who has lost what', async (t) => {
  const SMALL = { octets: 20_000, age: 30 * DAY };
  const setting = { ...SETTING, decisions: SMALL };
  const fill = (store: Store, clock: Clock, count = 300): void => {
    for (let i = 0; i < count; i += 20)
      store.commit(batch(Array.from({ length: 20 }, () => draft('deny', clock))));
  };
  const told = (store: Store, clock: Clock): FeedEvent[] => {
    clock.now += 10_000;
    if (store.isBehind) store.commit(batch([]));
    return events(store).filter(({ kind }) => kind === 'dropped');
  };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
  /** What the receiver has in the end: it had `sent`, and all that is left is sent now. */
  const arrived = (store: Store, sent: readonly number[]): number[] => {
    const rest = events(store, store.cursor('siem')).filter(({ kind }) => kind === 'deny');
    return [...new Set([...sent, ...rest.map(({ seq }) => seq)])].sort((a, b) => a - b);
  };

  t.test('what may have arrived stays, and is sent again: a drop tells what never arrived', async (t) => {
    for (const end of ['it comes back', 'a part arrives', 'a kill', 'a kill, and more after it']) {
      const larger = { ...SETTING, decisions: { octets: 64_000, age: 30 * DAY } };
      const { store, clock, again } = made(t, larger);
      store.configure(larger, [SIEM]);
      fill(store, clock, 20);
      const sent = store.page(0, ALL, 10, 1e9).events;
      store.underWay('siem', sent.at(-1)!.position);
      fill(store, clock);
      let next = store;
      if (end === 'a part arrives') store.advance('siem', sent[6]!.position);
      if (end.startsWith('a kill')) {
        store.close();
        next = again();
        next.configure(larger, [SIEM]);
        if (end.endsWith('it')) fill(next, clock);
      } else next.underWay('siem', next.cursor('siem'));
      const dropped = told(next, clock);
      const lost = dropped.flatMap(
        ({ runs, first_seq, last_seq }) => runs ?? [[first_seq!, last_seq!] as const],
      );
      t.notOk(
        dropped.some((event) => event.in_doubt),
        `${end}: nothing is in doubt`,
      );
      const has = arrived(next, end === 'a part arrives' ? upTo(7) : []);
      t.strictSame(has.slice(0, 10), upTo(10), `${end}: what may have arrived is sent again`);
      const numbers = lost.flatMap(([first, last]) => upTo(last - first + 1).map((i) => first - 1 + i));
      const total = next.status().numbers['deny']!;
      t.strictSame(
        [...has, ...numbers].sort((a, b) => a - b),
        upTo(total),
        `${end}: each number arrives or is told, and none is both`,
      );
      next.advance('siem', next.last);
      t.strictSame(next.status().sinks[0]?.depth, 0);
      next.close();
    }
  });

  t.test('where all that is left may have arrived, what goes is in doubt', async (t) => {
    for (const end of ['it arrives', 'it comes back', 'a part arrives', 'a kill']) {
      const { store, clock, again } = made(t, setting);
      store.configure(setting, [SIEM]);
      // A receiver that acknowledges nothing is sent all there is.
      for (let i = 0; i < 15; i++) {
        fill(store, clock, 20);
        store.underWay('siem', store.last);
      }
      clock.now += 10_000;
      store.commit(batch([]));
      const kept = new Set(events(store).map(({ seq }) => seq));
      const gone = upTo(store.last).filter((seq) => !kept.has(seq));
      t.ok(gone.length > 100, `${gone.length} are gone`);
      t.strictSame(told(store, clock), [], `${end}: nothing is told while they may be acknowledged`);
      let next = store;
      if (end === 'it arrives') store.advance('siem', store.last);
      else if (end === 'a part arrives') store.advance('siem', 50);
      if (end === 'a kill') {
        store.close();
        next = again();
        next.configure(setting, [SIEM]);
      } else store.underWay('siem', store.cursor('siem'));
      const after = { 'it arrives': Number.POSITIVE_INFINITY, 'a part arrives': 50 }[end as string] ?? 0;
      const doubtful = gone.filter((seq) => seq > after);
      t.strictSame(
        told(next, clock).map(({ of, first_seq, last_seq, count, in_doubt }) => [
          of,
          first_seq,
          last_seq,
          count,
          in_doubt,
        ]),
        doubtful.length === 0 ? [] : [['deny', doubtful[0], doubtful.at(-1), doubtful.length, true]],
        end,
      );
      next.close();
    }
  });

  t.test('a quota that a reload makes smaller is kept though nothing is added', async (t) => {
    const { store, clock } = made(t);
    store.configure(SETTING, [SIEM]);
    fill(store, clock, 5_000);
    store.advance('siem', store.last);
    store.configure(setting, [SIEM]);
    for (let i = 0; i < 3; i++) store.commit(batch([]));
    for (let i = 0; store.isBehind && i < 100; i++) store.commit(batch([]));
    const { octets, quota } = store.status().decisions;
    t.ok(octets < quota, `${octets} of ${quota}`);
  });

  t.test('a sink that is behind has lost it, another has not', async (t) => {
    const { store, clock } = made(t, setting);
    store.configure(setting, [FIRST, SECOND]);
    for (let i = 0; i < 20; i++) {
      fill(store, clock, 20);
      store.advance('first', store.last);
    }
    const dropped = told(store, clock);
    t.ok(dropped.length > 0);
    for (const { sinks } of dropped) t.strictSame(sinks, ['second']);
  });

  t.test('nobody has lost what he does not take', async (t) => {
    const { store, clock } = made(t, setting);
    store.configure(setting, [FIRST, { name: 'second', kinds: ['finding'] }]);
    store.commit(batch([draft('finding', clock)]));
    for (let i = 0; i < 20; i++) {
      fill(store, clock, 20);
      store.advance('first', store.last);
    }
    t.strictSame(told(store, clock), [], 'denials are nothing to one that waits for findings');
  });
});

t.test('losses of the ring are told at once, with numbers of their own', async (t) => {
  const { store, clock } = made(t);
  store.commit(batch([draft('deny', clock)]));
  const loss = {
    of: 'deny',
    why: 'ring',
    lost: { builder: 5, tester: 2 },
    from: clock.now - 2_000,
    to: clock.now,
  } as const;
  store.commit(batch([draft('deny', clock)], { losses: [loss] }));
  store.commit(batch([draft('deny', clock)]));
  const found = events(store);
  t.strictSame(numbers(found), ['deny 1', 'deny 2', 'dropped 1', 'deny 10']);
  t.match(found[2], {
    of: 'deny',
    first_seq: 3,
    last_seq: 9,
    count: 7,
    lost: { builder: 5, tester: 2 },
    first: '2026-11-19T23:59:58.000Z',
    last: '2026-11-20T00:00:00.000Z',
  });
});

t.test('what it refuses to open', async (t) => {
  const { store, path, clock } = made(t);
  store.commit(batch([draft('deny', clock)]));
  store.close();
  const whole = `${path}-newer`;
  const garbage = `${path}-garbage`;
  copyFileSync(path, whole);
  const database = new DatabaseSync(whole);
  database.exec('PRAGMA user_version = 99');
  database.close();
  const refusalOf = (at: string): string => {
    try {
      new Store({ path: at, setting: SETTING, server: 's', version: 'v', now: () => 0 }).close();
      return 'none';
    } catch (error) {
      return error instanceof DatabaseRefusal ? error.why : 'another error';
    }
  };
  t.equal(refusalOf(path), 'none');
  t.equal(refusalOf(whole), 'newer');
  const after = new DatabaseSync(whole);
  t.match(
    after.prepare('SELECT count(*) AS rows FROM decision').get(),
    { rows: 1 },
    'and leaves it as it is',
  );
  after.close();
  writeFileSync(garbage, 'no database at all, and long enough for a header '.repeat(100));
  t.equal(refusalOf(garbage), 'damaged');
  t.equal(refusalOf('/proc/feed.db'), 'system');
});

t.test('what waits for a sink is counted, whatever quotas and age took away', async (t) => {
  const small = { octets: 12_000, age: DAY };
  const settings = [
    { ...SETTING, decisions: small },
    { ...SETTING, findings: small },
    { ...SETTING, decisions: small, findings: { octets: 6_000, age: DAY / 8 } },
    { ...SETTING, decisions: small, full: 'drop_new' as const },
  ];
  for (const [index, setting] of settings.entries()) {
    const { store, clock } = made(t, setting);
    store.configure(setting, [SIEM]);
    const random = new Random(index);
    for (let round = 0; round < 200; round++) {
      const drafts = Array.from({ length: random.below(8) }, () =>
        draft(random.below(4) === 0 ? 'finding' : 'deny', clock),
      );
      store.commit(batch(drafts));
      clock.now += random.below(DAY / 50);
      if (random.below(20) === 0) store.advance('siem', random.below(store.last + 1));
      if (random.below(10) === 0) store.underWay('siem', random.below(store.last + 1));
      if (random.below(40) === 0) store.replay('siem', clock.now - random.below(DAY));
      const waiting = store.page(store.cursor('siem'), ALL, 100_000, 2 ** 30).events;
      const { depth, oldest } = store.status().sinks[0]!;
      const firsts = [true, false].flatMap(
        (isDecision) => waiting.find(({ event }) => DECISIONS.has(event.kind) === isDecision)?.event ?? [],
      );
      t.strictSame(
        [depth, oldest],
        [
          waiting.length,
          firsts.length === 0 ? null : Math.min(...firsts.map(({ time }) => Date.parse(time))),
        ],
        `setting ${index}, round ${round}`,
      );
    }
    store.close();
  }
});

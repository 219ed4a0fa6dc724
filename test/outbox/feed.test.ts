import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { FEED_THREAD } from '../../src/assembly/feed/feed-thread.ts';
import { DEFAULT_THRESHOLDS } from '../../src/detect/patterns/kinds.ts';
import type { FeedEvent } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/event-store.ts';
import { Feed } from '../../src/outbox/feed.ts';
import { HEARD_OF_DOMAIN } from '../../src/outbox/flood-gate.ts';
import { mapFile } from '../../src/socket/mapped-file.ts';
import { House } from '../resolve/house.ts';
import { policy } from '../resolve/policy.ts';
import { until } from '../server/namegate.ts';
import { SETTING, sumOf } from './rig.ts';

const POLICY = policy({ builder: { allow: ['github.com'] } });

/** Not the test's own folder: each policy is written there anew. */
function stateFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-feed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Made {
  readonly feed: Feed;
  readonly told: string[];
  readonly trouble: (string | null)[];
  readonly house: House;
}

function made(t: Test, folder: string, thread: URL, map = mapFile): Made {
  const told: string[] = [];
  const trouble: (string | null)[] = [];
  const feed = new Feed(folder, {
    thread,
    map,
    server: 'ns1',
    version: '1',
    setting: {
      store: SETTING,
      sinks: [],
      history: null,
      kinds: ['deny'],
      decided: ['deny'],
      detect: { limits: DEFAULT_THRESHOLDS, identities: [] },
    },
    taken: ['deny'],
    notices: {
      told: (text) => told.push(text),
      trouble: (text) => trouble.push(text),
      sink: () => {},
      finding: () => {},
    },
  });
  t.teardown(() => feed.stop());
  const house = new House((content) => t.testdir(content), POLICY);
  house.also = feed.writer;
  feed.start();
  return { feed, told, trouble, house };
}

function kept(folder: string): FeedEvent[] {
  const store = new Store({
    path: join(folder, 'feed.db'),
    setting: SETTING,
    server: 'x',
    version: 'x',
    now: Date.now,
  });
  const kinds = new Set(['deny', 'dropped', 'finding', 'heartbeat'] as const);
  const { events } = store.page(0, { kinds, minSeverity: 'operations' }, 1e5, 1e9);
  store.close();
  return events.map(({ event }) => event);
}

const ask = async (house: House, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await house.ask(`n${i % 7}.example`);
};

t.test('a worker takes what is asked, and says how it is', async (t) => {
  const folder = stateFolder(t);
  const { feed, told, trouble, house } = made(t, folder, FEED_THREAD);
  await ask(house, 500);
  await until(async () => ((await feed.status())?.store.decisions.rows ?? 0) >= 7);
  await feed.stop();
  t.equal(sumOf(kept(folder), 'deny'), 500);
  t.strictSame([told, trouble], [[], []], 'nothing is to be told');
  for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o077, 0, name);
});

t.test('a worker that ends is started again, and nothing is lost', async (t) => {
  const folder = stateFolder(t);
  const { feed, told, house } = made(t, folder, new URL('./crashing-thread.ts', import.meta.url));
  await ask(house, 300);
  await until(() => feed.restarts > 0);
  await ask(house, 300);
  t.match(told, [/met a fault: a fault of the test/, /is started again in 1 s/]);
  await until(async () => (await feed.status()) !== null);
  await feed.stop();
  t.equal(sumOf(kept(folder), 'deny'), 600);
  t.equal(feed.restarts, 1);
});

t.test('without mapped files the ring is memory, and that is said', async (t) => {
  const folder = stateFolder(t);
  const { feed, told, house } = made(t, folder, FEED_THREAD, () => 'no native calls');
  await ask(house, 100);
  await until(async () => (await feed.status()) !== null);
  await feed.stop();
  t.match(told, [/a kill loses what waits in it: no native calls/]);
  t.equal(sumOf(kept(folder), 'deny'), 100);
});

t.test('a damaged database is kept aside, and a newer one is left alone', async (t) => {
  const folder = stateFolder(t);
  writeFileSync(join(folder, 'feed.db'), 'no database '.repeat(1_000));
  const first = made(t, folder, FEED_THREAD);
  await ask(first.house, 10);
  await until(() => first.told.length > 0);
  await first.feed.stop();
  t.match(first.told, [/was damaged, and a new one is begun/]);
  t.ok(existsSync(join(folder, 'feed.db.damaged-1')));
  t.equal(sumOf(kept(folder), 'deny'), 10);

  const newer = stateFolder(t);
  const database = new DatabaseSync(join(newer, 'feed.db'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const second = made(t, newer, FEED_THREAD);
  await until(() => second.trouble.length > 0);
  t.match(second.trouble, [/has version 99, and this namegate knows 1/]);
  await ask(second.house, 33_000);
  t.ok(second.feed.writer.counts.lost > 0, 'questions go on, and what the ring cannot take is counted');
  await second.feed.stop();
  t.equal(second.feed.restarts, 0);
});

t.test('whoever waits for what another run left hears when it is written down, or cannot be', async (t) => {
  const folder = stateFolder(t);
  const database = new DatabaseSync(join(folder, 'feed.db'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const refused = made(t, folder, FEED_THREAD);
  t.equal(await refused.feed.caughtUp(60_000), false, 'it cannot be, and nobody waits a minute');
  await ask(refused.house, 20_000);
  const { depth, lost } = refused.feed.writer.counts;
  t.ok(depth >= 20_000 && lost === 0, `${depth} slots wait`);
  await refused.feed.stop();

  rmSync(join(folder, 'feed.db'));
  const next = made(t, folder, FEED_THREAD);
  t.equal(await next.feed.caughtUp(60_000), true);
  t.equal(next.feed.writer.counts.depth, 0, 'the whole ring is there for what comes');
  t.equal(await next.feed.caughtUp(0), true, 'it stays so');
  await next.feed.stop();
  t.equal(sumOf(kept(folder), 'deny'), 20_000);

  const silent = made(t, stateFolder(t), new URL('data:text/javascript,setInterval(() => {}, 1e6)'));
  t.equal(await silent.feed.caughtUp(20), false, 'a thread that says nothing holds nobody for long');
});

t.test(
  'what another question stood for, and may be of another registered domain, is counted as unplaced',
  async (t) => {
    const folder = stateFolder(t);
    const { feed, house } = made(t, folder, FEED_THREAD);
    feed.writer.want(['deny'], ['deny']);
    for (let i = 0; i < 100; i++) await house.ask(`n${i}.co.uk`);
    house.pass(1);
    await house.ask('next.co.uk');
    await until(async () => {
      await feed.status();
      return feed.unheard.unplaced > 0;
    });
    t.equal(feed.unheard.unplaced, 100 - HEARD_OF_DOMAIN);
    t.equal(feed.unheard.flood, 0);
  },
);

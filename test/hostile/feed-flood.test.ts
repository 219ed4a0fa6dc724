import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { FEED_THREAD } from '../../src/assembly/feed/feed-thread.ts';
import { DEFAULT_THRESHOLDS } from '../../src/detect/patterns/kinds.ts';
import { Feed } from '../../src/outbox/feed.ts';
import { mapFile } from '../../src/socket/mapped-file.ts';
import { SETTING } from '../outbox/rig.ts';
import { House } from '../resolve/house.ts';
import { policy } from '../resolve/policy.ts';
import { pause } from '../server/namegate.ts';

const NAMES = Number(process.env.FEED_NAMES ?? 100_000);
/** Between two questions about what another identity asks. */
const EVERY = Math.ceil(NAMES / 8);

const POLICY = policy({
  attacker: { allow: ['*.cdn.example'] },
  other: { allow: ['*.cdn.example'] },
});

t.test(`findings under a flood of ${NAMES} random names`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-feed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const told: string[] = [];
  const feed = new Feed(folder, {
    thread: FEED_THREAD,
    map: mapFile,
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
    heard: ['deny'],
    notices: {
      told: (text) => told.push(text),
      trouble: (text) => told.push(String(text)),
      sink: () => {},
      finding: () => {},
    },
  });
  t.teardown(() => feed.stop());
  const house = new House((content) => t.testdir(content), POLICY);
  house.also = feed.writer;
  feed.start();
  while ((await feed.status()) === null) await pause(20);
  const database = new DatabaseSync(join(folder, 'feed.db'), { readOnly: true });
  const count = database.prepare("SELECT count(*) AS rows FROM finding WHERE body LIKE '%' || ? || '%'");
  const isThere = (name: string): boolean => (count.get(name) as { rows: number }).rows > 0;
  /** Asks for a name whose answer is withheld, and gives the milliseconds until its finding is committed. */
  const finding = async (name: string, from: string): Promise<number> => {
    const began = performance.now();
    await house.ask(name, 'A', { from }, { answer: [`${name} 60 A 10.0.0.1`] });
    while (!isThere(name) && performance.now() - began < 5_000) await pause(5);
    return performance.now() - began;
  };
  const waits: number[] = [];
  const rss = process.memoryUsage().rss;
  for (let asked = 0; asked < NAMES; ) {
    for (let i = 0; i < 200; i++, asked++)
      void house.query(`r${asked}.flood${asked % 977}.example`, 'A', { from: '127.0.0.1' });
    await new Promise((resolve) => setImmediate(resolve));
    if (asked % EVERY < 200)
      waits.push(await finding(`x${asked}.cdn.example`, asked % 3 ? '127.0.0.2' : '127.0.0.1'));
  }
  await feed.stop();
  const slowest = Math.max(...waits);
  t.comment(
    `slowest of ${waits.length}: ${slowest.toFixed(0)} ms; rss grew by ${((process.memoryUsage().rss - rss) / 2 ** 20).toFixed(0)} MiB`,
  );
  t.ok(slowest < 5_000, 'each finding is committed', { slowest });
  const sum = database
    .prepare("SELECT sum(coalesce(body ->> 'count', 1)) AS questions, count(*) AS rows FROM decision")
    .get() as { questions: number; rows: number };
  const lost = database
    .prepare("SELECT coalesce(sum(body ->> 'count'), 0) AS lost FROM finding WHERE kind = 8")
    .get() as { lost: number };
  t.comment(`${sum.rows} events tell of ${sum.questions} questions, ${lost.lost} lost`);
  t.equal(sum.questions + lost.lost, Math.ceil(NAMES / 200) * 200, 'every question is counted');
  t.strictSame(told, []);
  database.close();
});

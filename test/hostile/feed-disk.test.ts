import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { Client } from '../server/client.ts';
import { feedHouse, keptEvents } from '../server/feed.ts';
import { Namegate, until } from '../server/namegate.ts';

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const MIB = 2 ** 20;

t.test(
  'a full disk costs no answer, and what it costs is told',
  { skip: isRoot ? false : 'needs root' },
  async (t) => {
    const folder = feedHouse(t);
    const state = join(folder, 'state');
    mkdirSync(state);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700', 'tmpfs', state]);
    // The test's folder goes before what a teardown does.
    let isMounted = true;
    const unmount = (): void => {
      if (isMounted) execFileSync('umount', ['-l', state]);
      isMounted = false;
    };
    process.once('exit', unmount);
    const server = await new Namegate(t, folder, {
      env: { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' },
    }).started();
    const client = await Client.open(server, 'udp', '127.0.0.11');
    let asked = 0;
    const ask = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await client.ask(`n${asked++}.evil.example`);
      }
    };
    await ask(20);
    await until(async () => (await server.ready()).ready);
    const { bavail, bsize } = statfsSync(state);
    const filler = join(state, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(bavail * bsize + MIB));
    } catch {
      // It is full.
    }
    await ask(20_000);
    await until(async () => {
      await ask(100);
      return !(await server.ready()).ready;
    });
    const { reasons } = await server.ready();
    t.match(reasons, [{ code: 'feed', text: /cannot be written: .*(full|I\/O)/ }], '/ready says why');
    t.ok(server.events('feed-trouble').length >= 1, 'and so does the log');
    rmSync(filler);
    await until(
      async () => (await server.ready()).ready,
      () => server.stderr,
      20_000,
    );
    await ask(50);
    await server.stop(t);
    client.close();
    // On a busy machine the end comes before all is written: the ring keeps it for the next start.
    const again = await new Namegate(t, folder, {
      env: { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' },
    }).started();
    await until(
      () => questionsIn(state) >= asked,
      () => `${questionsIn(state)} of ${asked}`,
    );
    await again.stop(t);
    const events = keptEvents(folder);
    const accounts = accountsIn(state);
    unmount();
    for (const { complete, missing, count } of accounts) {
      if (complete === 1) t.equal(count, asked, 'a complete account has every question');
      else t.match(missing, /no room for a moment/, 'one that is not says why');
    }
    t.equal(accounts.length, 1);
    const of = (kind: string): number =>
      events.reduce((sum, event) => sum + (event.kind === kind ? (event.count ?? 1) : 0), 0);
    t.equal(
      of('deny') + of('dropped'),
      asked,
      `${of('deny')} kept and ${of('dropped')} lost are all ${asked}`,
    );
    t.ok(
      events.every(({ kind, lost }) => kind !== 'dropped' || Object.keys(lost ?? {}).join() === 'builder'),
      'by identity',
    );
  },
);

/** What the history in a state folder says of each account. */
function accountsIn(state: string): Readonly<Record<string, unknown>>[] {
  const database = new DatabaseSync(join(state, 'history.db'), { readOnly: true });
  const rows = database
    .prepare(
      'SELECT complete, missing, sum(count) AS count FROM lease JOIN asked ON asked.lease = lease.number GROUP BY lease.number',
    )
    .all();
  database.close();
  return rows;
}

/** Questions that the events in a state folder tell of, lost ones among them. */
function questionsIn(state: string): number {
  const database = new DatabaseSync(join(state, 'feed.db'), { readOnly: true });
  const sum = `SELECT coalesce(sum(coalesce(body ->> 'count', 1)), 0) AS questions FROM`;
  const of = (from: string): number =>
    (database.prepare(`${sum} ${from}`).get() as { questions: number }).questions;
  const all = of('decision') + of("finding WHERE body ->> 'kind' = 'dropped'");
  database.close();
  return all;
}

import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { type FeedEvent, KINDS } from '../../src/outbox/event.ts';
import { queryOctets } from '../server/client.ts';
import { MovingReceiver } from '../server/feed.ts';
import { fetchText, house, Namegate, pause, until } from '../server/namegate.ts';
import { Random } from '../server/random.ts';
import { upstream } from '../server/upstream.ts';

/** FEED_SEED repeats a run, FEED_ROUNDS makes it longer. */
const SEED = Number(process.env['FEED_SEED'] ?? Date.now() % 2 ** 31);
const ROUNDS = Number(process.env['FEED_ROUNDS'] ?? 6);
const SOURCES = Array.from({ length: 8 }, (_, i) => `127.0.1.${i + 1}`);
const SLOWEST_START = 60_000;

const POLICY = `identities:
${SOURCES.map((source, i) => `  - { name: job-${i}, owner: team, review_by: 2099-01-01, from: { addresses: [${source}] }, allow: [{ name: "*.w.example", types: [A], reason: test }] }`).join('\n')}
`;

/** Asks for ever other approved names: each is an event of its own. Returns what stops it, and says how many were answered. */
async function load(
  t: Test,
): Promise<{ run(port: number): void; stop(): void; readonly counts: [number, number] }> {
  let [sent, answered, port, on] = [0, 0, 0, false];
  const sockets = await Promise.all(
    SOURCES.map(async (source) => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, source, resolve));
      socket.on('error', () => undefined);
      const ask = (): void => {
        sent++;
        socket.send(queryOctets(`n${sent}.w.example`), port, '127.0.0.1');
      };
      socket.on('message', () => {
        answered++;
        if (on) ask();
      });
      t.teardown(() => socket.close());
      return ask;
    }),
  );
  return {
    run: (to) => {
      port = to;
      on = true;
      for (const ask of sockets) for (let i = 0; i < 4; i++) ask();
    },
    stop: () => {
      on = false;
    },
    get counts(): [number, number] {
      return [answered, sent];
    },
  };
}

t.test(`a quota that is full, kills, and a receiver that comes and goes; FEED_SEED=${SEED}`, async (t) => {
  const random = new Random(SEED);
  const up = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 60 A 198.51.100.1`] }));
  const receiver = new MovingReceiver(t);
  await receiver.open();
  const settings = `alerts:
  quota: { decisions: { size: 1MiB } }
  sinks: [{ name: siem, type: otlp, to: "http://127.0.0.1:${receiver.collector.port}", kinds: [allow, heartbeat] }]
`;
  const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings });
  const asking = await load(t);
  for (let round = 0; round < ROUNDS; round++) {
    await receiver.be(random.below(2) > 0);
    const server = await new Namegate(t, folder).started(SLOWEST_START);
    asking.run(server.udp);
    await pause(random.below(1_500));
    await receiver.be(random.below(2) > 0);
    await pause(random.below(1_500));
    server.kill('SIGKILL');
    asking.stop();
    await server.ended;
    await pause(20);
  }
  await receiver.be(true);
  const last = await new Namegate(t, folder).started(SLOWEST_START);
  await until(
    async () => {
      const { body } = await fetchText(`${last.status}/metrics`);
      // What went while it was sent is told some seconds later.
      return /^namegate_feed_sink_events\{sink="siem"\} 0$/m.test(body) && !owes(folder);
    },
    () => `the receiver waits for events: ${last.stderr}`,
    SLOWEST_START,
  );
  await last.stop(t);
  hold(t, receiver.events, numbersOf(folder), asking.counts);
});

function read<T>(folder: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(folder, 'state', 'feed.db'), { readOnly: true });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** Whether a loss is not told yet. */
function owes(folder: string): boolean {
  return read(
    folder,
    (database) => database.prepare("SELECT 1 FROM state WHERE key LIKE 'loss %'").get() !== undefined,
  );
}

/** The last number of allowed questions. */
function numbersOf(folder: string): number {
  return read(folder, (database) => {
    const row = database.prepare('SELECT last FROM sequence WHERE kind = ?').get(KINDS.indexOf('allow'));
    return row?.['last'] as number;
  });
}

/** Each number came, or was told: as lost where it never came. The counts of all are what was answered. */
function hold(t: Test, received: readonly FeedEvent[], last: number, [least, most]: [number, number]): void {
  const events = [...new Map(received.map((event) => [event.id, event])).values()];
  const came = new Set(events.filter(({ kind }) => kind === 'allow').map(({ seq }) => seq));
  const told = { lost: new Set<number>(), doubtful: new Set<number>() };
  let [lost, doubtful] = [0, 0];
  for (const { kind, of, runs, first_seq = 0, last_seq = 0, in_doubt, count = 0 } of events) {
    if (kind !== 'dropped' || of !== 'allow') continue;
    const numbers = in_doubt === true ? told.doubtful : told.lost;
    for (const [first, end] of runs ?? [[first_seq, last_seq]])
      for (let i = first; i <= end; i++) numbers.add(i);
    if (in_doubt === true) doubtful += count;
    else lost += count;
  }
  const all = Array.from({ length: last }, (_, i) => i + 1);
  t.ok(lost > 0, `the quota was full: ${came.size} came, ${lost} are lost, ${doubtful} in doubt`);
  t.strictSame(
    all.filter((i) => !came.has(i) && !told.lost.has(i) && !told.doubtful.has(i)),
    [],
    'each number came or was told',
  );
  t.strictSame(
    all.filter((i) => came.has(i) && told.lost.has(i)),
    [],
    'nothing that came was told as lost',
  );
  const counted = events.reduce((sum, { kind, count = 1 }) => sum + (kind === 'allow' ? count : 0), 0);
  t.ok(counted + lost <= most, `${counted} came and ${lost} were lost, of ${most} that were sent`);
  t.ok(counted + lost + doubtful >= least, `with ${doubtful} in doubt they are ${least} that were answered`);
}

import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Test } from 'tap';
import { type FeedEvent, KINDS, type Kind } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/store.ts';
import { queryOctets } from './client.ts';
import { house, Namegate } from './namegate.ts';
import type { Random } from './random.ts';

const POLICY = `
identities:
  - { name: builder, owner: team-a, review_by: 2099-01-01, from: { addresses: [127.0.0.11] }, allow: [] }
  - { name: tester, owner: team-b, review_by: 2099-01-01, from: { addresses: [127.0.0.12] }, allow: [] }
`;
const SOURCES = { '127.0.0.11': 'builder', '127.0.0.12': 'tester' } as const;
const NAMES = Array.from({ length: 40 }, (_, i) => `n${i}.evil.example`);
const FILE_SINK =
  'alerts: { sinks: [{ name: siem, type: file, to: alerts.jsonl, kinds: [finding, deny, heartbeat] }] }';

/** A house whose server is asked for denied names. */
export function feedHouse(t: Test): string {
  return house(t, {
    policy: POLICY,
    settings: FILE_SINK,
    listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0'],
  });
}

/** The events that a server has kept; it must not run. */
export function keptEvents(folder: string): FeedEvent[] {
  const quota = { octets: 2 ** 40, age: 1e12 };
  const setting = { isDurable: false, decisions: quota, findings: quota, full: 'drop_oldest' } as const;
  const store = new Store({
    path: join(folder, 'state', 'feed.db'),
    setting,
    server: 's',
    version: 'v',
    now: Date.now,
  });
  const all: FeedEvent[] = [];
  for (let at = 0; at < store.last; ) {
    const page = store.page(at, { kinds: new Set(KINDS), minSeverity: 'operations' }, 100_000, 2 ** 30);
    all.push(...page.events.map(({ event }) => event));
    at = page.reached;
  }
  store.close();
  return all;
}

/** Milliseconds: hundreds of starts in a row meet whatever else the machine does. */
const SLOWEST_START = 60_000;

/** Questions by `identity name`. */
export type Tally = Map<string, number>;

function add(tally: Tally, key: string): void {
  addMany(tally, key, 1);
}

function addMany(tally: Tally, key: string, count: number): void {
  tally.set(key, (tally.get(key) ?? 0) + count);
}

/** Asks from several addresses as fast as it is answered, and counts what was sent and what was answered. */
export class Load {
  readonly sent: Tally = new Map();
  readonly answered: Tally = new Map();
  readonly #random: Random;
  readonly #sockets = new Map<string, Socket>();
  readonly #asked = new Map<number, string>();
  #id = 0;
  #port = 0;
  #on = false;

  constructor(random: Random) {
    this.#random = random;
  }

  async open(): Promise<void> {
    for (const source of Object.keys(SOURCES)) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, source, resolve));
      // A port where nobody listens any more.
      socket.on('error', () => {});
      socket.on('message', (reply) => {
        const id = reply.readUInt16BE(0);
        const key = this.#asked.get(id);
        this.#asked.delete(id);
        if (key === undefined) return;
        add(this.answered, key);
        if (this.#on) this.#ask(source);
      });
      this.#sockets.set(source, socket);
    }
  }

  /** `window`: questions under way from each address. */
  start(port: number, window: number): void {
    this.#port = port;
    this.#on = true;
    this.#asked.clear();
    for (const source of this.#sockets.keys()) for (let i = 0; i < window; i++) this.#ask(source);
  }

  stop(): void {
    this.#on = false;
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  #ask(source: string): void {
    const name = this.#random.pick(NAMES);
    const key = `${SOURCES[source as keyof typeof SOURCES]} ${name}`;
    this.#id = (this.#id + 1) & 0xffff;
    this.#asked.set(this.#id, key);
    add(this.sent, key);
    this.#sockets.get(source)!.send(queryOctets(name, { id: this.#id }), this.#port, '127.0.0.1');
  }
}

/** Loads, kills and starts a server again and again, and then holds what it kept to what was asked. */
export async function killLoop(t: Test, rounds: number, random: Random): Promise<void> {
  const folder = feedHouse(t);
  const load = new Load(random);
  await load.open();
  t.teardown(() => load.close());
  for (let round = 0; round < rounds; round++) {
    const server = await new Namegate(t, folder, {
      env: { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' },
    }).started(SLOWEST_START);
    load.start(server.udp, 1 + random.below(30));
    await new Promise((resolve) => setTimeout(resolve, random.below(600)));
    server.kill('SIGKILL');
    load.stop();
    await server.ended;
    // What the kernel has for us is read before the next round.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const last = await new Namegate(t, folder, { env: { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' } }).started();
  await last.stop(t);
  const events = keptEvents(folder);
  const dropped = hold(t, events, load);
  holdReceiver(t, folder, events);
  // What never came out of the ring is in no history either; its leases say that they lack something.
  if (dropped === 0) holdHistory(t, folder, load);
}

/** The receiver has each event at least once; what it has twice differs by the delivery alone, and nothing by its order. */
function holdReceiver(t: Test, folder: string, events: readonly FeedEvent[]): void {
  const wanted = new Map(
    events.filter(({ kind }) => kind === 'deny' || kind === 'heartbeat').map((event) => [event.id, event]),
  );
  const got = new Map<string, string>();
  const different: string[] = [];
  const newest = new Map<string, number>();
  for (const line of readFileSync(join(folder, 'alerts.jsonl'), 'utf8').split('\n').slice(0, -1)) {
    const { sent: _sent, ...event } = JSON.parse(line) as FeedEvent & { sent: string };
    const text = JSON.stringify(event);
    const before = got.get(event.id);
    if (before !== undefined && before !== text) different.push(event.id);
    const last = newest.get(event.kind) ?? 0;
    if (before === undefined && event.seq <= last) different.push(`${event.kind} ${event.seq} after ${last}`);
    newest.set(event.kind, Math.max(last, event.seq));
    got.set(event.id, text);
  }
  t.strictSame(different, [], 'events that came twice differ by their delivery alone, and come in order');
  t.strictSame(
    [...wanted.keys()].filter((id) => !got.has(id)),
    [],
    'the receiver has every event',
  );
}

/** Each answered question is counted in exactly one row of the history, and no account lacks anything. */
function holdHistory(t: Test, folder: string, { sent, answered }: Load): void {
  const database = new DatabaseSync(join(folder, 'state', 'history.db'), { readOnly: true });
  const counted: Tally = new Map();
  const rows = database
    .prepare("SELECT identity, name, folded, count FROM question WHERE verdict = 'deny'")
    .all();
  for (const { identity, name, folded, count } of rows) {
    t.equal(folded, 0);
    const key = `${identity} ${name}`;
    counted.set(key, (counted.get(key) ?? 0) + (count as number));
  }
  const wrong = [...sent].filter(([key, most]) => {
    const has = counted.get(key) ?? 0;
    return has < (answered.get(key) ?? 0) || has > most;
  });
  t.strictSame(wrong, [], 'the history has every answered question, and none twice');
  t.strictSame(
    database
      .prepare('SELECT DISTINCT complete, missing FROM lease')
      .all()
      .map((row) => ({ ...row })),
    [{ complete: 1, missing: null }],
  );
  database.close();
}

/**
 * Each answered question is in exactly one event, or was counted as dropped: where the machine never lets the worker run before
 * the next kill, the ring is full some day. No number is missing or comes twice. Returns how many were dropped.
 */
export function hold(t: Test, events: readonly FeedEvent[], { sent, answered }: Load): number {
  const counted: Tally = new Map();
  const perIdentity: Tally = new Map();
  let dropped = 0;
  for (const { kind, identity = '', name, count = 1, lost = {} } of events) {
    for (const [whose, some] of Object.entries(lost)) addMany(perIdentity, whose, some);
    if (kind === 'dropped') dropped += count;
    if (kind !== 'deny') continue;
    addMany(counted, `${identity} ${name}`, count);
    addMany(perIdentity, identity, count);
  }
  if (dropped > 0) t.comment(`${dropped} questions were dropped, and are counted as such`);
  const isWithin = (has: number, least: number, most: number): boolean => has >= least && has <= most;
  const wrong = [...sent].filter(([key, most]) => {
    const least = dropped > 0 ? 0 : (answered.get(key) ?? 0);
    return !isWithin(counted.get(key) ?? 0, least, most);
  });
  t.strictSame(wrong, [], 'every answered question is counted, and none twice');
  for (const identity of Object.values(SOURCES)) {
    const sum = (tally: Tally): number =>
      [...tally].reduce((all, [key, some]) => all + (key.startsWith(`${identity} `) ? some : 0), 0);
    const [least, most] = [sum(answered), sum(sent)];
    const has = perIdentity.get(identity) ?? 0;
    t.ok(isWithin(has, least, most), `${identity}: ${least} answered, ${has} told of, ${most} sent`);
  }
  const total = [...answered.values()].reduce((sum, each) => sum + each, 0);
  t.ok(total > 100, `${total} questions were answered`);
  for (const kind of ['deny', 'heartbeat'] as const satisfies Kind[]) {
    const numbers = events
      .flatMap((event) => {
        if (event.kind === kind) return [event.seq];
        if (event.kind !== 'dropped' || event.of !== kind) return [];
        const { first_seq: first = 0, last_seq: last = -1 } = event;
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      })
      .sort((a, b) => a - b);
    t.strictSame(
      numbers,
      numbers.map((_, i) => i + 1),
      `${kind}: numbers without gaps`,
    );
  }
  const ids = new Set(events.map(({ id }) => id));
  t.equal(ids.size, events.length, 'every id is another');
  return dropped;
}

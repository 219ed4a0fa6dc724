import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Test } from 'tap';
import { type FeedEvent, KINDS, type Kind } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/event-store.ts';
import { Collector } from '../outbox/sinks/collector.ts';
import { queryOctets } from './client.ts';
import { fetchText, house, Namegate, until } from './namegate.ts';
import type { Random } from './random.ts';

const POLICY = `
identities:
  - { name: builder, owner: team-a, review_by: 2099-01-01, from: { addresses: [127.0.0.11] }, allow: [] }
  - { name: tester, owner: team-b, review_by: 2099-01-01, from: { addresses: [127.0.0.12] }, allow: [] }
`;
const SOURCES = { '127.0.0.11': 'builder', '127.0.0.12': 'tester' } as const;
const NAMES = Array.from({ length: 40 }, (_, i) => `n${i}.evil.example`);
const FILE_SINK = '{ name: siem, type: file, to: alerts.jsonl, kinds: [finding, deny, heartbeat] }';

/** A house whose server is asked for denied names. `more`: another sink. */
export function feedHouse(t: Test, more = ''): string {
  return house(t, {
    policy: POLICY,
    settings: `alerts: { sinks: [${FILE_SINK}${more === '' ? '' : `, ${more}`}] }`,
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

/** A receiver that is up and down as chance has it. */
export class MovingReceiver {
  readonly collector = new Collector();
  readonly #t: Test;
  #isUp = true;

  constructor(t: Test) {
    this.#t = t;
  }

  async open(): Promise<string> {
    await this.collector.listen(this.#t);
    const to = `http://127.0.0.1:${this.collector.port}`;
    return `{ name: collector, type: otlp, to: "${to}", kinds: [finding, deny, heartbeat] }`;
  }

  async be(isUp: boolean): Promise<void> {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (isUp) await this.collector.listen(this.#t, this.collector.port);
    else this.collector.close();
  }

  get events(): FeedEvent[] {
    return this.collector.received.map(({ body }) => body as unknown as FeedEvent);
  }
}

/** Loads, kills and starts a server again and again, and then holds what it kept and sent to what was asked. */
export async function killLoop(t: Test, rounds: number, random: Random): Promise<void> {
  const receiver = new MovingReceiver(t);
  const folder = feedHouse(t, await receiver.open());
  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' };
  const load = new Load(random);
  await load.open();
  t.teardown(() => load.close());
  const wait = (most: number) => new Promise((resolve) => setTimeout(resolve, random.below(most)));
  for (let round = 0; round < rounds; round++) {
    await receiver.be(random.below(3) > 0);
    const server = await new Namegate(t, folder, { env }).started(SLOWEST_START);
    load.start(server.udp, 1 + random.below(30));
    await wait(300);
    await receiver.be(random.below(3) > 0);
    await wait(300);
    server.kill('SIGKILL');
    load.stop();
    await server.ended;
    // What the kernel has for us is read before the next round.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  await receiver.be(true);
  const last = await new Namegate(t, folder, { env }).started(SLOWEST_START);
  const owed = /^namegate_feed_sink_events\{sink="collector"\} 0$/m;
  await until(
    async () => owed.test((await fetchText(`${last.status}/metrics`)).body),
    () => `the receiver waits for events: ${last.stderr}`,
    SLOWEST_START,
  );
  await last.stop(t);
  const events = keptEvents(folder);
  hold(t, events, load);
  const lines = readFileSync(join(folder, 'alerts.jsonl'), 'utf8').split('\n').slice(0, -1);
  holdReceiver(
    t,
    'file',
    events,
    lines.map((line) => JSON.parse(line) as FeedEvent),
  );
  holdReceiver(t, 'collector', events, receiver.events);
  t.strictSame(receiver.collector.faults, [], 'each request is one of OTLP');
  holdHistory(t, folder, load);
}

/** The receiver has each event at least once; what it has twice differs by the delivery alone, and nothing by its order. */
function holdReceiver(
  t: Test,
  name: string,
  events: readonly FeedEvent[],
  received: readonly FeedEvent[],
): void {
  const wanted = new Map(
    events.filter(({ kind }) => kind === 'deny' || kind === 'heartbeat').map((event) => [event.id, event]),
  );
  const got = new Map<string, string>();
  const different: string[] = [];
  const newest = new Map<string, number>();
  for (const { sent: _sent, ...event } of received as (FeedEvent & { sent: string })[]) {
    const text = JSON.stringify(event);
    const before = got.get(event.id);
    if (before !== undefined && before !== text) different.push(event.id);
    const last = newest.get(event.kind) ?? 0;
    if (before === undefined && event.seq <= last) different.push(`${event.kind} ${event.seq} after ${last}`);
    newest.set(event.kind, Math.max(last, event.seq));
    got.set(event.id, text);
  }
  t.strictSame(
    different,
    [],
    `${name}: what came twice differs by its delivery alone, and all comes in order`,
  );
  t.strictSame(
    [...wanted.keys()].filter((id) => !got.has(id)),
    [],
    `${name}: the receiver has every event`,
  );
  t.comment(`${name}: ${received.length - got.size} of ${received.length} came again`);
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

/** Each answered question is in exactly one event, and nothing was dropped. No number is missing or comes twice. */
function hold(t: Test, events: readonly FeedEvent[], { sent, answered }: Load): void {
  const counted: Tally = new Map();
  for (const { kind, identity = '', name, count = 1 } of events)
    if (kind === 'deny') addMany(counted, `${identity} ${name}`, count);
  t.strictSame(
    events.filter(({ kind }) => kind === 'dropped'),
    [],
    'nothing is dropped',
  );
  const wrong = [...sent].filter(([key, most]) => {
    const has = counted.get(key) ?? 0;
    return has < (answered.get(key) ?? 0) || has > most;
  });
  t.strictSame(wrong, [], 'every answered question is counted, and none twice');
  const total = [...answered.values()].reduce((sum, each) => sum + each, 0);
  t.ok(total > 100, `${total} questions were answered, and ${events.length} events tell of them`);
  for (const kind of ['deny', 'heartbeat'] as const satisfies Kind[]) {
    const numbers = events.filter((event) => event.kind === kind).map(({ seq }) => seq);
    t.strictSame(
      numbers,
      numbers.map((_, i) => i + 1),
      `${kind}: numbers without gaps`,
    );
  }
  const ids = new Set(events.map(({ id }) => id));
  t.equal(ids.size, events.length, 'every id is another');
}

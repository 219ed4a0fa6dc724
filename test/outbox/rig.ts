import { join } from 'node:path';
import type { Test } from 'tap';
import { suffixTable } from '../../src/config/policy/suffixes.ts';
import type { FeedEvent, Kind, Selection } from '../../src/outbox/event.ts';
import { KINDS } from '../../src/outbox/event.ts';
import { Store } from '../../src/outbox/event-store.ts';
import { FeedLoop, keptPosition } from '../../src/outbox/feed-loop.ts';
import { FeedWriter } from '../../src/outbox/feed-writer.ts';
import type { Follower } from '../../src/outbox/follower.ts';
import { registeredDomains } from '../../src/outbox/registered-domains.ts';
import { openRing, type Ring } from '../../src/outbox/ring.ts';
import { RingReader } from '../../src/outbox/ring-reader.ts';
import { RingWriter } from '../../src/outbox/ring-writer.ts';
import type { StoreSetting } from '../../src/outbox/store-options.ts';
import { House } from '../resolve/house.ts';

const LARGE = { octets: 2 ** 30, age: 400 * 86_400_000 };
export const SETTING: StoreSetting = {
  isDurable: false,
  decisions: LARGE,
  findings: LARGE,
  full: 'drop_oldest',
};
const ALL: Selection = { kinds: new Set(KINDS), minSeverity: 'operations' };

/** The story, the ring and the worker's loop in one thread: a test turns the clock and says when the loop has its turn. */
export class Rig {
  readonly house: House;
  readonly ring: Ring;
  readonly path: string;
  writer!: FeedWriter;
  ringWriter!: RingWriter;
  store!: Store;
  loop!: FeedLoop;
  /** Those that the next `open` begins with. */
  followers: readonly Follower[] = [];
  readonly #t: Test;

  constructor(t: Test, policy: string, kinds: readonly Kind[] = KINDS, settings: object = {}) {
    this.#t = t;
    const folder = t.testdir({});
    this.path = join(folder, 'feed.db');
    this.house = new House((content) => t.testdir(content), policy, settings);
    this.ring = openRing(null, () => '');
    this.begin(kinds);
    this.open();
  }

  /** The query thread of another run begins: the ring is what the one before left. */
  begin(kinds: readonly Kind[] = KINDS): void {
    this.ringWriter = new RingWriter(this.ring.memory);
    this.writer = new FeedWriter(this.ringWriter, this.now - this.house.now);
    this.writer.want(kinds, kinds);
    this.house.also = this.writer;
  }

  /** The worker of another run begins, after whatever became of the one before. */
  open(): void {
    const now = () => this.now;
    this.store = new Store({ path: this.path, setting: SETTING, server: 'ns1', version: '1', now });
    this.#t.teardown(() => this.store.close());
    const reader = new RingReader(
      { memory: this.ring.memory as SharedArrayBuffer },
      keptPosition(this.store),
    );
    this.loop = new FeedLoop(this.store, reader, registeredDomains(suffixTable), now, this.followers);
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.house.epoch * 1000;
  }

  /** Lets the loop take all there is, and gives the events that there are new. */
  take(all = false): FeedEvent[] {
    const before = this.store.last;
    for (let i = 0; i < 10_000; i++) {
      const { isFull, fault } = this.loop.round(all);
      if (fault !== null) throw fault;
      if (!isFull) break;
    }
    return this.events(before);
  }

  events(after = 0): FeedEvent[] {
    const found: FeedEvent[] = [];
    for (let at = after; ; ) {
      const { events, reached } = this.store.page(at, ALL, 10_000, 2 ** 30);
      found.push(...events.map(({ event }) => event));
      if (events.length === 0 && reached >= this.store.last) return found;
      at = reached;
    }
  }
}

/** Questions that events of a kind stand for. */
export function sumOf(events: readonly FeedEvent[], kind: Kind): number {
  return events.reduce(
    (sum, event) => sum + (event.kind === kind || event.of === kind ? (event.count ?? 1) : 0),
    0,
  );
}

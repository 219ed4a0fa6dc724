import { buildTrust, type ClientTrust } from '../../identity/client-trust.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { GrantOrder } from '../../resolve/grants/grant-line.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { GrantFeedSetting } from '../../settings/enforce-settings.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { FeedDoor } from './feed-door.ts';
import { type FeedCounts, GrantFeed } from './grant-feed.ts';

/** A line of the log about one feed and matter is written once in this time; what came since is counted. */
const REPEAT_MS: Milliseconds = 10_000;

export interface FeedRooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly readiness: Pick<Readiness, 'raise' | 'clear'>;
  /** Milliseconds that an answer waits. */
  readonly wait: () => Milliseconds;
  readonly snapshot: () => Iterator<readonly GrantOrder[]>;
  readonly bug: (error: unknown) => void;
}

interface OpenFeed {
  readonly feed: GrantFeed;
  readonly door: FeedDoor;
  readonly awaited: boolean;
}

/** The feeds of the server file: who listens where, and who is told what of them. */
export class Feeds {
  readonly #rooms: FeedRooms;
  readonly #feeds: readonly OpenFeed[];
  readonly #synced = new Map<string, number>();
  /** Feeds that answers wait for and nobody follows, each with why. */
  readonly #alone = new Map<string, string>();
  readonly #told = new Map<string, { at: Monotonic; more: number }>();

  /** Throws where a certificate and its key are none. */
  constructor(settings: readonly GrantFeedSetting[], rooms: FeedRooms) {
    this.#rooms = rooms;
    this.#feeds = settings.map((setting) => this.#make(setting));
  }

  get awaited(): readonly GrantFeed[] {
    return this.#feeds.filter(({ awaited }) => awaited).map(({ feed }) => feed);
  }

  get followers(): readonly GrantFeed[] {
    return this.#feeds.filter(({ awaited }) => !awaited).map(({ feed }) => feed);
  }

  /** Tells all of them what no answer waits for. */
  order(orders: readonly GrantOrder[]): void {
    for (const { feed } of this.#feeds) feed.order(orders, null);
  }

  /** By the name of the feed. */
  get counts(): (readonly [string, FeedCounts])[] {
    return this.#feeds.map(({ feed }) => [feed.name, feed.counts] as const);
  }

  /** Resolves when all listen. Rejects with what to do. */
  async start(): Promise<void> {
    for (const { feed, awaited, door } of this.#feeds) {
      if (awaited) this.#alone.set(feed.name, 'nobody has connected yet');
      this.#ready();
      await door.start();
    }
  }

  /** Other certificates and names are in force. Who is in and may be no more is out. */
  take(settings: readonly GrantFeedSetting[]): void {
    for (const { feed, door } of this.#feeds) {
      const setting = settings.find(({ name }) => name === feed.name);
      if (setting === undefined) continue;
      const trust = this.#trustOf(setting);
      if (setting.at.kind === 'tls' && trust === null) continue;
      try {
        door.update(setting.at, trust);
      } catch (error) {
        this.#rooms.log.error('enforce-trouble', `the feed ${feed.name} keeps its certificate`, { error });
      }
      feed.review((name) => door.takes(name));
    }
  }

  close(): void {
    for (const { feed, door } of this.#feeds) {
      feed.close();
      door.close();
    }
  }

  #make(setting: GrantFeedSetting): OpenFeed {
    const { name, at } = setting;
    const { clock, wait, snapshot, bug } = this.#rooms;
    const awaited = setting.class === 'wait';
    const feed = new GrantFeed({
      name,
      awaited,
      wait,
      snapshot,
      now: () => clock.monotonic(),
      heard: {
        changed: (_name, synced, text) => this.#changed(name, awaited, synced, text),
        fault: (_name, text) => this.#tell(name, `could not do what it was told: ${text}`),
        bug,
      },
    });
    const door = new FeedDoor(at, this.#trustOf(setting), {
      arrived: (socket, who) => {
        if (!feed.join(socket, who)) this.#tell(name, 'has as many consumers as it takes');
      },
      refused: (why) => this.#tell(name, `refused a consumer: ${why}`),
      epoch: () => clock.epoch(),
    });
    return { feed, door, awaited };
  }

  #trustOf({ name, at }: GrantFeedSetting): ClientTrust | null {
    if (at.kind === 'unix') return null;
    const { trust, problems } = buildTrust(at.tls, this.#rooms.clock.epoch());
    for (const { message, fix } of problems) this.#tell(name, `${message}: ${fix}`);
    return trust;
  }

  #changed(name: string, awaited: boolean, synced: number, text: string): void {
    const { log } = this.#rooms;
    const before = this.#synced.get(name) ?? 0;
    this.#synced.set(name, synced);
    if (synced > before) log.info('enforce-session', `the feed ${name}: ${text}`, { feed: name, synced });
    else this.#tell(name, text);
    if (!awaited) return;
    if (synced > 0) this.#alone.delete(name);
    else this.#alone.set(name, text);
    this.#ready();
  }

  #ready(): void {
    const { readiness } = this.#rooms;
    const [first] = this.#alone;
    if (first === undefined) readiness.clear('enforce-feed');
    else {
      const names = [...this.#alone.keys()].join(', ');
      const text = `nobody follows the feed ${names}, and answers wait for it (${first[1]}): start its enforcer`;
      readiness.raise('enforce-feed', text);
    }
  }

  #tell(name: string, text: string): void {
    const { log, clock } = this.#rooms;
    const now = clock.monotonic();
    const known = this.#told.get(name);
    if (known !== undefined && now - known.at < REPEAT_MS) {
      known.more++;
      return;
    }
    const more = known === undefined || known.more === 0 ? {} : { more: known.more };
    this.#told.set(name, { at: now, more: 0 });
    log.warn('enforce-trouble', `the feed ${name}: ${text}`, { feed: name, ...more });
  }
}

import { join } from 'node:path';
import type { Test } from 'tap';
import { suffixTable } from '../../src/config/policy/suffixes.ts';
import { History } from '../../src/history/history.ts';
import { CountReader } from '../../src/outbox/count-table.ts';
import { CountWriter } from '../../src/outbox/count-writer.ts';
import type { Follower } from '../../src/outbox/follower.ts';
import { registeredDomains } from '../../src/outbox/registered-domains.ts';
import { openCounts, type Ring } from '../../src/outbox/ring.ts';
import type { Observer } from '../../src/resolve/story/story-ports.ts';
import { Rig } from '../outbox/rig.ts';

const DAY = 86_400_000;

/** The story, the ring, the table of counts and the history, in one thread. */
export class HistoryRig {
  readonly feed: Rig;
  readonly folder: string;
  counts: Ring;
  readonly damages: string[] = [];
  history!: History;
  #writer!: CountWriter;

  constructor(
    t: Test,
    policy: string,
    setting: { keep: number; size: number } = { keep: 30 * DAY, size: 2 ** 30 },
  ) {
    this.feed = new Rig(t, policy, []);
    this.folder = t.testdir({ 'history-here': '' });
    this.counts = openCounts(null, () => '');
    this.begin();
    this.open(setting);
    t.teardown(() => this.history.close());
  }

  /** The query thread of another run begins: ring and table are what the one before left. */
  begin(): void {
    const { feed } = this;
    feed.begin([]);
    const secret = crypto.getRandomValues(new Uint32Array(2));
    this.#writer = new CountWriter(feed.writer.slots, this.counts.memory, secret);
    const writer = this.#writer;
    const both: Observer = {
      waits: (turn) => writer.waits(turn),
      decided: (turn) => feed.writer.decided(turn),
      overspent: (turn) => feed.writer.overspent(turn),
      ended(turn, length) {
        feed.writer.ended(turn, length);
        writer.ended(turn, length);
      },
      left() {},
      bug(error) {
        throw error;
      },
    };
    feed.house.also = both;
  }

  /** The worker of another run begins. */
  open(setting: { keep: number; size: number } = { keep: 30 * DAY, size: 2 ** 30 }): void {
    const counts = new CountReader({ memory: this.counts.memory as SharedArrayBuffer });
    const place = {
      folder: this.folder,
      ring: 'ring',
      counts,
      setting: { history: setting },
      registered: registeredDomains(suffixTable),
      now: () => this.feed.now,
      damaged: (text: string) => void this.damages.push(text),
    };
    this.history = new History(place, setting);
    this.feed.followers = [this.history as unknown as Follower];
    this.feed.open();
  }

  /** Lets the worker take all there is, and the counts with it. */
  take(): void {
    this.feed.house.pass(3);
    this.feed.take();
    this.feed.take();
  }

  get path(): string {
    return join(this.folder, 'history.db');
  }
}

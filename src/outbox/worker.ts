import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { type DatabaseRefusal, keepAside } from '../database/database.ts';
import type { SuffixTable } from '../policy/pattern/suffix.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import { CountReader } from './count-table.ts';
import { Store } from './event-store.ts';
import { FeedLoop, keptPosition } from './feed-loop.ts';
import type { FeedJob, FeedOrder, FeedReport, RequestAnswer } from './feed-messages.ts';
import type { FeedSetting } from './feed-setting.ts';
import type { Follower, OpenFollower } from './follower.ts';
import { OwnLookups } from './own-lookups.ts';
import { registeredDomains } from './registered-domains.ts';
import {
  doRequest,
  type FeedRequest,
  type FollowerAnswer,
  type FollowerRequest,
  type SinkReach,
} from './requests.ts';
import { type RingPlace, RingReader } from './ring-reader.ts';
import type { DeliveryState } from './sinks/sink.ts';
import { yieldToQueries } from './worker-priority.ts';

/** What else runs in the worker: it reads the store's events, and is told when there are more. */
export interface Delivery extends SinkReach {
  configure(setting: FeedSetting): void;
  committed(): void;
  renew(): void;
  states(): readonly DeliveryState[];
  close(): Promise<void>;
}

export interface WorkerParts {
  /** The public suffix list. */
  readonly suffixes: () => SuffixTable;
  readonly delivery:
    | ((store: Store, setting: FeedSetting, onChange: (state: DeliveryState) => void) => Delivery)
    | null;
  readonly followers?: readonly OpenFollower[];
}

/** Between two looks at the ring, and at a disk that could not be written. */
const PAUSE_MS: Milliseconds = 100;
const RETRY_MS: Milliseconds = 1_000;
/** Until what was asked before a question of a person is written down. */
const REACH_MS: Milliseconds = 5_000;
/** At an end that cannot be written, tries before what waits is left in the ring. */
const LAST_TRIES = 3;
/** The worker's life: opens the store, takes what the ring has, and ends when it is told to. */
export async function runFeedWorker(port: MessagePort, job: FeedJob, parts: WorkerParts): Promise<void> {
  const say = (report: FeedReport): void => port.postMessage(report);
  const worker = new FeedWorker(job, parts, say);
  port.on('message', (order: FeedOrder) => {
    if (order.say === 'stop') void worker.stop().then(() => port.close());
    else worker.take(order);
  });
  worker.start(() => port.close());
}

class FeedWorker {
  readonly #job: FeedJob;
  readonly #parts: WorkerParts;
  readonly #say: (report: FeedReport) => void;
  #setting: FeedSetting;
  #store: Store | null = null;
  #loop: FeedLoop | null = null;
  #delivery: Delivery | null = null;
  readonly #ownLookups = new OwnLookups();
  #followers: Follower[] = [];
  #files: number[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  #trouble: string | null = null;
  #isCaughtUp = false;
  #isStopping = false;

  constructor(job: FeedJob, parts: WorkerParts, say: (report: FeedReport) => void) {
    this.#job = job;
    this.#parts = parts;
    this.#say = say;
    this.#setting = job.setting;
  }

  /** `giveUp` is called where trying again is of no use. */
  start(giveUp: () => void): void {
    try {
      this.#open();
    } catch (error) {
      const { why = 'system', message } = error as Partial<DatabaseRefusal> & Error;
      if (why === 'newer') {
        this.#say({ said: 'refused', text: message });
        giveUp();
        return;
      }
      if (why === 'damaged' && this.#keepAside(message)) {
        this.start(giveUp);
        return;
      }
      this.#tell(message);
      if (!this.#isStopping) this.#timer = setTimeout(() => this.start(giveUp), RETRY_MS);
      return;
    }
    this.#tell(null);
    this.#turn();
  }

  take(order: Exclude<FeedOrder, { readonly say: 'stop' }>): void {
    if (order.say === 'configure') {
      this.#setting = order.setting;
      this.#store?.configure(order.setting.store, order.setting.sinks);
      this.#loop?.keep(order.setting.kinds);
      this.#ownLookups.configure(order.setting.sinks);
      this.#delivery?.configure(order.setting);
      for (const follower of this.#followers) follower.configure?.(order.setting);
      return;
    }
    if (order.say === 'renew') {
      this.#delivery?.renew();
      return;
    }
    if (order.say === 'request') {
      void this.#do(order.request).then((answer) => this.#say({ said: 'done', id: order.id, answer }));
      return;
    }
    const store = this.#store;
    if (store === null) return;
    const { faults, open } = this.#loop!;
    this.#say({
      said: 'status',
      id: order.id,
      status: {
        sinks: this.#delivery?.states() ?? [],
        store: store.status(),
        faults,
        open,
        figures: Object.assign({}, ...this.#followers.map((follower) => follower.figures?.())),
        trouble: this.#trouble,
      },
    });
  }

  async #do(request: FeedRequest): Promise<RequestAnswer> {
    const { server, version } = this.#job;
    const store = this.#store;
    if (store === null) return this.#trouble ?? 'the events are not to be had yet';
    try {
      if (request.ask === 'follower') return await this.#askFollowers(request);
      return await doRequest(request, { store, delivery: this.#delivery, server, version, now: Date.now });
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Reads on until the ring's place is reached: whoever answers has heard of all that was asked before. */
  async #askFollowers({ after, question }: FollowerRequest): Promise<FollowerAnswer | string> {
    const loop = this.#loop!;
    const until = performance.now() + REACH_MS;
    while (after !== null && !loop.hasReached(after)) {
      const { slots, fault } = loop.round();
      if (fault === null && slots > 0) continue;
      const why = fault?.message ?? this.#trouble;
      if (performance.now() >= until)
        return `not all that was asked is written down yet${why === null ? '' : `, for ${why}`}: try again`;
      await pause(PAUSE_MS);
    }
    for (const follower of this.#followers) {
      const told = follower.answer?.(question);
      if (told !== undefined) return { told };
    }
    return 'nobody here knows that';
  }

  /** Takes what is in the ring, writes what is in hand, and closes all. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#timer !== null) {
      clearTimeout(this.#timer as NodeJS.Timeout);
      clearImmediate(this.#timer as NodeJS.Immediate);
    }
    const loop = this.#loop;
    for (let tries = 0; loop !== null && tries < LAST_TRIES; ) {
      const { slots, fault } = loop.round(true);
      if (fault !== null) tries++;
      else if (slots === 0) break;
    }
    this.#delivery?.committed();
    await this.#delivery?.close();
    for (const follower of this.#followers) follower.close();
    this.#store?.close();
    this.#closeFiles();
  }

  #open(): void {
    const { store: path, server, version, ring, counts: table } = this.#job;
    const now = Date.now;
    const store = new Store({ path, setting: this.#setting.store, server, version, now });
    try {
      store.configure(this.#setting.store, this.#setting.sinks);
      const reader = new RingReader(this.#placeOf(ring), keptPosition(store));
      const registered = registeredDomains(this.#parts.suffixes);
      const setting = this.#setting;
      const counts = new CountReader(this.#placeOf(table));
      const damaged = (text: string, copy: string): void => this.#say({ said: 'damaged', text, copy });
      const kept = (prefix: string): Iterable<readonly [string, string]> => store.state(prefix);
      for (const open of this.#parts.followers ?? [])
        this.#followers.push(
          open({
            folder: dirname(path),
            ring: reader.id,
            server,
            setting,
            counts,
            registered,
            now,
            kept,
            damaged,
          }),
        );
      this.#loop = new FeedLoop(store, reader, registered, now, this.#followers);
      this.#loop.keep(setting.kinds);
      this.#ownLookups.configure(setting.sinks);
      this.#loop.leaveOut(this.#ownLookups);
      this.#loop.hear((findings) => this.#say({ said: 'findings', findings }));
    } catch (error) {
      for (const follower of this.#followers.splice(0)) follower.close();
      this.#closeFiles();
      store.close();
      throw error;
    }
    this.#store = store;
    this.#delivery =
      this.#parts.delivery?.(store, this.#setting, (state) => this.#say({ said: 'sink', state })) ?? null;
  }

  #placeOf(memory: string | SharedArrayBuffer): RingPlace {
    if (typeof memory !== 'string') return { memory };
    const file = openSync(memory, 'r+');
    this.#files.push(file);
    return { file };
  }

  #closeFiles(): void {
    for (const file of this.#files.splice(0)) closeSync(file);
  }

  #turn(): void {
    if (this.#isStopping) return;
    const before = this.#store!.last;
    const { isFull, fault } = this.#loop!.round();
    if (fault !== null) {
      this.#tell(fault.message);
      this.#shrink();
      this.#timer = setTimeout(() => this.#turn(), RETRY_MS);
      return;
    }
    this.#tell(null);
    if (!isFull && !this.#isCaughtUp) this.#catchUp();
    if (this.#store!.last !== before) this.#delivery?.committed();
    // Others of this thread have their turn in between.
    this.#timer = isFull ? setImmediate(() => this.#turn()) : setTimeout(() => this.#turn(), PAUSE_MS);
  }

  #tell(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#say({ said: 'trouble', text: trouble });
    if (trouble !== null) yieldToQueries();
  }

  /** The server waits for what another run left, so that is taken at full speed. From then on queries come first. */
  #catchUp(): void {
    this.#isCaughtUp = true;
    yieldToQueries();
    this.#say({ said: 'caught-up' });
  }

  #shrink(): void {
    try {
      this.#store!.shrink();
    } catch {
      // The next try says so.
    }
  }

  #keepAside(text: string): boolean {
    const copy = keepAside(this.#job.store);
    if (copy !== null) this.#say({ said: 'damaged', text, copy });
    return copy !== null;
  }
}

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Milliseconds, type Monotonic, unreachable } from '../wire/quantity.ts';
import { CountWriter } from './count-writer.ts';
import type { Draft } from './draft.ts';
import { KINDS, type Kind } from './event.ts';
import type { FeedJob, FeedOrder, FeedReport, RequestAnswer, WorkerStatus } from './feed-messages.ts';
import type { FeedSetting } from './feed-setting.ts';
import { FeedWriter } from './feed-writer.ts';
import { OutcomeWriter } from './outcome-writer.ts';
import type { FeedRequest } from './requests.ts';
import { type MapFile, openCounts, openRing } from './ring.ts';
import { RingWriter } from './ring-writer.ts';
import type { DeliveryState } from './sinks/sink.ts';

/** Before a worker that has ended is started again, doubled each time that it ends soon. */
const FIRST_WAIT_MS: Milliseconds = 1_000;
const LONGEST_WAIT_MS: Milliseconds = 60_000;
/** A worker that ran so long is not one that ends soon. */
const SOUND_MS: Milliseconds = 60_000;
const STOP_MS: Milliseconds = 3_000;
const STATUS_MS: Milliseconds = 2_000;
const REQUEST_MS: Milliseconds = 15_000;

/** Who is told how the feed is. */
export interface FeedNotices {
  /** Events cannot be written, or null when they can again. The ring takes what it can, and what it cannot is counted. */
  trouble(text: string | null): void;
  /** Something that happened once, such as a worker that ended; the feed goes on. */
  told(text: string): void;
  /** What detectors noticed began, rose, or is over. */
  finding(finding: Draft): void;
  /** A sink is in trouble, is refused, or is in order again. */
  sink(state: DeliveryState): void;
}

export interface FeedOptions {
  /** The worker's entry. */
  readonly thread: URL;
  readonly map: MapFile;
  readonly server: string;
  readonly version: string;
  readonly setting: FeedSetting;
  /** The kinds that sinks take, and those that detectors hear. */
  readonly taken: Iterable<Kind>;
  readonly heard?: Iterable<Kind>;
  readonly notices: FeedNotices;
}

/** The query thread's handle on the feed: the ring that it writes, and the worker that takes what is in it. */
export class Feed {
  readonly writer: FeedWriter;
  /** Counts questions for the history. */
  readonly counts: CountWriter;
  readonly outcomes: OutcomeWriter;
  /** Times that the worker was started again. */
  restarts = 0;
  readonly #options: FeedOptions;
  readonly #job: Omit<FeedJob, 'setting'>;
  #setting: FeedSetting;
  #worker: Worker | null = null;
  #startedAt: Monotonic = 0;
  #wait: Milliseconds = FIRST_WAIT_MS;
  #timer: NodeJS.Timeout | null = null;
  #isStopping = false;
  #isRefused = false;
  #isCaughtUp = false;
  /** Who waits until it has caught up, or cannot. */
  #whenCaughtUp: () => void = () => {};
  #nextId = 1;
  /** Questions that this worker, and those before it, could place under no registered domain. */
  #unplaced = 0;
  #unplacedBefore = 0;
  readonly #requested = new Map<number, (answer: RequestAnswer) => void>();
  readonly #asked = new Map<number, (status: WorkerStatus | null) => void>();

  /** The state folder's lock is the caller's. Nothing is lost that another run has left in the ring. */
  constructor(folder: string, options: FeedOptions) {
    this.#options = options;
    this.#setting = options.setting;
    const ring = openRing(join(folder, 'feed.ring'), options.map);
    if (ring.why !== null) {
      options.notices.told(
        `the ring is memory of the process, and a kill loses what waits in it: ${ring.why}`,
      );
    }
    this.writer = new FeedWriter(new RingWriter(ring.memory), Date.now() - performance.now());
    this.writer.want(options.taken, options.heard);
    const counts = openCounts(join(folder, 'feed.counts'), options.map);
    if (counts.why !== null && ring.why === null)
      options.notices.told(`counts are memory of the process, and a kill loses the last ones: ${counts.why}`);
    this.counts = new CountWriter(
      this.writer.slots,
      counts.memory,
      crypto.getRandomValues(new Uint32Array(2)),
    );
    this.outcomes = new OutcomeWriter(this.writer.slots);
    const { server, version } = options;
    this.#job = {
      store: join(folder, 'feed.db'),
      ring: ring.path ?? (ring.memory as SharedArrayBuffer),
      counts: counts.path ?? (counts.memory as SharedArrayBuffer),
      server,
      version,
    };
  }

  /**
   * What detectors did not hear of since the start, by what it was: of a flood more denied questions than they hear, and those
   * for which another stood that may be of another registered domain; where the ring was full, denied ones, approved ones and
   * outcomes.
   */
  get unheard(): Readonly<Record<'flood' | 'unplaced' | 'denied' | 'approved' | 'outcome', number>> {
    const of = (kind: Kind): number => this.writer.slots.ring.lostOf[KINDS.indexOf(kind)]!;
    return {
      flood: this.writer.gate.unheard,
      unplaced: this.#unplacedBefore + this.#unplaced,
      denied: of('deny') + of('would_deny'),
      approved: this.counts.lost,
      outcome: this.outcomes.lost,
    };
  }

  start(): void {
    const { thread, notices } = this.#options;
    const job: FeedJob = { ...this.#job, setting: this.#setting };
    this.#startedAt = performance.now();
    const worker = new Worker(thread, {
      workerData: { namegateFeed: job },
      // A batch of 256 events and what sinks have in hand are small; the query thread's heap is another.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
      stdout: false,
      stderr: false,
    });
    this.#worker = worker;
    worker.unref();
    worker.on('message', (report: FeedReport) => this.#take(report));
    worker.on('error', (error: Error) => notices.told(`the worker met a fault: ${error.message}`));
    worker.on('exit', () => this.#ended(worker));
  }

  /**
   * Resolves when all that another run left in the ring is written down, so that the whole ring is there for what comes; also
   * when that cannot be done now, and at the latest after `patience` milliseconds. Whether it is done.
   */
  async caughtUp(patience: Milliseconds): Promise<boolean> {
    if (this.#isCaughtUp || this.#worker === null) return this.#isCaughtUp;
    await new Promise<void>((resolve) => {
      // Nothing else may keep the process alive meanwhile.
      const timer = setTimeout(resolve, patience);
      this.#whenCaughtUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#whenCaughtUp = () => {};
    return this.#isCaughtUp;
  }

  configure(setting: FeedSetting, taken: Iterable<Kind>, heard: Iterable<Kind> = []): void {
    this.#setting = setting;
    this.writer.want(taken, heard);
    this.#order({ say: 'configure', setting });
  }

  /** Sinks read their certificates, keys and tokens anew, and open files anew. */
  renew(): void {
    this.#order({ say: 'renew' });
  }

  /** What the worker says of itself; null where it does not answer within two seconds. */
  status(): Promise<WorkerStatus | null> {
    const id = this.#nextId++;
    if (this.#worker === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(id, null), STATUS_MS);
      timer.unref();
      this.#asked.set(id, (status) => {
        clearTimeout(timer);
        resolve(status);
      });
      this.#order({ say: 'status', id });
    });
  }

  /** Asks something of the sinks; a text where it could not be done. */
  request(request: FeedRequest): Promise<RequestAnswer> {
    const id = this.#nextId++;
    const late = 'the worker of the alert feed does not answer';
    if (this.#worker === null) return Promise.resolve(late);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#done(id, late), REQUEST_MS);
      timer.unref();
      this.#requested.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#order({ say: 'request', id, request });
    });
  }

  #done(id: number, answer: RequestAnswer): void {
    this.#requested.get(id)?.(answer);
    this.#requested.delete(id);
  }

  /** Lets the worker take what is in the ring, and ends it. What it cannot take in three seconds the next start does. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === null) return;
    worker.ref();
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#order({ say: 'stop' });
    const late = setTimeout(() => void worker.terminate(), STOP_MS);
    await ended;
    clearTimeout(late);
  }

  #order(order: FeedOrder): void {
    this.#worker?.postMessage(order);
  }

  #answer(id: number, status: WorkerStatus | null): void {
    this.#asked.get(id)?.(status);
    this.#asked.delete(id);
  }

  #take(report: FeedReport): void {
    const { notices } = this.#options;
    switch (report.said) {
      case 'caught-up':
        this.#isCaughtUp = true;
        this.#whenCaughtUp();
        break;
      case 'trouble':
        notices.trouble(report.text);
        if (report.text !== null) this.#whenCaughtUp();
        break;
      case 'refused':
        this.#isRefused = true;
        notices.trouble(report.text);
        this.#whenCaughtUp();
        break;
      case 'damaged':
        notices.told(
          `the database was damaged, and a new one is begun: ${report.text}; it is kept as ${report.copy}`,
        );
        break;
      case 'findings':
        for (const finding of report.findings) notices.finding(finding);
        break;
      case 'sink':
        notices.sink(report.state);
        break;
      case 'status':
        this.#count(report.status);
        this.#answer(report.id, report.status);
        break;
      case 'done':
        this.#done(report.id, report.answer);
        break;
      default:
        unreachable(report);
    }
  }

  /** A worker that begins anew counts from 0. */
  #count({ figures }: WorkerStatus): void {
    const unplaced = figures['detectionsUnplaced'] ?? 0;
    if (unplaced < this.#unplaced) this.#unplacedBefore += this.#unplaced;
    this.#unplaced = unplaced;
  }

  #ended(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#whenCaughtUp();
    for (const id of [...this.#asked.keys()]) this.#answer(id, null);
    for (const id of [...this.#requested.keys()]) this.#done(id, 'the worker of the alert feed has ended');
    if (this.#isStopping || this.#isRefused) return;
    if (performance.now() - this.#startedAt > SOUND_MS) this.#wait = FIRST_WAIT_MS;
    this.restarts++;
    this.#options.notices.told(`the worker ended and is started again in ${this.#wait / 1000} s`);
    this.#timer = setTimeout(() => this.start(), this.#wait);
    this.#timer.unref();
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
  }
}

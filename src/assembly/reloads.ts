import { performance } from 'node:perf_hooks';
import { FileWatch } from '../config/files/watch.ts';
import { type LoadOptions, type LoadResult, load } from '../config/load.ts';
import { type Loading, loadInThread } from '../config/thread.ts';
import type { Problem } from '../policy/problem.ts';
import type { Log } from '../report/log.ts';

export interface ReloadsOptions {
  readonly serverFile: string;
  /** What a load is made with, as of its start. */
  readonly loadOptions: () => LoadOptions;
  readonly log: Log;
  /** A load is done and what was read has changed. `ms`: how long it took. Returns whether it is in force now. */
  readonly take: (result: LoadResult, why: string, ms: number) => boolean;
}

/** What became of a load. */
export interface Outcome {
  /** What was read is what is in force. */
  readonly inForce: boolean;
  readonly problems: readonly Problem[];
}

type Waiter = (outcome: Outcome) => void;

const NOTHING: Outcome = { inForce: false, problems: [] };

/**
 * Reads everything anew when a file changes or someone asks, beside the query path and one load at a time. What was read
 * is told once: a load that reads what the last one read changes nothing.
 */
export class Reloads {
  readonly #options: ReloadsOptions;
  #loading: Loading | null = null;
  /** Why another load is wanted when this one is done. */
  #again: string | null = null;
  #files: readonly string[];
  /** Those of them that are not to be read. */
  #barred: readonly string[];
  /** Of the files, for the watch. */
  #hash: string;
  /** Of the files and what the load was made with beside. */
  #content: string;
  #watch: FileWatch | null = null;
  #closed = false;
  /** Of the last load. */
  #outcome: Outcome;
  /** Who waits for the load that runs, and for the one after it. */
  #waiting: Waiter[] = [];
  #waitingNext: Waiter[] = [];

  /** `first`: the load that the server starts with. */
  constructor(options: ReloadsOptions, first: LoadResult) {
    this.#options = options;
    this.#files = first.files;
    this.#barred = first.barred;
    this.#hash = first.hash;
    this.#content = first.content;
    this.#outcome = { inForce: true, problems: first.problems };
  }

  /** Watches the files from now on. */
  start(): void {
    this.#watch = new FileWatch({
      files: () => this.#files,
      barred: () => this.#barred,
      hash: () => this.#hash,
      onChange: () => this.ask('a file changed'),
      onError: (error) =>
        this.#options.log.warn('watch-trouble', 'file events do not work here; files are polled', { error }),
    });
  }

  /** Loads now; a call while a load runs leads to another load after it. */
  ask(why: string): void {
    if (this.#closed) return;
    if (this.#loading === null) this.#load(why);
    else this.#again = why;
  }

  /** Loads, and resolves with what became of it: of a load that began after this call. */
  outcome(why: string): Promise<Outcome> {
    return new Promise((resolve) => {
      if (this.#closed) resolve(NOTHING);
      else (this.#loading === null ? this.#waiting : this.#waitingNext).push(resolve);
      this.ask(why);
    });
  }

  #load(why: string): void {
    const started = performance.now();
    const { serverFile, log } = this.#options;
    const options = this.#options.loadOptions();
    this.#loading = loadInThread(serverFile, options);
    this.#loading.result
      .catch((error: unknown) => {
        if (!this.#closed)
          log.warn('fault', 'no thread could load the change; it is loaded in place', { error });
        return load(serverFile, options);
      })
      .then((result) => this.#done(result, why, Math.round(performance.now() - started)))
      .catch((error: unknown) =>
        log.error('fault', 'a reload met a bug; the last good policy stays', { error }),
      )
      .finally(() => this.#next());
  }

  #next(): void {
    this.#loading = null;
    const done = this.#waiting;
    const again = this.#again;
    this.#waiting = this.#waitingNext;
    this.#waitingNext = [];
    this.#again = null;
    for (const resolve of done) resolve(this.#closed ? NOTHING : this.#outcome);
    if (again !== null && !this.#closed) this.#load(again);
    else for (const resolve of this.#waiting.splice(0)) resolve(NOTHING);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#loading?.stop();
    await this.#watch?.close();
  }

  #done(result: LoadResult, why: string, ms: number): void {
    if (this.#closed) return;
    this.#files = result.files;
    this.#barred = result.barred;
    this.#hash = result.hash;
    if (result.content === this.#content) return;
    this.#content = result.content;
    this.#outcome = { inForce: this.#options.take(result, why, ms), problems: result.problems };
  }
}

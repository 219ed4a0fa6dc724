import { performance } from 'node:perf_hooks';
import { type LoadOptions, type LoadResult, load } from '../config/load.ts';
import { type Loading, loadInThread } from '../config/thread.ts';
import { FileWatch } from '../config/watch.ts';
import type { Log } from '../report/log.ts';

export interface ReloadsOptions {
  readonly serverFile: string;
  /** What a load is made with, as of its start. */
  readonly loadOptions: () => LoadOptions;
  readonly log: Log;
  /** A load is done and what was read has changed. `ms`: how long it took. */
  readonly take: (result: LoadResult, why: string, ms: number) => void;
}

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
  #hash: string;
  #watch: FileWatch | null = null;
  #closed = false;

  /** `first`: the load that the server starts with. */
  constructor(options: ReloadsOptions, first: LoadResult) {
    this.#options = options;
    this.#files = first.files;
    this.#hash = first.hash;
  }

  /** Watches the files from now on. */
  start(): void {
    this.#watch = new FileWatch({
      files: () => this.#files,
      hash: () => this.#hash,
      onChange: () => this.ask('a file changed'),
      onError: (error) =>
        this.#options.log.warn('watch-trouble', 'file events do not work here; files are polled', { error }),
    });
  }

  /** Loads now; a call while a load runs leads to another load after it. */
  ask(why: string): void {
    if (this.#closed) return;
    if (this.#loading !== null) {
      this.#again = why;
      return;
    }
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
      .finally(() => {
        this.#loading = null;
        const again = this.#again;
        this.#again = null;
        if (again !== null) this.ask(again);
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#loading?.stop();
    await this.#watch?.close();
  }

  #done(result: LoadResult, why: string, ms: number): void {
    if (this.#closed) return;
    this.#files = result.files;
    if (result.hash === this.#hash) return;
    this.#hash = result.hash;
    this.#options.take(result, why, ms);
  }
}

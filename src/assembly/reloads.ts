import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { folderEvents } from '../config/files/events.ts';
import { combine } from '../config/files/files.ts';
import { FileWatch } from '../config/files/watch.ts';
import { contentOf, type LoadOptions, type LoadResult } from '../config/loaded.ts';
import { type PemsAgain, pemPaths, readPemsAgain } from '../config/server/pem-again.ts';
import { type Loading, loadInThread } from '../config/thread.ts';
import type { Problem } from '../policy/problem.ts';
import type { Log } from '../report/log.ts';
import type { ListenSetting } from '../settings/settings.ts';
import type { Milliseconds, Seconds } from '../wire/quantity.ts';

export interface ReloadsOptions {
  readonly serverFile: string;
  /** What a load is made with, as of its start. */
  readonly loadOptions: () => LoadOptions;
  readonly log: Log;
  /** A load is done and what was read has changed. `ms`: how long it took. Returns whether it is in force now. */
  readonly take: (result: LoadResult, why: string, ms: Milliseconds) => boolean;
  /** Calls `then` once after so many milliseconds. It keeps no process alive. */
  readonly retry: (ms: Milliseconds, then: () => void) => void;
  /** The listeners that are in force. */
  readonly listen: () => readonly ListenSetting[];
  /**
   * Certificates, keys, CAs and CRLs of these listeners have changed. `isLastInForce`: the policy that was read last is in
   * force. Returns what became of them.
   */
  readonly takeTrust: (
    listen: readonly ListenSetting[],
    isLastInForce: boolean,
    ms: Milliseconds,
  ) => LoadOutcome;
}

/** Milliseconds between two looks at the files of TLS listeners: a revocation should not wait. */
const TRUST_POLL_MS: Milliseconds = 200;
/** Milliseconds after which they are read: a certificate and its key are written one after the other. */
const TRUST_SETTLE_MS: Milliseconds = 30;

/** Milliseconds before a load that met a bug is tried again: the first time, and at most. */
const FIRST_RETRY_MS: Milliseconds = 1_000;
const LAST_RETRY_MS: Milliseconds = 300_000;

/** The reason of a load that an operator asked for, who looks into the log for what became of it. */
const SIGNAL = 'SIGHUP';

/** What became of a load. */
export interface LoadOutcome {
  /** What was read is what is in force. */
  readonly inForce: boolean;
  readonly problems: readonly Problem[];
}

type LoadWaiter = (outcome: LoadOutcome) => void;

const NOTHING: LoadOutcome = { inForce: false, problems: [] };

/**
 * Reads everything anew when a file changes or someone asks, beside the query path and one load at a time. What was read
 * is told once: a load that reads what the last one read changes nothing.
 *
 * Certificates, keys, CAs and CRLs of listeners are followed more closely, and come into force without a load: compiling a
 * large policy takes seconds.
 */
export class Reloads {
  readonly #options: ReloadsOptions;
  #loading: Loading | null = null;
  /** Why another load is wanted when this one is done. */
  #again: string | null = null;
  #files: readonly string[];
  /** Those of them that are not to be read. */
  #barred: readonly string[];
  /** What each file was when it was read last, those of the listeners in force among them. */
  #digests: ReadonlyMap<string, string>;
  /** Of the files and what the load was made with beside. */
  #content: string;
  #exceptions: LoadOptions['exceptions'] = [];
  #retryMs: Milliseconds = FIRST_RETRY_MS;
  #watches: FileWatch[] = [];
  /** Of the listeners in force. */
  #trustFiles: readonly string[];
  #trusting = false;
  #trustAgain = false;
  /** How often the files of listeners were read without a load. */
  #trustReads = 0;
  /** The policy that was read last is in force. */
  #isLastInForce = true;
  #closed = false;
  /** Of the last load. */
  #outcome: LoadOutcome;
  /** Who waits for the load that runs, and for the one after it. */
  #waiting: LoadWaiter[] = [];
  #waitingNext: LoadWaiter[] = [];

  /** `first`: the load that the server starts with. */
  constructor(options: ReloadsOptions, first: LoadResult) {
    this.#options = options;
    this.#files = first.files;
    this.#barred = first.barred;
    this.#digests = first.digests;
    this.#content = first.content;
    this.#trustFiles = pemPaths(options.listen());
    this.#outcome = { inForce: true, problems: first.problems };
  }

  /** Watches the files from now on. */
  start(): void {
    const onError = (error: Error): void =>
      this.#options.log.warn('watch-trouble', 'file events do not work here; files are polled', { error });
    this.#watches = [
      new FileWatch({
        files: () => this.#files,
        barred: () => this.#barred,
        hash: () => this.#hashOf(this.#files),
        onChange: (found) => this.#changed(found),
        onError,
        events: folderEvents,
      }),
      new FileWatch({
        files: () => this.#trustFiles,
        hash: () => this.#hashOf(this.#trustFiles),
        onChange: (found) => this.#changed(found),
        events: folderEvents,
        poll: TRUST_POLL_MS,
        settle: TRUST_SETTLE_MS,
      }),
    ];
  }

  #hashOf(files: readonly string[]): string {
    return combine(new Map(files.map((file) => [file, this.#digests.get(file) ?? ''])));
  }

  #changed(found: ReadonlyMap<string, string>): void {
    const why = 'a file changed';
    const trust = new Set(this.#trustFiles);
    const changed = [...found].filter(([path, digest]) => this.#digests.get(path) !== digest);
    if (changed.some(([path]) => trust.has(path))) void this.#readTrust(why);
    if (changed.some(([path]) => !trust.has(path))) this.ask(why);
  }

  /** Reads the files of the listeners in force, and nothing else. */
  async #readTrust(why: string): Promise<void> {
    this.#trustAgain = true;
    if (this.#trusting) return;
    this.#trusting = true;
    try {
      while (this.#trustAgain && !this.#closed) {
        this.#trustAgain = false;
        const started = performance.now();
        await setTimeout(TRUST_SETTLE_MS, undefined, { ref: false });
        const read = await readPemsAgain(this.#options.listen());
        if (this.#closed) return;
        // A load says where the file is named that is not to be had.
        if (read === null) this.ask(why);
        else if (isAnother(read.digests, this.#digests))
          this.#takeTrust(read, why, performance.now() - started);
      }
    } catch (error) {
      this.#options.log.error('fault', 'a reload met a bug; the last good policy stays', { error });
    } finally {
      this.#trusting = false;
    }
  }

  #takeTrust({ listen, digests }: PemsAgain, why: string, ms: Milliseconds): void {
    this.#trustReads++;
    this.#digests = new Map([...this.#digests, ...digests]);
    const outcome = this.#options.takeTrust(listen, this.#isLastInForce, Math.round(ms));
    // What is not in force is tried again by the next load.
    this.#content =
      outcome.inForce && this.#isLastInForce
        ? contentOf(this.#hashOf(this.#files), this.#exceptions ?? [])
        : '';
    if (this.#isLastInForce) this.#outcome = outcome;
    // What was wrong with the policy may have been these files.
    else this.ask(why);
  }

  /** Loads now; a call while a load runs leads to another load after it. */
  ask(why: string): void {
    if (this.#closed) return;
    if (this.#loading === null) this.#load(why);
    else this.#loadAgain(why);
  }

  /** A signal stays the reason: whoever sent it finds a line of it in the log, also where a file event comes behind it. */
  #loadAgain(why: string): void {
    if (this.#again !== SIGNAL) this.#again = why;
  }

  /** Loads, and resolves with what became of it: of a load that began after this call. */
  outcome(why: string): Promise<LoadOutcome> {
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
    const trustReads = this.#trustReads;
    this.#loading = loadInThread(serverFile, options);
    this.#loading.result
      .catch(async (error: unknown) => {
        if (!this.#closed)
          log.warn('fault', 'no thread could load the change; it is loaded in place', { error });
        const { load } = await import('../config/load.ts');
        return load(serverFile, options);
      })
      .then((result) => {
        // It may have read files of listeners that were older than those in force.
        if (this.#trustReads !== trustReads && isAnother(result.digests, this.#digests, this.#trustFiles))
          this.#redo(why);
        else this.#done(result, options, why, Math.round(performance.now() - started));
      })
      .catch((error: unknown) => {
        if (this.#closed) return;
        const message = 'the files could not be loaded: the last good policy stays, and they are tried again';
        log.error('reload-failed', message, { why, retry_s: this.#tryAgain(), error });
      })
      .finally(() => this.#next());
  }

  /** Who waits for this load waits for the next one. */
  #redo(why: string): void {
    this.#loadAgain(why);
    this.#waitingNext = [...this.#waiting, ...this.#waitingNext];
    this.#waiting = [];
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
    await Promise.all(this.#watches.map((watch) => watch.close()));
  }

  #done(result: LoadResult, options: LoadOptions, why: string, ms: Milliseconds): void {
    if (this.#closed) return;
    this.#files = result.files;
    this.#barred = result.barred;
    const trusted = this.#trustFiles.map((file) => [file, this.#digests.get(file) ?? ''] as const);
    this.#digests = new Map([...trusted, ...result.digests]);
    if (result.content === this.#content) {
      if (why === SIGNAL) this.#tellUnchanged();
      return;
    }
    this.#content = result.content;
    this.#exceptions = options.exceptions ?? [];
    this.#isLastInForce = this.#take(result, why, ms);
    this.#outcome = { inForce: this.#isLastInForce, problems: result.problems };
    this.#trustFiles = pemPaths(this.#options.listen());
  }

  /** A bug leaves all of what was in force, and the same files are tried again. */
  #take(result: LoadResult, why: string, ms: Milliseconds): boolean {
    try {
      const inForce = this.#options.take(result, why, ms);
      this.#retryMs = FIRST_RETRY_MS;
      return inForce;
    } catch (error) {
      const message =
        'a reload met a bug; all of what was in force stays, and the same files are tried again';
      this.#options.log.error('fault', message, { why, retry_s: this.#tryAgain(), error });
      return false;
    }
  }

  /** Asks for the same files again, later each time. Returns in how many seconds. */
  #tryAgain(): Seconds {
    const ms = this.#retryMs;
    this.#content = '';
    this.#options.retry(ms, () => this.ask('the last try failed'));
    this.#retryMs = Math.min(2 * ms, LAST_RETRY_MS);
    return ms / 1000;
  }

  /** Whoever sent a signal looks into the log for what became of it. */
  #tellUnchanged(): void {
    const { log } = this.#options;
    if (this.#outcome.inForce) log.info('reload-unchanged', 'nothing has changed: what is in force stays');
    else log.warn('reload-unchanged', 'nothing has changed: the last change is still not in force');
  }
}

/** Whether a file of `files`, of all in `read` unless given, was read with another content. */
function isAnother(
  read: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, string>,
  files: Iterable<string> = read.keys(),
): boolean {
  for (const file of files) if (read.has(file) && read.get(file) !== known.get(file)) return true;
  return false;
}

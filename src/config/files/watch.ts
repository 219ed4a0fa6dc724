import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { combine, digestOf } from './files.ts';
import { faultCode, lookLater, lookWhereLater } from './look.ts';

/** Events of the system on the paths in folders, as hints: what a file holds is what a reading finds. */
export interface FolderEvents {
  add(folders: string[]): void;
  unwatch(folders: string[]): void;
  close(): Promise<void>;
}

/** Opens events on folders. They call `onPath` with each path that something happened to. */
export type OpenEvents = (
  folders: string[],
  onPath: (path: string) => void,
  onError: (error: unknown) => void,
) => FolderEvents;

export interface WatchOptions {
  /** What to follow, as LoadResult.files has it: asked at every look, so that it may change with a load. */
  files(): readonly string[];
  /** LoadResult.barred: those of the files that are not to be read. */
  barred?(): readonly string[];
  /** LoadResult.hash of the last load, good or bad. */
  hash(): string;
  /** The content of the files is not what `hash` says: `found` has it by path. Called once for each new content. */
  onChange(found: ReadonlyMap<string, string>): void;
  /** File events do not work (too many watches, say), or `onChange` threw. Polling goes on. */
  onError?(error: Error): void;
  /** Without it the poll alone finds a change: `folderEvents` in `events.ts` sees it at once, and loads a package. */
  readonly events?: OpenEvents;
  /** Milliseconds between two looks at the files' times; 1,000 unless given. */
  readonly poll?: Milliseconds;
  /** Milliseconds without events before the content is read; 50 unless given. */
  readonly settle?: Milliseconds;
}

/** A file that was written less than this before it was read may be written again without a trace in its times. */
const RACY_MS: Milliseconds = 2_500;
const FULL_EVERY = 60;
/** Events may go on for ever; they delay a look by no more than this many settle times. */
const PATIENCE = 10;
/** Paths looked at together. */
const BATCH = 16;

interface Known {
  readonly signature: string;
  readonly digest: string;
  readonly racy: boolean;
}

/**
 * Follows files while the server runs. Two signals lead to the same question, whether the content still has the hash in
 * force: events on the folders that hold the files, where they are wanted, and a poll once a second, for mounts that send no
 * events. Neither keeps the process alive.
 *
 * The poll is a `stat` of each path. Content is read again only where size, inode or times differ from the last
 * reading; where they are so recent that a write in the same tick of a coarse clock could hide (as git's "racily
 * clean" files); and of everything each 60th time, for file systems that do not keep times.
 */
export class FileWatch {
  readonly #options: WatchOptions;
  readonly #poll: NodeJS.Timeout;
  readonly #known = new Map<string, Known>();
  /** As they were when the folders were last chosen. */
  #files: readonly string[] = [];
  #paths: ReadonlySet<string> = new Set();
  #folders: ReadonlySet<string> = new Set();
  /** The last content that was told. */
  #told = '';
  #events: FolderEvents | null = null;
  #settling: NodeJS.Timeout | null = null;
  #firstHint: Monotonic = 0;
  #polls = 0;
  #paused = false;
  #closed = false;
  #looking: Promise<void> | null = null;
  #again = false;
  readonly #reported = new Set<string>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#follow();
    this.#poll = setInterval(() => this.#turn(), options.poll ?? 1_000);
    this.#poll.unref();
    // What changed between the reading and this moment is found at once.
    this.#hint();
  }

  /** Stops looking, until `resume`. A look that is under way ends without a call. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#hint();
  }

  /** Final. Resolves when nothing is open any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    if (this.#settling !== null) clearTimeout(this.#settling);
    await this.#events?.close();
    await this.#looking;
  }

  /** Watches the folders that the files lie in: a rename is seen there alone. */
  #follow(): void {
    const files = this.#options.files();
    if (files === this.#files) return;
    this.#files = files;
    this.#paths = new Set(files);
    for (const path of this.#known.keys()) if (!this.#paths.has(path)) this.#known.delete(path);
    // A policy folder that has become empty is watched on, for what comes into it.
    const folders = new Set([
      ...files.map((file) => dirname(file)),
      ...files.filter((path) => this.#folders.has(path)),
    ]);
    const added = [...folders].filter((folder) => !this.#folders.has(folder));
    const gone = [...this.#folders].filter((folder) => !folders.has(folder));
    this.#folders = folders;
    try {
      if (gone.length > 0) this.#events?.unwatch(gone);
      if (this.#events === null) this.#events = this.#openEvents(added);
      else if (added.length > 0) this.#events.add(added);
    } catch (error) {
      this.#report(error);
    }
  }

  #openEvents(folders: string[]): FolderEvents | null {
    const { events } = this.#options;
    if (events === undefined) return null;
    const onPath = (path: string): void => {
      if (this.#concerns(resolve(path))) this.#hint();
    };
    return events(folders, onPath, (error) => this.#report(error));
  }

  /** Whether an event's path may have to do with a followed one: itself, a new file in a folder, a ConfigMap's `..data`. */
  #concerns(path: string): boolean {
    return this.#paths.has(path) || this.#paths.has(dirname(path)) || basename(path).startsWith('..');
  }

  /** Once for each kind of error: a watch that fails may fail again and again. */
  #report(error: unknown): void {
    const code = faultCode(error);
    if (this.#closed || this.#reported.has(code)) return;
    this.#reported.add(code);
    this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
  }

  #turn(): void {
    if (this.#closed || this.#paused) return;
    this.#follow();
    if (++this.#polls % FULL_EVERY === 0) this.#known.clear();
    this.#look();
  }

  /** Waits until events cease, then looks. */
  #hint(): void {
    if (this.#closed || this.#paused) return;
    const settle = this.#options.settle ?? 50;
    const now = performance.now();
    if (this.#settling === null) this.#firstHint = now;
    else if (now - this.#firstHint > settle * PATIENCE) return;
    else clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#settling = null;
      this.#look();
    }, settle);
    this.#settling.unref();
  }

  /** One look at a time; a signal during one leads to the next. */
  #look(): void {
    if (this.#closed || this.#paused) return;
    if (this.#looking !== null) {
      this.#again = true;
      return;
    }
    this.#looking = this.#compare()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#looking = null;
        if (!this.#again) return;
        this.#again = false;
        this.#look();
      });
  }

  async #compare(): Promise<void> {
    this.#follow();
    const files = this.#files;
    const barred = new Set(this.#options.barred?.());
    const digests = new Map<string, string>();
    for (let i = 0; i < files.length; i += BATCH) {
      const batch = files.slice(i, i + BATCH);
      const found = await Promise.all(
        batch.map(async (path) =>
          barred.has(path) ? digestOf(await lookWhereLater(path)) : this.#digest(path),
        ),
      );
      batch.forEach((path, j) => {
        digests.set(path, found[j]!);
      });
    }
    if (this.#paused || this.#closed) return;
    if (files !== this.#options.files()) {
      // A load came between.
      this.#again = true;
      return;
    }
    const now = combine(digests);
    const wanted = this.#options.hash();
    const changed = now !== wanted && now !== this.#told;
    this.#told = now === wanted ? '' : now;
    if (!changed) return;
    this.#options.onChange(digests);
    this.#follow();
  }

  async #digest(path: string): Promise<string> {
    const { signature, changed } = await sign(path);
    const known = this.#known.get(path);
    if (known !== undefined && known.signature === signature && !known.racy) return known.digest;
    const digest = digestOf(await lookLater(path));
    this.#known.set(path, { signature, digest, racy: Math.abs(Date.now() - changed) < RACY_MS });
    return digest;
  }
}

/** What tells that a path is as it was, links followed; and when it changed last, in milliseconds since 1970. */
async function sign(path: string): Promise<{ readonly signature: string; readonly changed: number }> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    const changed = Math.max(Number(mtimeNs), Number(ctimeNs)) / 1e6;
    return { signature: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, changed };
  } catch (error) {
    return { signature: faultCode(error), changed: 0 };
  }
}

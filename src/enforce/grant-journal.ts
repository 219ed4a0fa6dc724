import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import type { SinceBoot } from '../wire/quantity.ts';
import type { GrantOrigins } from './grant-origins.ts';

/** Lines beyond twice what there is, after which the file is written anew. */
const SLACK = 10_000;

/**
 * The origins of grants on disk, so that a kill does not lose them. It is written before the kernel is told, and never synced:
 * what loses an unsynced file loses the kernel's sets too. A file of another start of the machine counts as nothing.
 */
export class GrantJournal {
  readonly #path: string;
  /** Differs with each start of the machine. */
  readonly #boot: string;
  readonly #complain: (why: string) => void;
  #file: number | null = null;
  #lines = 0;
  #isBroken = false;

  /** `complain` hears once why nothing is kept any more, until it is kept again. */
  constructor(path: string, boot: string, complain: (why: string) => void) {
    this.#path = path;
    this.#boot = boot;
    this.#complain = complain;
  }

  /** Takes up what an enforcer before this one wrote, and begins a file of its own. */
  open(origins: GrantOrigins, now: SinceBoot): void {
    const [head, ...lines] = this.#read().split('\n');
    if (head === headOf(this.#boot)) for (const text of lines) if (text !== '') origins.retell(text);
    origins.sweep(now);
    this.#rewrite(origins);
  }

  /** Adds lines as `GrantOrigins` made them. */
  append(text: string): void {
    if (text === '' || this.#file === null) return;
    try {
      writeAll(this.#file, text);
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lines++;
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Writes it anew where it has grown, or where it could not be written. To be called now and then. */
  tidy(origins: GrantOrigins): void {
    if (this.#file === null || this.#lines > 2 * origins.size + SLACK) this.#rewrite(origins);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #read(): string {
    let file: number | null = null;
    try {
      file = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      return fstatSync(file).isFile() ? readFileSync(file, 'utf8') : '';
    } catch {
      return '';
    } finally {
      if (file !== null) closeSync(file);
    }
  }

  #rewrite(origins: GrantOrigins): void {
    const next = `${this.#path}.new`;
    let file: number | null = null;
    try {
      rmSync(next, { force: true });
      // Whatever stands there is not followed.
      file = openSync(next, 'wx', 0o600);
      let text = `${headOf(this.#boot)}\n`;
      let lines = 0;
      for (const line of origins.lines()) {
        text += line;
        if (++lines % 1024 > 0) continue;
        writeAll(file, text);
        text = '';
      }
      writeAll(file, text);
      renameSync(next, this.#path);
      this.close();
      this.#file = file;
      this.#lines = lines;
      this.#isBroken = false;
    } catch (error) {
      if (file !== null) {
        closeSync(file);
        rmSync(next, { force: true });
      }
      this.#broken(error);
    }
  }

  #broken(error: unknown): void {
    this.close();
    if (!this.#isBroken) this.#complain(error instanceof Error ? error.message : String(error));
    this.#isBroken = true;
  }
}

function headOf(boot: string): string {
  return `namegate grants 1 ${boot}`;
}

function writeAll(file: number, text: string): void {
  const octets = Buffer.from(text);
  for (let at = 0; at < octets.length; ) at += writeSync(file, octets, at);
}

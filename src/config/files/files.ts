import { hash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Position } from '../../policy/problem.ts';
import { unreachable } from '../../wire/quantity.ts';
import type { Problems } from '../problems.ts';
import type { Enclosure } from './enclosure.ts';
import { look, MAX_FILE, type Seen } from './look.ts';
import { nearFix } from './near.ts';

/** Reads the files of one load, and remembers everything that it looked at, found or not. */
export class FileReader {
  readonly #digests = new Map<string, string>();
  readonly #barred = new Set<string>();
  /** Texts by the path that problems name. */
  readonly sources = new Map<string, string>();

  /** `within`: folders that the path must lie in, links resolved; null for what the operator named. */
  see(path: string, within: Enclosure | null = null): Seen {
    const full = resolve(path);
    const seen = look(full, within);
    // A path that is outside as it is written stays so until a file changes that is looked at anyway.
    if (seen.kind === 'outside' && seen.real === null) return seen;
    if (seen.kind === 'outside') this.#barred.add(full);
    this.#digests.set(full, digestOf(seen));
    return seen;
  }

  /** The octets of a regular file, or null with a problem at `at`. */
  readBytes(path: string, at: Position, problems: Problems, within: Enclosure | null = null): Buffer | null {
    const seen = this.see(path, within);
    if (seen.kind === 'file') return seen.bytes;
    reportUnread(path, seen, at, problems, within);
    return null;
  }

  /**
   * The text of a UTF-8 file without its byte order mark, or null with a problem: at `at`, or in the file itself. Problems
   * show its lines.
   */
  readText(path: string, at: Position, problems: Problems, within: Enclosure | null = null): string | null {
    return this.#readText(path, at, problems, within, true);
  }

  /** The same for what may hold secrets, or another file than was meant (keys, tokens): no line of it is shown. */
  readHiddenText(path: string, at: Position, problems: Problems): string | null {
    return this.#readText(path, at, problems, null, false);
  }

  #readText(
    path: string,
    at: Position,
    problems: Problems,
    within: Enclosure | null,
    shown: boolean,
  ): string | null {
    const bytes = this.readBytes(path, at, problems, within);
    if (bytes === null) return null;
    const text = decodeUtf8(bytes);
    if (typeof text === 'string') {
      if (shown) this.sources.set(path, text);
      return text;
    }
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const message = utf16 ? 'the file is UTF-16' : 'octets here are not UTF-8';
    problems.error('file-encoding', { file: path, ...text }, message, 'save the file as UTF-8');
    if (shown) this.sources.set(path, bytes.toString('utf8'));
    return null;
  }

  /** Absolute paths of all that was looked at, sorted. */
  get files(): string[] {
    return [...this.#digests.keys()].sort();
  }

  /** What each of them was: see `digestOf`. */
  get digests(): ReadonlyMap<string, string> {
    return this.#digests;
  }

  /** Those of `files` that led outside of where they may lie, and were not read. */
  get barred(): string[] {
    return [...this.#barred].sort();
  }

  hash(): string {
    return combine(this.#digests);
  }
}

/** sha256 over paths and what each was, as 64 hexadecimal digits. The paths' order does not matter. */
export function combine(digests: ReadonlyMap<string, string>): string {
  const lines = [...digests].map(([path, digest]) => `${path}\0${digest}\n`);
  return hash('sha256', lines.sort().join(''));
}

export function digestOf(seen: Seen): string {
  switch (seen.kind) {
    case 'file':
      return `file ${hash('sha256', seen.bytes)}`;
    case 'folder':
      return `folder ${hash('sha256', seen.names.join('\0'))}`;
    case 'large':
      return `large ${seen.size}`;
    case 'other':
      return 'other';
    case 'outside':
      return `outside ${seen.real}`;
    case 'fault':
      return `fault ${seen.code}`;
    default:
      unreachable(seen);
  }
}

/** Reports why a path gave no file. */
export function reportUnread(
  path: string,
  seen: Exclude<Seen, { kind: 'file' }>,
  at: Position,
  problems: Problems,
  within: Enclosure | null = null,
): void {
  switch (seen.kind) {
    case 'folder':
      problems.error('file-kind', at, `${path} is a folder`, 'name a file');
      break;
    case 'other':
      problems.error('file-kind', at, `${path} is no regular file`, 'name a regular file');
      break;
    case 'outside': {
      const folder = within?.folders[0] ?? '';
      const leads = seen.real === null ? '' : ` leads to ${seen.real}, which`;
      const message = `${path}${leads} lies outside the policy's folder ${folder}`;
      const fix = `copy it into ${folder}, or name a folder that policy authors may read in the server file (policy.may_read)`;
      problems.error('file-outside', at, message, fix);
      break;
    }
    case 'large': {
      const message = `${path} has ${seen.size} octets; ${MAX_FILE} are the most`;
      problems.error('file-size', at, message, 'split it');
      break;
    }
    case 'fault':
      if (seen.code === 'ENOENT' || seen.code === 'ENOTDIR') {
        problems.error('file-missing', at, `${path} is not there`, nearFix(path, within));
      } else {
        const message = `${path} cannot be read (${seen.code})`;
        problems.error(
          'file-unreadable',
          at,
          message,
          'check its owner and permissions, and those of its folders',
        );
      }
      break;
    default:
      unreachable(seen);
  }
}

/** The text, or where the first octet stands that is not UTF-8 (RFC 3629). */
export function decodeUtf8(bytes: Buffer): string | { readonly line: number; readonly column: number } {
  try {
    return UTF8.decode(bytes);
  } catch {
    let line = 1;
    for (let start = 0; ; line++) {
      const newline = bytes.indexOf(0x0a, start);
      const end = newline < 0 ? bytes.length : newline;
      const column = strayColumn(bytes.subarray(start, end));
      if (column > 0 || newline < 0) return { line, column: Math.max(column, 1) };
      start = end + 1;
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The column of the first character of a line that is not UTF-8, or 0. */
function strayColumn(line: Buffer): number {
  const text = line.toString('utf8');
  for (let at = text.indexOf('\ufffd'), from = 0, octets = 0; at >= 0; at = text.indexOf('\ufffd', at + 1)) {
    octets += Buffer.byteLength(text.slice(from, at));
    // A replacement character may have been written as such.
    if (line[octets] !== 0xef || line[octets + 1] !== 0xbf || line[octets + 2] !== 0xbd) return at + 1;
    from = at;
  }
  return 0;
}

import { hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Position } from '../policy/problem.ts';
import type { Problems } from './problems.ts';

/** Octets that a file may have: lists are the largest. */
export const MAX_FILE = 64 * 2 ** 20;

/** What one path was when it was looked at. */
export type Seen =
  | { readonly kind: 'file'; readonly bytes: Buffer }
  /** Names of its policy files, sorted. */
  | { readonly kind: 'folder'; readonly names: readonly string[] }
  | { readonly kind: 'large'; readonly size: number }
  /** A device, a pipe or a socket: reading it might never end. */
  | { readonly kind: 'other' }
  | { readonly kind: 'fault'; readonly code: string };

/** Reads the files of one load, and remembers everything that it looked at, found or not. */
export class FileReader {
  readonly #digests = new Map<string, string>();
  /** Texts by the path that problems name. */
  readonly sources = new Map<string, string>();

  see(path: string): Seen {
    const seen = look(resolve(path));
    this.#digests.set(resolve(path), digestOf(seen));
    return seen;
  }

  /** The octets of a regular file, or null with a problem at `at`. */
  readBytes(path: string, at: Position, problems: Problems): Buffer | null {
    const seen = this.see(path);
    if (seen.kind === 'file') return seen.bytes;
    reportUnread(path, seen, at, problems);
    return null;
  }

  /** The text of a UTF-8 file without its byte order mark, or null with a problem: at `at`, or in the file itself. */
  readText(path: string, at: Position, problems: Problems): string | null {
    const bytes = this.readBytes(path, at, problems);
    if (bytes === null) return null;
    const text = decodeUtf8(bytes);
    if (typeof text === 'string') {
      this.sources.set(path, text);
      return text;
    }
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const message = utf16 ? 'the file is UTF-16' : 'octets here are not UTF-8';
    problems.error('file-encoding', { file: path, ...text }, message, 'save the file as UTF-8');
    this.sources.set(path, bytes.toString('utf8'));
    return null;
  }

  /** Absolute paths of all that was looked at, sorted. */
  get files(): string[] {
    return [...this.#digests.keys()].sort();
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
    case 'fault':
      return `fault ${seen.code}`;
  }
}

/** Files of a policy folder: *.yaml and *.yml that are not hidden (a ConfigMap's `..data` is). */
export function isPolicyFile(name: string): boolean {
  return !name.startsWith('.') && /\.ya?ml$/.test(name);
}

/** Looks at an absolute path. Symbolic links are followed. */
function look(path: string): Seen {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return { kind: 'folder', names: readdirSync(path).filter(isPolicyFile).sort() };
    if (!stats.isFile()) return { kind: 'other' };
    if (stats.size > MAX_FILE) return { kind: 'large', size: stats.size };
    return { kind: 'file', bytes: readFileSync(path) };
  } catch (error) {
    return { kind: 'fault', code: faultCode(error) };
  }
}

/** `look` that does not block: a mount that hangs must not stop the server. */
export async function lookLater(path: string): Promise<Seen> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory())
      return { kind: 'folder', names: (await readdir(path)).filter(isPolicyFile).sort() };
    if (!stats.isFile()) return { kind: 'other' };
    if (stats.size > MAX_FILE) return { kind: 'large', size: stats.size };
    return { kind: 'file', bytes: await readFile(path) };
  } catch (error) {
    return { kind: 'fault', code: faultCode(error) };
  }
}

/** Never the message: it may name what changes from look to look. */
export function faultCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

/** Reports why a path gave no file. */
export function reportUnread(
  path: string,
  seen: Exclude<Seen, { kind: 'file' }>,
  at: Position,
  problems: Problems,
): void {
  switch (seen.kind) {
    case 'folder':
      problems.error('file-kind', at, `${path} is a folder`, 'name a file');
      break;
    case 'other':
      problems.error('file-kind', at, `${path} is no regular file`, 'name a regular file');
      break;
    case 'large': {
      const message = `${path} has ${seen.size} octets; ${MAX_FILE} are the most`;
      problems.error('file-size', at, message, 'split it');
      break;
    }
    case 'fault':
      if (seen.code === 'ENOENT' || seen.code === 'ENOTDIR') {
        problems.error('file-missing', at, `${path} is not there`, 'create it, or correct the path');
      } else {
        const message = `${path} cannot be read (${seen.code})`;
        problems.error(
          'file-unreadable',
          at,
          message,
          'check its owner and permissions, and those of its folders',
        );
      }
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

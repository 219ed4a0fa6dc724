import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { open, readdir, realpath, stat, statfs } from 'node:fs/promises';
import type { Enclosure } from './enclosure.ts';

/** Octets that a file may have: lists are the largest. */
export const MAX_FILE = 64 * 2 ** 20;

/** What one path was when it was looked at. */
export type Seen =
  | { readonly kind: 'file'; readonly bytes: Buffer }
  /** Names of its policy files, sorted. */
  | { readonly kind: 'folder'; readonly names: readonly string[] }
  | { readonly kind: 'large'; readonly size: number }
  /** A device, a pipe, a socket, or a file that the kernel makes up as it is read (/proc). */
  | { readonly kind: 'other' }
  /** It lies where it may not be read: `real` without links, or null where the path itself says so. */
  | { readonly kind: 'outside'; readonly real: string | null }
  | { readonly kind: 'fault'; readonly code: string };

/**
 * Looks at an absolute path. Symbolic links are followed, and must end inside `within` if that is given. Nothing but a
 * regular file is opened, and what was opened is looked at again: it may have been replaced meanwhile.
 */
export function look(path: string, within: Enclosure | null = null): Seen {
  try {
    if (within !== null && !within.names(path)) return { kind: 'outside', real: null };
    const real = within === null ? path : realpathSync.native(path);
    if (within !== null && !within.holds(real)) return { kind: 'outside', real };
    const stats = statSync(real);
    if (stats.isDirectory()) return { kind: 'folder', names: readdirSync(real).filter(isPolicyFile).sort() };
    if (!stats.isFile()) return { kind: 'other' };
    if (stats.size > MAX_FILE) return { kind: 'large', size: stats.size };
    const fd = openSync(real, FLAGS);
    try {
      return readOpened(fd, real, within);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { kind: 'fault', code: faultCode(error) };
  }
}

/** Opening neither waits for the other end of a pipe nor takes a terminal. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

function readOpened(fd: number, path: string, within: Enclosure | null): Seen {
  const stats = fstatSync(fd);
  if (!stats.isFile()) return { kind: 'other' };
  if (within !== null && !within.holdsOpen(fd, path, stats)) return { kind: 'outside', real: path };
  if (isMadeUp(path)) return { kind: 'other' };
  // One octet more than it should have tells that it grew.
  let bytes = Buffer.allocUnsafe(stats.size + 1);
  for (let used = 0; ; ) {
    const count = readSync(fd, bytes, used, bytes.length - used, null);
    if (count === 0) return { kind: 'file', bytes: bytes.subarray(0, used) };
    used += count;
    if (used > MAX_FILE) return { kind: 'large', size: used };
    if (used === bytes.length) bytes = Buffer.concat([bytes, Buffer.allocUnsafe(used)]);
  }
}

/**
 * File systems whose files are made up as they are read, by their numbers in Linux's magic.h: proc, sys, devpts, debug,
 * trace, security, cgroup and cgroup2.
 */
const MADE_UP: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x1cd1, 0x64626720, 0x74726163, 0x73636673, 0x27e0eb, 0x63677270,
]);

function isMadeUp(path: string): boolean {
  try {
    return MADE_UP.has(statfsSync(path).type);
  } catch {
    // A sandbox may forbid the question.
    return false;
  }
}

function isMadeUpLater(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => MADE_UP.has(type),
    () => false,
  );
}

/** `look` without bounds of place, and without blocking: a mount that hangs must not stop the server. */
export async function lookLater(path: string): Promise<Seen> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory())
      return { kind: 'folder', names: (await readdir(path)).filter(isPolicyFile).sort() };
    if (!stats.isFile()) return { kind: 'other' };
    if (stats.size > MAX_FILE) return { kind: 'large', size: stats.size };
    if (await isMadeUpLater(path)) return { kind: 'other' };
    const file = await open(path, FLAGS);
    try {
      const { size } = await file.stat();
      if (size > MAX_FILE) return { kind: 'large', size };
      return { kind: 'file', bytes: await file.readFile() };
    } finally {
      await file.close();
    }
  } catch (error) {
    return { kind: 'fault', code: faultCode(error) };
  }
}

/** What a path that led outside leads to now; nothing is opened. */
export async function lookWhereLater(path: string): Promise<Seen> {
  try {
    return { kind: 'outside', real: await realpath(path) };
  } catch (error) {
    return { kind: 'fault', code: faultCode(error) };
  }
}

/** Whether a path is a folder, or leads to one. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Files of a policy folder: *.yaml and *.yml that are not hidden (a ConfigMap's `..data` is). */
function isPolicyFile(name: string): boolean {
  return !name.startsWith('.') && /\.ya?ml$/.test(name);
}

/** Never the message: it may name what changes from look to look. */
export function faultCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { HEADER, MAGIC, RING_SIZE, SLOTS_AT } from './slot.ts';

/** The ring's memory, and where the worker finds it. */
export interface Ring {
  readonly memory: ArrayBufferLike;
  /** The path of the file that is mapped, or null: then what waits in it ends with the process. */
  readonly path: string | null;
  /** Why it is no file; null where it is one. */
  readonly why: string | null;
}

/** Maps the first octets of an open file as shared memory; a text says why that cannot be. */
export type MapFile = (descriptor: number, length: number) => ArrayBuffer | string;

/** What the slots of a new ring are filled with: no sequence of theirs. Pages that nobody writes are no memory of the process. */
const FILLING = 0xa5;
const CHUNK = 64 * 1024;

/**
 * The ring in the file `path`, as another run has left it or made anew; `path` null for memory of the process. Where the file
 * cannot be had (a full disk, no native calls), it is memory, and `why` says so. Never throws.
 */
export function openRing(path: string | null, map: MapFile): Ring {
  if (path === null) return inMemory('there is no state folder');
  let descriptor = -1;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    if (!isRing(descriptor)) {
      ftruncateSync(descriptor, 0);
      fill(descriptor, null);
    }
    // Where a copy of the file has holes, a write into one may find no room, and that would end the process.
    else if (fstatSync(descriptor).blocks * 512 < RING_SIZE) fill(descriptor, descriptor);
    const memory = map(descriptor, RING_SIZE);
    if (typeof memory === 'string') return inMemory(memory);
    if (!isRing(descriptor)) begin(memory);
    return { memory, path, why: null };
  } catch (error) {
    giveUp(path, descriptor);
    return inMemory((error as Error).message);
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}

function inMemory(why: string): Ring {
  const memory = new SharedArrayBuffer(RING_SIZE);
  begin(memory);
  return { memory, path: null, why };
}

function begin(memory: ArrayBufferLike): void {
  const words = new Uint32Array(memory);
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  words[HEADER.ID_LOW] = low!;
  words[HEADER.ID_HIGH] = high!;
  words[HEADER.MAGIC] = MAGIC;
}

function isRing(descriptor: number): boolean {
  if (fstatSync(descriptor).size !== RING_SIZE) return false;
  const word = Buffer.alloc(4);
  readSync(descriptor, word, 0, 4, HEADER.MAGIC * 4);
  return word.readUInt32LE() === MAGIC;
}

/** Gives each octet of the file a block of its own; `from`: a descriptor whose octets it keeps, or null. */
function fill(descriptor: number, from: number | null): void {
  const chunk = Buffer.alloc(CHUNK);
  for (let at = 0; at < RING_SIZE; at += CHUNK) {
    const length = Math.min(CHUNK, RING_SIZE - at);
    chunk.fill(FILLING);
    if (at < SLOTS_AT) chunk.fill(0, 0, Math.min(CHUNK, SLOTS_AT - at));
    if (from !== null) readSync(from, chunk, 0, length, at);
    for (let done = 0; done < length; ) done += writeSync(descriptor, chunk, done, length - done, at + done);
  }
}

/** A file that could not be filled would keep what room there is. One that was a ring is kept for the next start. */
function giveUp(path: string, descriptor: number): void {
  try {
    if (descriptor >= 0 && !isRing(descriptor)) unlinkSync(path);
  } catch {
    // It stays: the next start tries again.
  }
}

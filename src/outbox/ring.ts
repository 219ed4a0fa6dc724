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
import { COUNTS, COUNTS_MAGIC, COUNTS_SIZE } from './count-table.ts';
import { HEADER, MAGIC, RING_SIZE, SLOTS_AT } from './slot.ts';

/** Memory that the worker reads, and where it finds it. */
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
  return openShared(path, map, { magic: MAGIC, size: RING_SIZE, filledFrom: SLOTS_AT });
}

/** The same for the table of counts. */
export function openCounts(path: string | null, map: MapFile): Ring {
  return openShared(path, map, { magic: COUNTS_MAGIC, size: COUNTS_SIZE, filledFrom: COUNTS_SIZE });
}

/** What tells one kind of shared memory from another. The first words are those of HEADER: the magic and an id. */
interface Kind {
  readonly magic: number;
  readonly size: number;
  /** From here on a new one is filled; before are zeros. */
  readonly filledFrom: number;
}

if (COUNTS.MAGIC !== HEADER.MAGIC || COUNTS.ID_LOW !== HEADER.ID_LOW || COUNTS.ID_HIGH !== HEADER.ID_HIGH)
  throw new Error('the ring and the table of counts begin with the same words');

function openShared(path: string | null, map: MapFile, kind: Kind): Ring {
  const { size } = kind;
  if (path === null) return inMemory('there is no state folder', kind);
  let descriptor = -1;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    if (!isOf(descriptor, kind)) {
      ftruncateSync(descriptor, 0);
      fill(descriptor, null, kind);
    }
    // Where a copy of the file has holes, a write into one may find no room, and that would end the process.
    else if (fstatSync(descriptor).blocks * 512 < size) fill(descriptor, descriptor, kind);
    const memory = map(descriptor, size);
    if (typeof memory === 'string') return inMemory(memory, kind);
    if (!isOf(descriptor, kind)) begin(memory, kind);
    return { memory, path, why: null };
  } catch (error) {
    giveUp(path, descriptor, kind);
    return inMemory((error as Error).message, kind);
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}

function inMemory(why: string, kind: Kind): Ring {
  const memory = new SharedArrayBuffer(kind.size);
  begin(memory, kind);
  return { memory, path: null, why };
}

function begin(memory: ArrayBufferLike, { magic }: Kind): void {
  const words = new Uint32Array(memory);
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  words[HEADER.ID_LOW] = low!;
  words[HEADER.ID_HIGH] = high!;
  words[HEADER.MAGIC] = magic;
}

function isOf(descriptor: number, { magic, size }: Kind): boolean {
  if (fstatSync(descriptor).size !== size) return false;
  const word = Buffer.alloc(4);
  readSync(descriptor, word, 0, 4, HEADER.MAGIC * 4);
  return word.readUInt32LE() === magic;
}

/** Gives each octet of the file a block of its own; `from`: a descriptor whose octets it keeps, or null. */
function fill(descriptor: number, from: number | null, { size, filledFrom }: Kind): void {
  const chunk = Buffer.alloc(CHUNK);
  for (let at = 0; at < size; at += CHUNK) {
    const length = Math.min(CHUNK, size - at);
    chunk.fill(FILLING);
    if (at < filledFrom) chunk.fill(0, 0, Math.min(CHUNK, filledFrom - at));
    if (from !== null) readSync(from, chunk, 0, length, at);
    for (let done = 0; done < length; ) done += writeSync(descriptor, chunk, done, length - done, at + done);
  }
}

/** A file that could not be filled would keep what room there is. One that was what it should be is kept for the next start. */
function giveUp(path: string, descriptor: number, kind: Kind): void {
  try {
    if (descriptor >= 0 && !isOf(descriptor, kind)) unlinkSync(path);
  } catch {
    // It stays: the next start tries again.
  }
}

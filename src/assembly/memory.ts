import { type LargeArray, release } from '../policy/compile/arrays.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Native } from '../socket/native.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Chore } from './chores.ts';

/** Milliseconds until the loading thread is gone. */
const GIVE_BACK_MS: Milliseconds = 1_000;

/** What the loading thread used is free when the thread is gone; then the system may have it back. */
export function giveBackMemory(native: Native | string): void {
  if (typeof native !== 'string') setTimeout(() => native.giveBackMemory(), GIVE_BACK_MS).unref();
}

/** Milliseconds between two looks at resident memory, and octets by which it has grown where freed memory is given back. */
const LOOK_MS: Milliseconds = 10_000;
const GROWN = 8 * 1_048_576;

/**
 * V8's compilers free much when they are done, and glibc keeps it for each of their threads: 20 MiB after the first minute of
 * load. `resident`: octets of memory that the process has.
 */
export function trimChore(native: Native | string, resident: () => number): Chore {
  let least = resident();
  return {
    name: 'give back memory',
    every: LOOK_MS,
    work() {
      const now = resident();
      if (now > least + GROWN && typeof native !== 'string') native.trim();
      // What is left behind a trim counts from the next look on.
      least = now > least + GROWN ? now : Math.min(least, now);
    },
  };
}

/** Gives back a snapshot that is no longer in force, an array a turn of the event loop. Nobody may read it again. */
export function giveBackSnapshot(snapshot: Snapshot, native: Native | string): void {
  release(snapshot, (array) => giveBackArray(array, native), setImmediate);
}

/** Shared memory is V8's to free, at a collection some time. Until then it keeps addresses, and no pages. */
function giveBackArray(array: LargeArray, native: Native | string): void {
  if (array.buffer instanceof ArrayBuffer) array.buffer.transfer(0);
  else if (typeof native !== 'string') native.emptyArray(array);
}

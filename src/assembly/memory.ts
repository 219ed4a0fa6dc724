import { type LargeArray, release } from '../policy/compile/arrays.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Native } from '../socket/native.ts';
import type { Milliseconds } from '../wire/quantity.ts';

/** Milliseconds until the loading thread is gone. */
const GIVE_BACK_MS: Milliseconds = 1_000;

/** What the loading thread used is free when the thread is gone; then the system may have it back. */
export function giveBackMemory(native: Native | string): void {
  if (typeof native !== 'string') setTimeout(() => native.giveBackMemory(), GIVE_BACK_MS).unref();
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

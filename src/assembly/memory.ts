import type { Native } from '../socket/native.ts';
import type { Milliseconds } from '../wire/quantity.ts';

/** Milliseconds until the loading thread is gone. */
const GIVE_BACK_MS: Milliseconds = 1_000;

/** What the loading thread used is free when the thread is gone; then the system may have it back. */
export function giveBackMemory(native: Native | string): void {
  if (typeof native !== 'string') setTimeout(() => native.giveBackMemory(), GIVE_BACK_MS).unref();
}

import type { Holder } from './holder.ts';

/** What a key may pass, as numbers that are kept on disk. */
export const CROSSING = { ALERT: 0, CONTAIN: 1, END: 2 } as const;

/** A key that passed a threshold, or is free again. */
export interface Crossing {
  readonly what: (typeof CROSSING)[keyof typeof CROSSING];
  readonly holder: Holder;
}

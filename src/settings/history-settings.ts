import type { Milliseconds } from '../wire/quantity.ts';

/** The history of what clients asked: it is there wherever there is a state folder, unless it is off. */
export interface HistorySettings {
  /** Milliseconds for which an account is kept after its last question. */
  readonly keep: Milliseconds;
  /** Octets that the database may have. */
  readonly size: number;
}

export const DEFAULT_HISTORY: HistorySettings = { keep: 30 * 86_400_000, size: 2 ** 30 };

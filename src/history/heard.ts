import type { LeaseNote } from '../policy/lease/lease-note.ts';
import type { DirectNote } from '../resolve/grants/direct-note.ts';
import type { CountedQuestion } from '../resolve/story/counted-question.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** What the history hears of the ring, as the worker that reads it tells. */
export type HeardRecord = HeardAsked | HeardGiven | HeardNote;

/** A question; good during the call, but for its draft. */
export interface HeardQuestion {
  readonly identity: string;
  readonly proven: boolean;
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  /** Wire name in lower case. */
  readonly name: Uint8Array;
  readonly type: number;
  /** The client's address as text; of IPv6 its /64. */
  readonly network: string;
  readonly draft: HeardDraft;
}

export interface HeardDraft {
  readonly owner?: string;
  readonly stage?: string;
  readonly lease?: string;
  readonly job?: Readonly<Record<string, string>>;
  readonly certificate?: { readonly san?: string; readonly fingerprint?: string };
  /** Presentation form. */
  readonly name?: string;
  readonly verdict?: string;
  readonly ground?: string;
  /** `FILE:LINE`. */
  readonly rule?: string;
  readonly policy?: string;
  readonly addresses?: readonly string[];
  readonly expected?: true;
  readonly approved_stage?: string;
}

/** A question that is counted in an entry of the table of counts from here on; itself is not in that count. */
export interface HeardAsked extends CountedQuestion {
  readonly record: 'asked';
  readonly question: HeardQuestion;
}

export interface HeardGiven {
  readonly record: 'given';
  readonly question: HeardQuestion;
  readonly entry: number;
  readonly generation: number;
}

export interface HeardNote {
  readonly record: 'note';
  readonly text: string;
}

/** Null for what is neither a note of a lease nor of refused packets. */
export function readHeardNote(text: string): LeaseNote | DirectNote | null {
  try {
    const note = JSON.parse(text) as Partial<LeaseNote> | Partial<DirectNote> | null;
    if (note?.note === 'lease') return typeof note.id === 'string' ? (note as LeaseNote) : null;
    return note?.note === 'direct' && typeof note.network === 'string' ? (note as DirectNote) : null;
  } catch {
    return null;
  }
}

/** How often questions were asked that were heard of. */
export interface HeardCounts {
  readonly id: string;
  sweep(hear: (entry: number, generation: number, count: number, last: EpochMilliseconds) => boolean): void;
  readonly lost: { readonly count: number; readonly from: EpochMilliseconds; readonly to: EpochMilliseconds };
  again(): void;
  forget(): void;
}

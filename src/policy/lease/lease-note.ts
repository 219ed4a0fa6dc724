import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** A lease began or is over, for those who keep its account; at a start all that live are told, and then `all`. */
export interface LeaseNote {
  readonly note: 'lease';
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  readonly what: 'opened' | 'live' | 'ended' | 'expired' | 'all';
  /** Empty with `all`. */
  readonly id: string;
  readonly identity?: string;
  /** Of the identity. */
  readonly owner?: string;
  readonly claim?: { readonly addresses: readonly string[]; readonly certificate: string | null };
  readonly job?: Readonly<Record<string, string>> | null;
  /** Who opened it, for people; and a job's key, else null. */
  readonly opener?: string;
  readonly holder?: string | null;
  readonly opened?: EpochMilliseconds;
  readonly enforced?: boolean;
}

/** Hears of each lease before its first question, and of its end. */
export interface LeaseAccount {
  tell(note: LeaseNote): void;
}

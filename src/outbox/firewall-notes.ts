import type { DirectNote } from '../resolve/grants/direct-note.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** What the firewall tells the worker. Times are milliseconds since 1970. */
export type FirewallNote = DirectNote | GuardNote;

/** Trouble of the firewall itself. */
export interface GuardNote {
  readonly note: 'guard';
  readonly at: EpochMilliseconds;
  readonly finding: GuardFinding;
  /** It is over. */
  readonly over: boolean;
  /** What it is about, for people; empty for all. */
  readonly key: string;
  /** Empty where it is nobody's. */
  readonly identity: string;
  readonly owner: string;
  readonly client: string | null;
  readonly lease: string | null;
  readonly name: string | null;
  /** What is to be said besides. */
  readonly text: string | null;
  /** Answers are given all the same. */
  readonly open: boolean;
  /** How often it was so. */
  readonly count: number;
}

export type GuardFinding =
  | 'enforce-down'
  | 'enforce-rules'
  | 'enforce-fault'
  | 'grant-missing'
  | 'grant-limit';

import type { LeaseNote } from '../policy/lease/lease-note.ts';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { FirewallNote } from './firewall-notes.ts';

/** What the query thread tells the worker in JSON: few, and never one a query. Times are milliseconds since 1970. */
export type Note = RatesNote | BudgetNote | HeartbeatNote | OperationsNote | LeaseNote | FirewallNote;

/** A key of the leak ledger passed a threshold, or is free again. */
export interface BudgetNote {
  readonly note: 'budget';
  readonly at: EpochMilliseconds;
  readonly what: 'alert' | 'contain' | 'end';
  /** The identity is audited: it would have been contained. */
  readonly audited: boolean;
  readonly identity: string;
  readonly owner: string;
  /** `lease`, `client`, `claim`, `wildcard`, `identity`; and of which. */
  readonly key: string;
  readonly subject: string;
  /** The wildcard's base, or empty for all. */
  readonly wildcard: string;
  readonly octets: number;
  readonly names: readonly string[];
}

export interface HeartbeatNote {
  readonly note: 'heartbeat';
  readonly at: EpochMilliseconds;
  /** Hash of the whole policy. */
  readonly policy: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** Trouble of the server itself that a person has to act on. */
export interface OperationsNote {
  readonly note: 'operations';
  readonly at: EpochMilliseconds;
  readonly finding: string;
  readonly key: string;
  readonly text: string;
  readonly next: string;
}

/** How much identities asked in a time; those that asked nothing are left out. */
export interface RatesNote {
  readonly note: 'rates';
  readonly at: EpochMilliseconds;
  /** Milliseconds. */
  readonly span: Milliseconds;
  readonly rates: readonly {
    readonly identity: string;
    readonly owner: string;
    readonly questions: number;
    readonly txt: number;
    /** What it may ask a second; 0 for no limit. */
    readonly qps: number;
  }[];
}

/** Gives null for what is no note. */
export function readNote(text: string): Note | null {
  try {
    const note = JSON.parse(text) as Partial<Note> | null;
    return typeof note?.at === 'number' && typeof note.note === 'string' ? (note as Note) : null;
  } catch {
    return null;
  }
}

import type { GrantOrder } from './grant-line.ts';

/** What of the server file the story reads of the firewall. */
export interface FirewallTerms {
  /** Ports that a grant opens where its rule names none. */
  readonly ports: readonly string[];
  /** An answer is given although its grants are not in the kernel in time. */
  readonly open: boolean;
}

/** Who hears what became of orders: one of the first two, and perhaps `settled` after `expired`. Must not throw. */
export interface GrantWaiter {
  /** They are in force, or one of them is not. */
  settled(good: boolean): void;
  /** Nothing was heard in time. */
  expired(): void;
}

/** The way to the firewall's keeper. `assembly/` implements it. */
export interface Enforcement {
  /** Nobody has been there for longer than an answer may wait. */
  readonly down: boolean;
  /** Tells it orders, in their sequence. Without a waiter they are lost while nobody is there, for a snapshot comes first. */
  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void;
  /** Something that a person should know. */
  found(finding: GrantFinding, facts: Readonly<Record<string, unknown>>): void;
}

export type GrantFinding = 'grant-missing' | 'grant-limit';

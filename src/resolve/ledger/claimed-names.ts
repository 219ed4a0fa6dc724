import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Certificate names that are remembered with the address that they came from. */
const MOST = 10_000;
/** Milliseconds: the ledger's window. */
const LIFE: Milliseconds = 27 * 3_600_000;

interface Seen {
  /** Keys of the first address of IPv4, and of the first /64. */
  readonly four: Machine;
  readonly six: Machine;
  shared: boolean;
  until: Monotonic;
}

interface Machine {
  isKnown: boolean;
  low: number;
  high: number;
}

/**
 * Which names of certificates come from several addresses: those are several machines, and the budget of one must not be
 * denied to the others. One address of IPv4 and one /64 may be one machine. Bounded: the name that was seen first is forgotten first.
 */
export class ClaimedNames {
  readonly #seen = new Map<string, Seen>();

  /** Notes that a name came from an address, by 64 bits of a keyed hash of it; `now` is monotonic milliseconds. */
  isShared(name: string, low: number, high: number, isSix: boolean, now: Monotonic): boolean {
    const seen = this.#find(name, now);
    const first = isSix ? seen.six : seen.four;
    if (!first.isKnown) {
      first.isKnown = true;
      first.low = low;
      first.high = high;
    }
    if (first.low !== low || first.high !== high) {
      seen.shared = true;
      seen.until = now + LIFE;
    }
    return seen.shared;
  }

  /** The same of a name that nobody shows now. */
  isKnownShared(name: string, now: Monotonic): boolean {
    const seen = this.#seen.get(name);
    return seen !== undefined && seen.until > now && seen.shared;
  }

  /** Takes up after a restart that a name is shared. */
  recall(name: string, now: Monotonic): void {
    this.#find(name, now).shared = true;
  }

  #find(name: string, now: Monotonic): Seen {
    let seen = this.#seen.get(name);
    if (seen !== undefined && seen.until > now) return seen;
    this.#seen.delete(name);
    const nobody = { isKnown: false, low: 0, high: 0 };
    seen = { four: { ...nobody }, six: { ...nobody }, shared: false, until: now + LIFE };
    this.#seen.set(name, seen);
    if (this.#seen.size > MOST) this.#seen.delete(this.#seen.keys().next().value!);
    return seen;
  }
}

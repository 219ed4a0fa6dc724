import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Addresses that are remembered. */
const MOST = 10_000;
/** Milliseconds: the ledger's window. */
const LIFE: Milliseconds = 27 * 3_600_000;

interface Leased {
  readonly text: string;
  /** The other half of its key. */
  readonly high: number;
  until: Monotonic;
}

/**
 * IPv6 addresses that a lease has bound by themselves: such a claim is one machine, and goes on when the lease is over, or
 * when the address asks as somebody else. Known by the key of the claim. Bounded: what was leased first is forgotten first.
 */
export class LeasedAddresses {
  readonly #leased = new Map<number, Leased>();

  get isEmpty(): boolean {
    return this.#leased.size === 0;
  }

  /** Notes that a live lease binds it; `now` is monotonic milliseconds. */
  note(text: string, low: number, high: number, now: Monotonic): void {
    const known = this.#leased.get(low);
    if (known !== undefined && known.high === high) {
      known.until = now + LIFE;
      return;
    }
    this.#leased.set(low, { text, high, until: now + LIFE });
    if (this.#leased.size > MOST) this.#leased.delete(this.#leased.keys().next().value!);
  }

  /** The address as text, if it was leased within the window; else null. */
  find(low: number, high: number, now: Monotonic): string | null {
    const known = this.#leased.get(low);
    return known === undefined || known.high !== high || known.until <= now ? null : known.text;
  }
}

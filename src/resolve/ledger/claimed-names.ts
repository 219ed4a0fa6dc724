/** Certificate names that are remembered with the address that they came from. */
const MOST = 10_000;
/** Milliseconds: the ledger's window. */
const LIFE = 27 * 3_600_000;

interface Seen {
  readonly address: string;
  shared: boolean;
  until: number;
}

/**
 * Which names of certificates come from several addresses: those are several machines, and the budget of one must not be
 * denied to the others. Bounded: the name that was seen first is forgotten first.
 */
export class ClaimedNames {
  readonly #seen = new Map<string, Seen>();

  /** Notes that a name came from an address; `now` is monotonic milliseconds. */
  isShared(name: string, address: string, now: number): boolean {
    let seen = this.#seen.get(name);
    if (seen === undefined || seen.until <= now) {
      this.#seen.delete(name);
      seen = { address, shared: false, until: now + LIFE };
      this.#seen.set(name, seen);
      if (this.#seen.size > MOST) this.#seen.delete(this.#seen.keys().next().value!);
    }
    if (seen.address !== address) {
      seen.shared = true;
      seen.until = now + LIFE;
    }
    return seen.shared;
  }
}

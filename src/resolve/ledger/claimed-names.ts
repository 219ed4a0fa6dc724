/** Certificate names that are remembered with the address that they came from. */
const MOST = 10_000;
/** Milliseconds: the ledger's window. */
const LIFE = 27 * 3_600_000;

interface Seen {
  /** The first of IPv4, and the first /64; empty for none. */
  four: string;
  six: string;
  shared: boolean;
  until: number;
}

/**
 * Which names of certificates come from several addresses: those are several machines, and the budget of one must not be
 * denied to the others. One address of IPv4 and one /64 may be one machine. Bounded: the name that was seen first is forgotten first.
 */
export class ClaimedNames {
  readonly #seen = new Map<string, Seen>();

  /** Notes that a name came from an address; `now` is monotonic milliseconds. */
  isShared(name: string, address: string, isSix: boolean, now: number): boolean {
    let seen = this.#seen.get(name);
    if (seen === undefined || seen.until <= now) {
      this.#seen.delete(name);
      seen = { four: '', six: '', shared: false, until: now + LIFE };
      this.#seen.set(name, seen);
      if (this.#seen.size > MOST) this.#seen.delete(this.#seen.keys().next().value!);
    }
    if (isSix && seen.six === '') seen.six = address;
    if (!isSix && seen.four === '') seen.four = address;
    if ((isSix ? seen.six : seen.four) !== address) {
      seen.shared = true;
      seen.until = now + LIFE;
    }
    return seen.shared;
  }
}

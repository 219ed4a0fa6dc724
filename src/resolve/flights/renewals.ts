import type { Renewable } from '../../policy/compile/renewable.ts';
import type { EpochSeconds, Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { InForce } from '../in-force.ts';
import type { Flights } from './flights.ts';

/** Milliseconds before an answer's end at which it is asked for again: what an upstream may need at most. */
const LEAD: Milliseconds = 4_000;
/** Questions that one call of `sendDue` sends at most, so that a thousand names are not asked for at once. */
const PER_TICK = 50;

/**
 * Asks for renewed names on our own schedule: when a question goes upstream then tells nobody what a client did.
 */
export class Renewals {
  readonly #flights: Flights;
  readonly #due = new Map<string, Renewal>();

  constructor(flights: Flights) {
    this.#flights = flights;
  }

  /** How many questions are kept renewed. */
  get count(): number {
    return this.#due.size;
  }

  /** Takes the names of a new policy. What was renewed and still is goes on in its own time; the rest is let go. */
  configure(names: readonly Renewable[], inForce: InForce): void {
    const wanted = new Set<string>();
    for (const { name, types } of names) {
      const group = inForce.groupOf(name, name.length);
      for (const [type, until] of types) {
        const key = this.#flights.key(name, name.length, type, inForce.groupIds[group]!, false, 0).text;
        wanted.add(key);
        const known = this.#due.get(key);
        if (known === undefined) this.#due.set(key, { name, type, group, until, at: 0, waiting: false });
        else {
          known.group = group;
          known.until = until;
        }
      }
    }
    for (const key of this.#due.keys()) {
      if (wanted.has(key)) continue;
      this.#due.delete(key);
      this.#flights.letGo(key);
    }
  }

  /**
   * Sends what is due at `now`, monotonic milliseconds; `epoch` is seconds since 1970: a name is let go at the second at
   * which its rule ends. To be called a few times a second.
   */
  sendDue(now: Monotonic, epoch: EpochSeconds): void {
    let sent = 0;
    for (const [key, renewal] of this.#due) {
      if (renewal.until <= epoch) {
        this.#due.delete(key);
        this.#flights.letGo(key);
        continue;
      }
      if (renewal.waiting || now < renewal.at) continue;
      if (++sent > PER_TICK) return;
      const { name, type, group } = renewal;
      this.#flights.renew(key, { group, name, type, checkingDisabled: false }, 'schedule', (until) => {
        renewal.waiting = false;
        // A reload may have let go of it meanwhile.
        if (this.#due.get(key) !== renewal) this.#flights.letGo(key);
        renewal.at = until - LEAD;
      });
      renewal.waiting = true;
    }
  }
}

interface Renewal {
  readonly name: Uint8Array;
  readonly type: number;
  group: number;
  /** Seconds since 1970 at which nothing approves it any more, or FOREVER. */
  until: EpochSeconds;
  /** Monotonic milliseconds at which it is asked for again. */
  at: Monotonic;
  waiting: boolean;
}

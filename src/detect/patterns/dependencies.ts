import type { Thresholds } from './kinds.ts';

/** Names of which an answer is remembered: of all identities together, some 200 octets each. */
const MOST = 8_192;

interface Dependency {
  /** Milliseconds since 1970 of the last answer, and since when it fails; -1 for not. */
  good: number;
  failing: number;
  told: boolean;
}

/** Whether approved names that had answers still have them, by identity and name. Who was answered longest ago makes room. */
export class Dependencies {
  readonly #known = new Map<string, Dependency>();

  get count(): number {
    return this.#known.size;
  }

  /** `failed`: a question of `key` has just failed. Says whether it is to be told; `over`: what was told is over. */
  take(
    key: string,
    at: number,
    isGood: boolean,
    limits: NonNullable<Thresholds['dependency']>,
  ): 'failed' | 'over' | null {
    const known = this.#known.get(key);
    if (isGood) {
      const wasTold = known?.told === true;
      this.#known.delete(key);
      if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(key, { good: at, failing: -1, told: false });
      return wasTold ? 'over' : null;
    }
    // A name that never had an answer is no dependency.
    if (known === undefined) return null;
    if (known.failing < 0) {
      if (at - known.good > limits.known) return null;
      known.failing = at;
    }
    if (at - known.failing < limits.for) return null;
    known.told = true;
    return 'failed';
  }
}

import type { Loaded } from '../config/loaded.ts';
import type { Vetted } from './trust/trusts.ts';

/** A load without errors, its trust built. */
export type Whole = Loaded & Vetted;

/** One room's share of a load. */
export interface Part {
  /** For the log, and for who puts the first load in force. */
  readonly name: string;
  /**
   * Builds what this load puts in force, and changes nothing yet: it may throw. Returns what puts it in force, which does as
   * little as it can, and can be called for a load that was in force before.
   */
  build(load: Whole): () => void;
  /** What puts back what is in force now, where that is more than the last load: called before anything changes. */
  keep?(): () => void;
}

/** What is in force, as a whole: every part of one load. The query path runs between two swaps and never within one. */
export class Swap {
  readonly #parts: readonly Part[];
  #present: Whole;

  /** `first` is in force already. */
  constructor(parts: readonly Part[], first: Whole) {
    this.#parts = parts;
    this.#present = first;
  }

  get present(): Whole {
    return this.#present;
  }

  /**
   * Builds everything of `next`, then puts it in force. Throws where a part throws, and then all of what was in force before
   * is: should a part throw where it is put in force, every part takes the load before once more.
   */
  take(next: Whole): void {
    const commits = this.#build(next);
    const kept = this.#parts.map((part) => part.keep?.() ?? null);
    try {
      for (const commit of commits) commit();
    } catch (error) {
      this.#parts.forEach((part, index) => {
        const back = kept[index] ?? part.build(this.#present);
        back();
      });
      throw error;
    }
    this.#present = next;
  }

  #build(load: Whole): (() => void)[] {
    return this.#parts.map((part) => {
      try {
        return part.build(load);
      } catch (error) {
        throw new Error(`${part.name} could not be built`, { cause: error });
      }
    });
  }
}

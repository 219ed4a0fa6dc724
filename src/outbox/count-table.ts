import { readSync, writeSync } from 'node:fs';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { RingPlace } from './ring-reader.ts';

/**
 * How often each question of each client was asked, in memory that the worker reads and that outlives the process: a file of
 * its own beside the ring. A question that is known costs no slot of the ring; one that is new has one, which says where
 * in the table it is counted from then on.
 *
 * An entry is used again for another question. Its generation tells the two apart, and the slot of the new one says what the
 * old one had. So whoever adds up what slots and the table say has every question, whenever the process was killed.
 */

/** `ngc` and the version of this layout. */
export const COUNTS_MAGIC = 0x0163_676e;

export const COUNT_ENTRIES = 65_536;
/** Entries among which a question has its place. */
export const COUNT_WAYS = 4;

/** Words of an entry, and where. */
export const ENTRY_WORDS = 8;
export const ENTRY = {
  /** 0: it is free, or nobody asks for it any more. */
  PRINT: 0,
  GENERATION: 1,
  /** Questions after the one whose slot said so. */
  COUNT: 2,
  /** Of the answer that was given last: when it was stored, */
  ANSWER: 3,
  /** the time of the last question, 64 bits, */
  LAST: 4,
  /** and which addresses were in it. */
  GIVEN: 6,
} as const;

/** Words of the header. */
export const COUNTS = {
  MAGIC: 0,
  ID_LOW: 1,
  ID_HIGH: 2,
  /** Questions that had no room in the ring, and when, 64 bits each: from, to. */
  LOST: 3,
  LOST_FROM: 4,
  LOST_TO: 6,
} as const;

export const COUNTS_HEADER = 64;
export const COUNTS_SIZE = COUNTS_HEADER + COUNT_ENTRIES * ENTRY_WORDS * 4;

/** Hears of an entry that has moved on since it was read last; false where it is to be told again at the next sweep. */
export type HearCount = (
  entry: number,
  generation: number,
  count: number,
  last: EpochMilliseconds,
) => boolean;

/** The worker's view of the table. */
export class CountReader {
  /** Of the table: another when it was made anew. */
  readonly id: string;
  readonly #place: RingPlace;
  readonly #copy = new ArrayBuffer(COUNTS_SIZE);
  readonly #words = new Uint32Array(this.#copy);
  readonly #floats = new Float64Array(this.#copy);
  readonly #counts = new Uint32Array(COUNT_ENTRIES);
  readonly #generations = new Uint32Array(COUNT_ENTRIES);

  constructor(place: RingPlace) {
    this.#place = place;
    this.#load();
    const words = this.#words;
    this.id = `${words[COUNTS.ID_LOW]!.toString(16)}-${words[COUNTS.ID_HIGH]!.toString(16)}`;
  }

  /** Tells of each entry that is not as it was at the last call; at the first, of each that was ever used. */
  sweep(hear: HearCount): void {
    this.#load();
    const words = this.#words;
    for (let entry = 0; entry < COUNT_ENTRIES; entry++) {
      const at = COUNTS_HEADER / 4 + entry * ENTRY_WORDS;
      const generation = words[at + ENTRY.GENERATION]!;
      const count = words[at + ENTRY.COUNT]!;
      if (count === this.#counts[entry] && generation === this.#generations[entry]) continue;
      if (!hear(entry, generation, count, Math.floor(this.#floats[(at + ENTRY.LAST) / 2]!))) continue;
      this.#counts[entry] = count;
      this.#generations[entry] = generation;
    }
  }

  /** What had no room in the ring since the table was made; of the last sweep. */
  get lost(): { readonly count: number; readonly from: EpochMilliseconds; readonly to: EpochMilliseconds } {
    return {
      count: this.#words[COUNTS.LOST]!,
      from: this.#floats[COUNTS.LOST_FROM / 2]!,
      to: this.#floats[COUNTS.LOST_TO / 2]!,
    };
  }

  /** Tells of all again at the next sweep: what was told last was not written. */
  again(): void {
    this.#counts.fill(0);
    this.#generations.fill(0);
  }

  /** Nobody knows any more what the entries stand for: each question is new again. */
  forget(): void {
    const none = Buffer.alloc(4);
    for (let entry = 0; entry < COUNT_ENTRIES; entry++) {
      const at = COUNTS_HEADER + entry * ENTRY_WORDS * 4;
      if (this.#words[at / 4] === 0) continue;
      if ('file' in this.#place) writeSync(this.#place.file, none, 0, 4, at);
      else new Uint32Array(this.#place.memory)[at / 4] = 0;
    }
  }

  #load(): void {
    const place = this.#place;
    if ('memory' in place) new Uint8Array(this.#copy).set(new Uint8Array(place.memory));
    else readSync(place.file, new Uint8Array(this.#copy), 0, COUNTS_SIZE, 0);
  }
}

import { readSync, writeSync } from 'node:fs';
import { endOf, isBefore, sequencePlace } from './ring-writer.ts';
import { HEADER, SLOT_SIZE, SLOTS, SLOTS_AT } from './slot.ts';

/** Slots that are read at once. */
const CHUNK = 64;

/** Where the ring is: the file that the writer has mapped, or memory that both threads share. */
export type RingPlace = { readonly file: number } | { readonly memory: SharedArrayBuffer };

/** The worker's end of the ring: it reads what is written, in order, and says what is committed. */
export class RingReader {
  readonly #place: RingPlace;
  readonly #chunk = Buffer.alloc(CHUNK * SLOT_SIZE);
  /** One for each slot of a chunk: making one costs more than reading it. */
  readonly #slots = Array.from({ length: CHUNK }, (_, i) =>
    this.#chunk.subarray(i * SLOT_SIZE, (i + 1) * SLOT_SIZE),
  );
  readonly #view = new Uint32Array(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length / 4);
  /** Of the next slot, modulo 2^32. */
  position: number;
  /** Of the ring: another when its file was made anew. */
  readonly id: string;

  /** `kept`: the ring's id and the position that were committed last, or null. */
  constructor(place: RingPlace, kept: { readonly id: string; readonly position: number } | null) {
    this.#place = place;
    const [low, high] = [this.#word(HEADER.ID_LOW * 4), this.#word(HEADER.ID_HIGH * 4)];
    this.id = `${low.toString(16)}-${high.toString(16)}`;
    const sequenceAt = (position: number): number => this.#word(sequencePlace(position));
    this.position = this.#word(HEADER.READ * 4);
    if (kept === null || kept.id !== this.id) return;
    const end = endOf(this.#word(HEADER.START * 4), sequenceAt);
    // After a loss of power the file or the database may be behind the other.
    if (sequenceAt(kept.position) === (kept.position + 1) >>> 0 || kept.position === end)
      this.position = kept.position;
    else if (isBefore(end, kept.position)) this.position = this.#word(HEADER.START * 4);
  }

  /**
   * Calls `take` with each slot that is there, at most `most` of them; gives how many there were. The octets are good during
   * the call.
   */
  read(most: number, take: (slot: Buffer) => void): number {
    let taken = 0;
    while (taken < most) {
      const index = this.position % SLOTS;
      const wanted = Math.min(CHUNK, most - taken, SLOTS - index);
      const ready = this.#load(index, wanted);
      for (let i = 0; i < ready; i++) {
        take(this.#slots[i]!);
        this.position = (this.position + 1) >>> 0;
      }
      taken += ready;
      if (ready < wanted) break;
    }
    return taken;
  }

  /** Gives the slots before `position` back to the writer: what they held is committed. */
  release(position: number): void {
    const place = this.#place;
    if ('memory' in place) {
      Atomics.store(new Int32Array(place.memory), HEADER.READ, position | 0);
      return;
    }
    const word = Buffer.alloc(4);
    word.writeUInt32LE(position);
    writeSync(place.file, word, 0, 4, HEADER.READ * 4);
  }

  /** Loads slots; gives how many of them, from the first on, are whole. */
  #load(index: number, count: number): number {
    this.#copy(index, count);
    let ready = 0;
    while (ready < count && this.#view[(ready * SLOT_SIZE) / 4] === (this.position + ready + 1) >>> 0)
      ready++;
    // The first copy may have met a slot as it was written: its sequence is whole, so a second copy has all of it.
    if (ready > 0) this.#copy(index, ready);
    return ready;
  }

  #copy(index: number, count: number): void {
    const place = this.#place;
    const at = SLOTS_AT + index * SLOT_SIZE;
    const length = count * SLOT_SIZE;
    if ('memory' in place) this.#chunk.set(new Uint8Array(place.memory, at, length));
    else readSync(place.file, this.#chunk, 0, length, at);
  }

  #word(at: number): number {
    const place = this.#place;
    if ('memory' in place) return Atomics.load(new Uint32Array(place.memory), at / 4);
    const word = Buffer.alloc(4);
    readSync(place.file, word, 0, 4, at);
    return word.readUInt32LE();
  }
}

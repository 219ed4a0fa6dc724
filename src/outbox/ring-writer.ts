import type { EpochMilliseconds } from '../wire/quantity.ts';
import { KINDS } from './event.ts';
import {
  AT,
  HEADER,
  HEADER_SIZE,
  LOSS,
  LOSS_AT,
  LOSS_COUNTS,
  LOSS_NAME_SIZE,
  LOSS_ROWS,
  LOSS_SIZE,
  PART,
  PART_SIZE,
  RECORD,
  SLOT_SIZE,
  SLOTS,
  SLOTS_AT,
} from './slot.ts';

/** Slots that are free before a record of several is begun: words, and then the event that uses them. */
const SPARE = 512;
/** The row of those who have no row of their own. */
const OTHERS = 0;
/** Parts that one text has at most. */
const MOST_PARTS = 40;

/**
 * The query thread's end of the ring. No call waits, and none throws. What is full overwrites nothing: what it cannot take is
 * counted in rows of the same memory, by identity and kind, and told by a record each when there is room again.
 */
export class RingWriter {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly floats: Float64Array;
  readonly halves: Uint16Array;
  readonly #signed: Int32Array;
  #next: number;
  /** Slots that may be written before the reader's position is looked at again. */
  #room = 0;
  #isLosing = false;
  readonly #rows = new Map<string, number>();
  #note = 0;
  /** What it could not take since the start, and that by the index of KINDS. */
  lost = 0;
  readonly lostOf = new Float64Array(LOSS_COUNTS);

  /** The memory holds a ring, made by `makeRing`; whoever wrote it before is gone. */
  constructor(memory: ArrayBufferLike) {
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
    this.floats = new Float64Array(memory);
    this.halves = new Uint16Array(memory);
    this.#signed = new Int32Array(memory);
    const { words } = this;
    this.#next = endOf(words[HEADER.READ]!, (position) => words[sequencePlace(position) / 4]!);
    this.words[HEADER.START] = this.#next;
    this.#takeUpRows();
    this.forget();
  }

  /** Position of the next slot, modulo 2^32. */
  get next(): number {
    return this.#next;
  }

  /** Slots that are written and not committed. */
  get depth(): number {
    return (this.#next - Atomics.load(this.#signed, HEADER.READ)) >>> 0;
  }

  /** Whether a few records can be written now. What was lost is told first. */
  hasRoom(): boolean {
    if (this.#room < SPARE) this.#room = SLOTS - this.depth;
    if (this.#room < SPARE) return false;
    return !this.#isLosing || this.#tellLosses();
  }

  /** Begins the next slot; gives its first octet. Only after `hasRoom`, and before `publish`. */
  begin(record: number): number {
    const at = SLOTS_AT + (this.#next % SLOTS) * SLOT_SIZE;
    this.bytes[at + AT.RECORD] = record;
    return at;
  }

  /** Gives the slot to the reader: its sequence is written last. */
  publish(): void {
    const word = sequencePlace(this.#next) >>> 2;
    this.#next = (this.#next + 1) >>> 0;
    Atomics.store(this.#signed, word, this.#next | 0);
    this.#room--;
  }

  /** What was said of words counts no more: their numbers begin anew. */
  forget(): void {
    if (!this.hasRoom()) return;
    this.begin(RECORD.FORGET);
    this.publish();
  }

  /** Says what a number stands for from here on. Only after `hasRoom`. */
  word(number: number, text: string): void {
    this.#parts(RECORD.WORD, number, text);
  }

  /** Writes a text; false where it is lost. */
  note(text: string): boolean {
    if (!this.hasRoom()) return false;
    this.#note = (this.#note + 1) >>> 0;
    this.#parts(RECORD.NOTE, this.#note, text);
    return true;
  }

  /** Counts an event of an identity that could not be taken. `kind`: its index in KINDS. */
  lose(identity: string, kind: number, time: EpochMilliseconds): void {
    let row = this.#rows.get(identity);
    if (row === undefined) row = this.#newRow(identity);
    const at = HEADER_SIZE + row * LOSS_SIZE;
    const count = (at + LOSS.COUNTS) / 4 + kind;
    const from = (at + LOSS.FROM) / 8;
    this.words[count] = this.words[count]! + 1;
    if (this.floats[from] === 0) this.floats[from] = time;
    this.floats[(at + LOSS.TO) / 8] = time;
    this.#isLosing = true;
    this.lost++;
    this.lostOf[kind]!++;
  }

  #newRow(identity: string): number {
    const name = Buffer.from(identity);
    if (this.#rows.size >= LOSS_ROWS - 1 || name.length > LOSS_NAME_SIZE) return OTHERS;
    const row = this.#rows.size + 1;
    this.#rows.set(identity, row);
    const at = HEADER_SIZE + row * LOSS_SIZE;
    this.words[(at + LOSS.NAME_LENGTH) / 4] = name.length;
    this.bytes.set(name, at + LOSS.NAME);
    return row;
  }

  /** Writes a record for each row that counts something; false where there is no room for all. */
  #tellLosses(): boolean {
    const rows = [OTHERS, ...this.#rows.values()].filter((row) => this.#isCounting(row));
    if (rows.length + SPARE > this.#room) {
      this.#room = 0;
      return false;
    }
    for (const row of rows) {
      const from = HEADER_SIZE + row * LOSS_SIZE;
      const at = this.begin(RECORD.LOSS);
      this.bytes.copyWithin(at + LOSS_AT, from, from + LOSS_SIZE);
      // A kill from here on tells it once: the row says which record has it.
      this.words[(from + LOSS.TOLD) / 4] = (this.#next + 1) >>> 0;
      this.publish();
      this.#clear(row);
    }
    this.#rows.clear();
    this.#isLosing = false;
    return true;
  }

  #isCounting(row: number): boolean {
    const counts = (HEADER_SIZE + row * LOSS_SIZE + LOSS.COUNTS) / 4;
    for (let kind = 0; kind < LOSS_COUNTS; kind++) if (this.words[counts + kind] !== 0) return true;
    return false;
  }

  #clear(row: number): void {
    const at = HEADER_SIZE + row * LOSS_SIZE;
    this.bytes.fill(0, at, at + LOSS_SIZE);
  }

  /** What was counted in another run and not told is told with ours. Rows stand without gaps: the next free one is their count. */
  #takeUpRows(): void {
    for (let row = 0; row < LOSS_ROWS; row++) {
      const at = HEADER_SIZE + row * LOSS_SIZE;
      const told = this.words[(at + LOSS.TOLD) / 4]!;
      const isTold = told !== 0 && isBefore(told - 1, this.#next);
      if (isTold || !this.#isCounting(row)) {
        this.#clear(row);
        continue;
      }
      this.#isLosing = true;
      if (row === OTHERS) continue;
      const length = Math.min(this.words[(at + LOSS.NAME_LENGTH) / 4]!, LOSS_NAME_SIZE);
      const name = Buffer.from(this.bytes.subarray(at + LOSS.NAME, at + LOSS.NAME + length)).toString();
      const to = this.#rows.size + 1;
      this.#rows.set(name, to);
      if (to === row) continue;
      this.bytes.copyWithin(HEADER_SIZE + to * LOSS_SIZE, at, at + LOSS_SIZE);
      this.#clear(row);
    }
  }

  #parts(record: number, number: number, text: string): void {
    const octets = Buffer.from(text);
    const count = Math.min(MOST_PARTS, Math.max(1, Math.ceil(octets.length / PART_SIZE)));
    for (let index = 0; index < count; index++) {
      const at = this.begin(record);
      const part = octets.subarray(index * PART_SIZE, (index + 1) * PART_SIZE);
      this.words[(at + PART.NUMBER) / 4] = number;
      this.halves[(at + PART.INDEX) / 2] = index;
      this.halves[(at + PART.COUNT) / 2] = count;
      this.words[(at + PART.LENGTH) / 4] = part.length;
      this.bytes.set(part, at + PART.TEXT);
      this.publish();
    }
  }
}

/** The position behind the last slot that was written after `read`. `sequenceAt`: what the slot of a position has as its sequence. */
export function endOf(read: number, sequenceAt: (position: number) => number): number {
  let at = read;
  for (let i = 0; i < SLOTS && sequenceAt(at) === (at + 1) >>> 0; i++) at = (at + 1) >>> 0;
  return at;
}

/** Where the sequence of a position's slot stands, in octets. */
export function sequencePlace(position: number): number {
  return SLOTS_AT + (position % SLOTS) * SLOT_SIZE + AT.SEQUENCE;
}

/** Of positions modulo 2^32 that are no further apart than half of that. */
export function isBefore(a: number, b: number): boolean {
  return ((b - a) | 0) > 0;
}

if (KINDS.length > LOSS_COUNTS) throw new Error('a row of losses has too few counters');

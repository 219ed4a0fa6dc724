import type { LeaseNote } from '../../policy/lease/lease-note.ts';

/** Notes that wait: as many as there are leases. */
const MOST_NOTES = 100_000;

/** Notes of leases that wait for room in the ring, in their order. */
export class WaitingNotes {
  readonly #notes: LeaseNote[] = [];

  push(note: LeaseNote): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(note);
  }

  /** Writes what the ring has room for; without a ring, nothing. */
  write(ring: { note(text: string): boolean } | undefined): void {
    const notes = this.#notes;
    while (notes.length > 0 && ring?.note(JSON.stringify(notes[0]))) notes.shift();
  }
}

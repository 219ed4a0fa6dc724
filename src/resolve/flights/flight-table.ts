import type { Key } from '../answer/key.ts';
import type { Flight } from './flight.ts';

/** Places for flights by their keys' hash: a power of two. */
const PLACES = 4096;
/** Flights that are kept for questions to come. */
const MOST_FREE = 1024;

/** The flights under way, by their keys: a look-up makes no text of a key. Their number is bounded by whoever begins them. */
export class FlightTable {
  readonly #places = new Array<Flight | null>(PLACES).fill(null);
  readonly #free: Flight[] = [];
  readonly #make: () => Flight;

  /** `make` makes a flight when none is free. */
  constructor(make: () => Flight) {
    this.#make = make;
  }

  find(key: Key): Flight | null {
    let flight = this.#places[key.hash & (PLACES - 1)] ?? null;
    while (flight !== null && !flight.key.equals(key)) flight = flight.below;
    return flight;
  }

  /** A flight of nobody's. */
  take(): Flight {
    return this.#free.pop() ?? this.#make();
  }

  /** Gives one back that `take` gave. */
  free(flight: Flight): void {
    flight.rest();
    if (this.#free.length < MOST_FREE) this.#free.push(flight);
  }

  /** Puts a flight in whose key is in no other. */
  add(flight: Flight): void {
    const place = flight.key.hash & (PLACES - 1);
    flight.below = this.#places[place] ?? null;
    this.#places[place] = flight;
  }

  remove(flight: Flight): void {
    const place = flight.key.hash & (PLACES - 1);
    const { below } = flight;
    flight.below = null;
    let above = this.#places[place] ?? null;
    if (above === flight) {
      this.#places[place] = below;
      return;
    }
    while (above !== null && above.below !== flight) above = above.below;
    if (above !== null) above.below = below;
  }
}

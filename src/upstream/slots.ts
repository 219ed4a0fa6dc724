import type { ForwardListener } from '../resolve/ports.ts';
import type { Monotonic, Times } from '../wire/quantity.ts';
import type { Berth } from './exchange.ts';
import type { Server } from './upstream-server.ts';

/** Octets of a slot; the longest question takes 282: header, name, type and class, OPT. */
export const SLOT_SIZE = 512;
/** No slot. */
export const NONE = -1;

/**
 * The questions on their way over UDP of which nothing but time has been seen, each a slot that is known by its number. The
 * question as it was sent stands in one slab, what is known of it in typed arrays, so that it leaves nothing for the collector.
 * The table has a fixed size; the system gives it memory as slots are used for the first time, the lowest first.
 */
export class Slots {
  readonly size: number;
  /** The questions as they were sent: SLOT_SIZE octets a slot. */
  readonly octets: Buffer;
  /** Octets of a question, and up to the end of its question section. */
  readonly length: Uint16Array;
  readonly questionEnd: Uint16Array;
  /** Monotonic milliseconds: when it was sent, and when another server is asked beside this one. */
  readonly sentAt: Times<Monotonic>;
  readonly retryAt: Times<Monotonic>;
  /** The port that it left from, and where it stands there. */
  readonly port: (Berth | null)[];
  readonly entry: Uint16Array;
  /** The listener's own number for it. */
  readonly ticket: Int32Array;
  /** The servers in the order in which to ask them; the first was asked. */
  readonly servers: (readonly Server[])[];
  readonly listener: (ForwardListener | null)[];
  readonly #next: Int32Array;
  #free: number;
  #taken = 0;

  constructor(size: number) {
    this.size = size;
    this.octets = Buffer.alloc(size * SLOT_SIZE);
    this.length = new Uint16Array(size);
    this.questionEnd = new Uint16Array(size);
    this.sentAt = new Float64Array(size);
    this.retryAt = new Float64Array(size);
    this.port = new Array<Berth | null>(size).fill(null);
    this.entry = new Uint16Array(size);
    this.ticket = new Int32Array(size);
    this.servers = new Array<readonly Server[]>(size).fill(NOBODY);
    this.listener = new Array<ForwardListener | null>(size).fill(null);
    this.#free = size > 0 ? 0 : NONE;
    this.#next = Int32Array.from({ length: size }, (_, slot) => (slot + 1 < size ? slot + 1 : NONE));
  }

  /** Slots that are in use. */
  get taken(): number {
    return this.#taken;
  }

  get isFull(): boolean {
    return this.#free === NONE;
  }

  /** A slot that nobody has; there must be one. */
  take(): number {
    const slot = this.#free;
    this.#free = this.#next[slot]!;
    this.#taken++;
    return slot;
  }

  /** Gives a slot back that was taken. */
  free(slot: number): void {
    this.listener[slot] = null;
    this.port[slot] = null;
    this.servers[slot] = NOBODY;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.#taken--;
  }
}

const NOBODY: readonly Server[] = [];

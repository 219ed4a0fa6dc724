import type { GrantOrder, RefusedLine, UntoldLine } from '../resolve/grants/grant-line.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { RefusedPacket } from './kernel/packet.ts';
import { Refusals } from './refusals.ts';

/** Datagrams of the packet log that one look reads: a flood takes no more than so much of the processor. */
const MOST_DATAGRAMS = 64;
/** Lines that wait since leases changed; what had to wait longer keeps no lease of then. */
const MOST_EARLY = 4_096;
/** What a lease's client sends so soon after its end counts as sent by it: a packet takes a moment to be told. */
const AFTER_MS: Milliseconds = 1_000;

export interface RefusalSource {
  /** See `PacketLog.read`. */
  read(most: number, take: (packet: RefusedPacket) => void): void;
  /** Packets that the rules have refused, all in all; null where that is not known just now. */
  refused(): number | null;
}

/**
 * Packets that the rules refused, on their way to the resolver. The kernel tells of so many of a source and of all, and this
 * reads so many: whoever floods is told of all the same, and the rest is a number.
 */
export class RefusalWatch {
  readonly #source: RefusalSource;
  /** Leases of the addresses that are live, or were so a moment ago, in the order in which they ended. */
  readonly #leases = new Map<string, string>();
  readonly #ended = new Map<string, Monotonic>();
  readonly #refusals = new Refusals((client) => this.#leases.get(client) ?? null);
  /** Told with what was known of leases before they changed. */
  readonly #early: RefusedLine[] = [];
  /** Packets that came through, or were told as untold, since the count `#from` of the rules. */
  #accounted = 0;
  #from: number | null = null;
  /** Refused and not accounted for at the look before: some may have been on their way. */
  #before = 0;

  constructor(source: RefusalSource) {
    this.#source = source;
  }

  /** Some ten times a second. */
  look(): void {
    this.#source.read(MOST_DATAGRAMS, (packet) => {
      this.#accounted++;
      this.#refusals.take(packet);
    });
  }

  /** Orders that are about to be in force: what was refused before belongs to whoever had the address before. */
  hear(orders: readonly GrantOrder[], now: Monotonic): void {
    const changes = orders.filter(({ op }) => op === 'live' || op === 'end');
    if (changes.length === 0) return;
    this.look();
    if (this.#early.length < MOST_EARLY) this.#early.push(...this.#refusals.flush().lines);
    for (const [client, at] of this.#ended) {
      if (now - at < AFTER_MS) break;
      this.#ended.delete(client);
      this.#leases.delete(client);
    }
    for (const order of changes) {
      if (order.op === 'live' && order.lease !== null) {
        this.#ended.delete(order.client);
        this.#leases.set(order.client, order.lease);
      } else if (order.op === 'end' && this.#leases.has(order.client)) {
        this.#ended.delete(order.client);
        this.#ended.set(order.client, now);
      }
    }
  }

  /** What is to be told, about once a second. */
  take(): (RefusedLine | UntoldLine)[] {
    this.look();
    const { lines, lost } = this.#refusals.flush();
    const count = lost + this.#missing();
    const all = [...this.#early.splice(0), ...lines];
    return count === 0 ? all : [...all, { op: 'untold', count }];
  }

  /** Packets that the rules refused, and that neither came through nor can be on their way. */
  #missing(): number {
    const refused = this.#source.refused();
    if (refused === null) return 0;
    // Somebody has set the count back, or this is the first look.
    if (this.#from === null || refused < this.#from) {
      this.#from = refused;
      this.#accounted = 0;
      this.#before = 0;
      return 0;
    }
    const open = Math.max(0, refused - this.#from - this.#accounted);
    const missing = Math.min(open, this.#before);
    this.#before = open - missing;
    this.#accounted += missing;
    return missing;
  }
}

import type { RefusedLine, UntoldLine } from '../resolve/grants/grant-line.ts';
import type { RefusedPacket } from './kernel/packet.ts';
import { Refusals } from './refusals.ts';

/** Datagrams of the packet log that one look reads: a flood takes no more than so much of the processor. */
const MOST_DATAGRAMS = 64;

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
  readonly #refusals = new Refusals();
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

  /** What is to be told, about once a second. */
  take(): (RefusedLine | UntoldLine)[] {
    this.look();
    const { lines, lost } = this.#refusals.flush();
    const count = lost + this.#missing();
    return count === 0 ? lines : [...lines, { op: 'untold', count }];
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

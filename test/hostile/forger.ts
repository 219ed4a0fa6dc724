import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { replyOctets } from '../server/message.ts';
import { pause } from '../server/namegate.ts';
import type { Answering, Script, Seen } from '../server/upstream.ts';

/**
 * An upstream that is slow, and a forger who uses the time. He sees all that is asked, and sends from the upstream's own
 * address and port: more than a forger on another machine can do. What is left for him to guess is what a `Guess` says.
 */

export const TRUE = '198.51.100.1';
export const FORGED = '203.0.113.66';
/** Letters enough that nobody guesses their case: one in four billion does. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzabcdef';
/** Another address of this machine. */
const STRANGER = '127.0.0.3';

/** What he sends: a reply under each of the 65,536 IDs. */
export interface Guess {
  readonly what: string;
  /** The question section, with the case of its letters; as it was asked unless this says else. */
  readonly asked?: (seen: Seen) => Buffer;
  /** IDs that he leaves out. */
  readonly without?: (id: number, seen: Seen) => boolean;
  /** How he sends it; as the upstream does unless this says else. */
  readonly by?: (ways: Ways, octets: Buffer) => void;
}

export interface Ways {
  readonly to: Answering;
  /** To the ports of other questions that were asked of late. */
  readonly others: readonly Answering[];
  /** From another address, and the upstream's port. */
  readonly stranger: (octets: Buffer) => void;
}

/** What he sent about one question. */
export interface Flood {
  readonly replies: number;
  /** Of those, how many to a port where the question waited when they were begun to be sent, and how many ports that were. */
  readonly met: number;
  readonly ports: number;
  /** Thrown away unread by the kernel, at the last of these ports. */
  readonly dropped: number;
}

interface Asking {
  readonly seen: Seen;
  readonly to: Answering;
}

/** A question waits for 3.8 s at most: where the machine is too slow, the rest of the IDs is for the next question. */
const FLOOD_MS = 2000;

/** The name whose question sets off a flood: of a guess by its index, and how often it was asked before. */
export function nameOf(index: number, round: number): string {
  return `c${index}-${round}-${LETTERS}.good.example`;
}

/** The upstream's true answer to such a name comes when the flood is over, over UDP and TCP; to others soon. */
export class Forger {
  readonly #guesses: readonly Guess[];
  readonly #floods = new Map<string, Promise<Flood>>();
  /** The ID at which the next flood of each guess goes on. */
  readonly #next: number[];
  readonly #askings = new Map<string, Asking[]>();
  readonly #stranger = createSocket('udp4');
  #strangerBound = false;
  #others: Asking[] = [];
  /** Questions of such names that came over TCP. */
  tcp = 0;

  constructor(t: Test, guesses: readonly Guess[]) {
    this.#guesses = guesses;
    this.#next = guesses.map(() => 0);
    t.teardown(() => this.#stranger.close());
  }

  /** The upstream's port: the stranger takes the same at his address. */
  async at(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#stranger.bind(port, STRANGER, resolve));
    this.#strangerBound = true;
  }

  /** What became of a flood, when it is over. */
  async flood(name: string): Promise<Flood> {
    const flood = await this.#floods.get(`${name}.`);
    if (flood === undefined) throw new Error(`nobody asked for ${name}`);
    return flood;
  }

  /** Whether every ID was sent. */
  isDone(index: number): boolean {
    return this.#next[index]! > 0xffff;
  }

  readonly script: Script = (seen, to) => {
    const good = (): void => to.reply({ answer: [`${seen.name} 300 A ${TRUE}`] });
    const index = Number(/^c(\d)-\d-/.exec(seen.name)?.[1] ?? -1);
    const guess = this.#guesses[index];
    if (guess === undefined) {
      if (seen.over === 'udp') this.#others = [{ seen, to }, ...this.#others.slice(0, 3)];
      setTimeout(good, 10);
      return;
    }
    if (seen.over === 'tcp') {
      this.tcp++;
    } else {
      const askings = this.#askings.get(seen.name) ?? [];
      askings.push({ seen, to });
      this.#askings.set(seen.name, askings);
      if (!this.#floods.has(seen.name)) this.#floods.set(seen.name, this.#flood(guess, index, askings));
    }
    void this.#floods.get(seen.name)?.then(good);
  };

  /** Sends to the first port where the question waits, as fast as the server reads there; where it left, to the next one. */
  async #flood(guess: Guess, index: number, askings: readonly Asking[]): Promise<Flood> {
    const end = performance.now() + FLOOD_MS;
    let replies = 0;
    let met = 0;
    let open = true;
    let dropped = 0;
    let at = 0;
    let send = this.#sender(guess, askings[0]!);
    let id = this.#next[index]!;
    for (; id < 0x10000 && performance.now() < end; id++) {
      const { seen } = askings[at]!;
      if (guess.without?.(id, seen) === true) continue;
      send(id);
      replies++;
      if (open) met++;
      // A socket's buffer holds some 250.
      if (replies % 100 !== 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      let port = received(seen.port);
      for (; (port?.waiting ?? 0) > 0; port = received(seen.port)) await pause(0);
      open = port !== null;
      if (port !== null) dropped = port.dropped;
      if (open || at + 1 === askings.length) continue;
      send = this.#sender(guess, askings[++at]!);
      open = true;
    }
    this.#next[index] = id;
    return { replies, met, dropped, ports: at + 1 };
  }

  #sender({ asked, by }: Guess, { seen, to }: Asking): (id: number) => void {
    const forged = replyOctets(asked?.(seen) ?? seen.octets, { answer: [`${seen.name} 300 A ${FORGED}`] });
    const stranger = (octets: Buffer): void => {
      if (this.#strangerBound) this.#stranger.send(octets, seen.port, '127.0.0.1');
    };
    return (id) => {
      const octets = Buffer.from(forged);
      octets.writeUInt16BE(id, 0);
      if (by === undefined) {
        to.send(octets);
        return;
      }
      const others = this.#others.filter((other) => other.seen.port !== seen.port).map((other) => other.to);
      by({ to, others, stranger }, octets);
    };
  }
}

/** What the kernel holds for, and has thrown away from, the UDP socket of a port of 127.0.0.1; null where there is none. */
function received(port: number): { readonly waiting: number; readonly dropped: number } | null {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/udp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) {
      return { waiting: Number.parseInt(fields[4]!.split(':')[1]!, 16), dropped: Number(fields.at(-1)) };
    }
  }
  return null;
}

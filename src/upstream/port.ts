import { BATCH } from '../socket/connected-batches.ts';
import { randomUint16 } from '../socket/random.ts';
import { matchReply } from '../socket/reply-match.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Berth, Exchange } from './exchange.ts';
import { SLOT_SIZE, type Slots } from './slots.ts';
import { MAX_WRONG, type SlotListener, type UdpListener } from './way.ts';

/** Questions that wait at one port at once: one batch. */
const MAX_WAITING = BATCH;
/** Questions that one port has in its life, and milliseconds in which it takes them. */
const MAX_USES = 256;
const MAX_AGE: Milliseconds = 100;
/** Questions that it has at most where no other port can be opened. */
const MOST_USES = 4096;
/** Lists of entries, by the low bits of their IDs, and room for entries at first: most ports have one. */
const LISTS = 256;
const FIRST_ROOM = 8;

/** What an entry stands for, where it is not the number of a slot: nobody waits any more, or an `Exchange` does. */
const ENDED = -1;
const EXCHANGE = -2;

/** The server that ports are connected to. */
export interface Peer {
  /** struct sockaddr; null where nothing can be sent. */
  readonly address: Buffer | null;
  /** The same as 32-bit words. */
  readonly words: Uint32Array;
  /** The port that takes questions now. */
  port: Port | null;
  /** Its datagrams may go to the kernel several as one. */
  grouped: boolean;
}

/** Who has the sockets. */
export interface PortOwner {
  /** The port is looked at when the turn of the event loop ends. */
  settle(port: Port): void;
  /** Closes it at once; nobody waits there any more. */
  retire(port: Port): void;
}

/**
 * One connected socket and its questions: an entry for each, by its ID, in typed arrays. What an entry stands for is a slot, an
 * `Exchange`, or a question that has ended: a reply that comes late or twice is not taken for a forged one. One object serves
 * one socket after another.
 */
export class Port implements Berth {
  peer!: Peer;
  fd = -1;
  open = false;
  settling = false;
  /** Sockets that it has been. */
  life = 0;
  /** Questions without a reply that somebody waits for. */
  waiting = 0;
  /** Replies that may match nothing before it is given up. */
  wrongLeft = 0;
  /** Entries up to here have left. */
  sent = 0;
  /** Questions that it had. */
  count = 0;
  readonly #owner: PortOwner;
  readonly #slots: Slots;
  /** For one question, save where sockets are scarce. */
  #alone = false;
  #openedAt: Monotonic = 0;
  /** First entry of each list, and the next of each entry; -1 for none. */
  readonly #lists = new Int16Array(LISTS).fill(-1);
  #next = new Int16Array(FIRST_ROOM);
  #ids = new Uint16Array(FIRST_ROOM);
  #stands = new Int32Array(FIRST_ROOM);
  readonly #exchanges = new Map<number, Exchange>();

  constructor(owner: PortOwner, slots: Slots) {
    this.#owner = owner;
    this.#slots = slots;
  }

  /** Becomes a socket. `maxWrong`: 0 for a port that is shared. */
  begin(peer: Peer, fd: number, maxWrong: number, now: Monotonic): void {
    this.peer = peer;
    this.fd = fd;
    this.open = true;
    this.life++;
    this.waiting = 0;
    this.wrongLeft = maxWrong || MAX_WRONG;
    this.sent = 0;
    this.#alone = maxWrong > 0;
    this.#openedAt = now;
    for (let entry = 0; entry < this.count; entry++) this.#lists[this.#ids[entry]! & (LISTS - 1)] = -1;
    this.count = 0;
    this.#exchanges.clear();
  }

  get hasRoom(): boolean {
    return this.open && this.waiting < MAX_WAITING && this.count < MOST_USES;
  }

  takes(now: Monotonic): boolean {
    return this.hasRoom && this.count < MAX_USES && now - this.#openedAt < MAX_AGE;
  }

  /** Asks what stands in a slot, under an ID that no other question here has. */
  askSlot(slot: number): void {
    this.#slots.port[slot] = this;
    this.#slots.entry[slot] = this.#enter(this.#slots.octets, slot * SLOT_SIZE, slot);
  }

  /** The same for a question with an object of its own; returns its entry. */
  ask(exchange: Exchange): number {
    const entry = this.#enter(exchange.octets, 0, EXCHANGE);
    this.#exchanges.set(entry, exchange);
    return entry;
  }

  /** A slot's question goes on as an exchange. */
  replace(slot: number, exchange: Exchange): number {
    const entry = this.#slots.entry[slot]!;
    this.#stands[entry] = EXCHANGE;
    this.#exchanges.set(entry, exchange);
    return entry;
  }

  #enter(octets: Buffer, start: number, stands: number): number {
    let id = (octets[start]! << 8) | octets[start + 1]!;
    while (this.#find(id) >= 0) {
      id = randomUint16();
      octets[start] = id >>> 8;
      octets[start + 1] = id;
    }
    if (this.count === this.#ids.length) this.#grow();
    const entry = this.count++;
    const list = id & (LISTS - 1);
    this.#ids[entry] = id;
    this.#stands[entry] = stands;
    this.#next[entry] = this.#lists[list]!;
    this.#lists[list] = entry;
    this.waiting++;
    this.#owner.settle(this);
    return entry;
  }

  #grow(): void {
    const room = this.#ids.length * 2;
    const [next, ids, stands] = [new Int16Array(room), new Uint16Array(room), new Int32Array(room)];
    next.set(this.#next);
    ids.set(this.#ids);
    stands.set(this.#stands);
    this.#next = next;
    this.#ids = ids;
    this.#stands = stands;
  }

  #find(id: number): number {
    let entry = this.#lists[id & (LISTS - 1)]!;
    while (entry >= 0 && this.#ids[entry] !== id) entry = this.#next[entry]!;
    return entry;
  }

  /** The slot that an entry stands for, or a negative number. */
  slotAt(entry: number): number {
    return this.#stands[entry]!;
  }

  /** The exchange that an entry stands for; undefined where it stands for none. */
  exchangeAt(entry: number): Exchange | undefined {
    return this.#stands[entry] === EXCHANGE ? this.#exchanges.get(entry) : undefined;
  }

  /** Nobody waits for an entry's question any more. */
  leave(entry: number): void {
    if (this.#stands[entry] === EXCHANGE) this.#exchanges.delete(entry);
    this.#stands[entry] = ENDED;
    if (--this.waiting > 0 || !this.open) return;
    // Of a port that is shared, others may have use before the turn is over.
    if (this.#alone) this.#owner.retire(this);
    else this.#owner.settle(this);
  }

  /** False where the message is no reply to anything that was asked here. */
  receive(message: Buffer, listener: SlotListener, now: Monotonic): boolean {
    const entry = message.length < 2 ? -1 : this.#find((message[0]! << 8) | message[1]!);
    if (entry < 0) return false;
    const slot = this.#stands[entry]!;
    if (slot === ENDED) return true;
    const exchange = this.exchangeAt(entry);
    if (exchange !== undefined) {
      const match = matchReply(message, exchange.octets, exchange.questionEnd);
      // The message is the listener's own.
      if (match !== 'none') exchange.listener?.udpReply(Buffer.from(message), match);
      return match !== 'none';
    }
    const { octets, questionEnd } = this.#slots;
    const match = matchReply(message, octets, questionEnd[slot]!, slot * SLOT_SIZE);
    if (match !== 'none') listener.slotReply(slot, message, match, now);
    return match !== 'none';
  }

  /** Who has the port alone hears of a reply that matches nothing: beside others nobody knows whose it was to be. */
  tellWrong(listener: SlotListener): void {
    if (this.count !== 1) return;
    const slot = this.#stands[0]!;
    if (slot >= 0) listener.slotWrong(slot);
    else this.exchangeAt(0)?.listener?.udpWrong();
  }

  /** Ends the wait of all that wait here. */
  giveUp(tellSlot: (slot: number) => void, tell: (listener: UdpListener) => void): void {
    for (let entry = 0; entry < this.count; entry++) {
      const slot = this.#stands[entry]!;
      if (slot >= 0) {
        this.leave(entry);
        this.#slots.port[slot] = null;
        tellSlot(slot);
        continue;
      }
      const listener = this.exchangeAt(entry)?.end() ?? null;
      if (listener !== null) tell(listener);
    }
  }
}

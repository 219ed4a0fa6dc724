import { BATCH, Questions, Replies } from '../socket/connected-batches.ts';
import type { Native, Watch } from '../socket/native.ts';
import { EAGAIN, EINTR } from '../socket/send-queue.ts';
import type { Monotonic } from '../wire/quantity.ts';
import { DuePorts } from './due-ports.ts';
import { Exchange } from './exchange.ts';
import { MessageRoom } from './message-room.ts';
import { Port, type PortOwner } from './port.ts';
import { mixedCopy, type Query } from './query.ts';
import { Route } from './route.ts';
import { SLOT_SIZE, Slots } from './slots.ts';
import { NO_SOCKET, type Sockets } from './sockets.ts';
import {
  type DatagramWay,
  MAX_WRONG,
  type SlotListener,
  type UdpAsk,
  type UdpExchange,
  type UdpListener,
  type UdpRoute,
} from './way.ts';

/** Below 2,560 questions a second to one server each has a port of its own, as it costs little then: so many in 100 ms. */
const QUIET = 256;
/** Questions that may be slots at once. */
const MOST_SLOTS = 16_384;
/** Ports without a socket that are kept for the next. */
const MOST_FREE = 64;
/** Batches that are read from one port at a time, so that others have their turn. */
const ROUNDS = 4;

const ENOBUFS = 105;
/** EIO, EINVAL, EMSGSIZE, EOPNOTSUPP: not every device and path takes several datagrams as one message. */
const UNGROUPED = new Set([5, 22, 90, 95]);

/**
 * UDP in batches: the questions of one turn of the event loop leave together, and replies are read 64 a system call.
 *
 * A port is a connected socket, its number of the kernel's random choice. Where questions are few each has its own
 * (`QUIET`). Under load a port takes questions for 100 ms, 256 of them, 64 at a time, and is closed when the last has
 * ended: there is a new one every few milliseconds. A forger who sees no traffic must guess for each datagram the port (some 28,000:
 * 14.8 bits), the ID (16 bits) and the case of the name's letters (a bit each; RFC 5452 §9.2). Several questions at one
 * port do not help him: identical ones are joined before they come here, but for CD and where identities do not share
 * a cache, so that a forged reply, which names its question, has one ID to meet (§5: no birthday). And once he has met the
 * port, `MAX_WRONG` replies that match nothing close it; what waits there goes out again, each from a port of its own
 * (§9.3, and `Attempt.udpForged`).
 */
export class BatchedUdp implements DatagramWay, PortOwner {
  /** The questions that are slots; `listener` hears of them. */
  readonly slots: Slots;
  listener: SlotListener | null = null;
  readonly #native: Native;
  readonly #sockets: Sockets;
  readonly #ports = new Map<number, Port>();
  readonly #free: Port[] = [];
  readonly #ready = new Int32Array(BATCH);
  readonly #room = new MessageRoom();
  #replies: Replies | null = null;
  #questions: Questions | null = null;
  #watch: Watch | null = null;
  /** Ports with something to send, or nothing to wait for. */
  readonly #due: DuePorts;
  #closed = false;
  readonly #quiet: number;

  /** `quiet`: questions to one server in 100 ms up to which each has a port of its own. `slots`: the table's size. */
  constructor(native: Native, sockets: Sockets, quiet = QUIET, slots = MOST_SLOTS) {
    this.slots = new Slots(slots);
    this.#native = native;
    this.#sockets = sockets;
    this.#quiet = quiet;
    this.#due = new DuePorts(this.#settle);
  }

  route(_family: 4 | 6, host: string, port: number): UdpRoute {
    const valid = port > 0 && port <= 0xffff;
    return new Route(this, valid ? this.#native.socketAddress(host, port) : null);
  }

  ask(route: Route, query: Query, listener: UdpListener, how: UdpAsk, now: Monotonic): UdpExchange {
    const port = this.#portFor(route, how.alone, how.maxWrong, now);
    const octets = mixedCopy(query, how.mix);
    if (typeof port !== 'string') return new Exchange(octets, query.questionEnd, listener, port, null);
    const exchange = new Exchange(octets, query.questionEnd, listener, null, null);
    setImmediate(() => exchange.end()?.udpFailed(port));
    return exchange;
  }

  /** Asks what stands in a slot; returns null, or the code of why there is no port for it. */
  askSlot(route: Route, slot: number, now: Monotonic): string | null {
    const port = this.#portFor(route, false, MAX_WRONG, now);
    if (typeof port === 'string') return port;
    port.askSlot(slot);
    return null;
  }

  /** The port that takes one more question to the server, or the code of why there is none. */
  #portFor(route: Route, alone: boolean, maxWrong: number, now: Monotonic): Port | string {
    const own = alone || (route.count(now) <= this.#quiet && !this.#sockets.tight);
    const port = route.port;
    if (!own && port?.takes(now)) return port;
    const fresh = this.#open(route, own ? maxWrong : 0, now);
    if (typeof fresh !== 'string') {
      if (!own) route.port = fresh;
      return fresh;
    }
    if (alone) return fresh;
    // Where sockets are scarce an old port is better than none.
    for (const old of this.#ports.values()) if (old.peer === route && old.hasRoom) return old;
    return fresh;
  }

  #open(route: Route, maxWrong: number, now: Monotonic): Port | string {
    if (this.#closed) return 'ECONNABORTED';
    if (route.address === null) return 'EINVAL';
    if (!this.#sockets.take()) return NO_SOCKET;
    const fd = this.#native.openConnected(route.address);
    const fault = typeof fd === 'string' ? fd : this.#add(fd);
    if (fault !== null || typeof fd === 'string') {
      this.#sockets.release();
      return fault ?? 'EINVAL';
    }
    const port = this.#free.pop() ?? new Port(this, this.slots);
    port.begin(route, fd, maxWrong, now);
    this.#ports.set(fd, port);
    return port;
  }

  /** Has the socket watched; else closes it and returns a code. */
  #add(fd: number): string | null {
    try {
      this.#watch ??= this.#native.watch(() => this.#wake());
      const added = this.#watch.add(fd);
      if (added === 0) return null;
      this.#native.close(fd);
      return this.#native.errorName(-added);
    } catch {
      this.#native.close(fd);
      return 'EMFILE';
    }
  }

  settle(port: Port): void {
    this.#due.add(port);
  }

  readonly #settle = (port: Port): void => {
    if (port.sent < port.count && port.open) this.#send(port);
    if (port.waiting === 0) this.retire(port);
  };

  retire(port: Port): void {
    if (!port.open) return;
    this.#shut(port);
    this.#recycle(port);
  }

  #shut(port: Port): void {
    port.open = false;
    if (port.peer.port === port) port.peer.port = null;
    this.#ports.delete(port.fd);
    this.#native.close(port.fd);
    this.#sockets.release();
  }

  #recycle(port: Port): void {
    if (this.#free.length < MOST_FREE) this.#free.push(port);
  }

  /** A socket error is of all that wait here. */
  #fail(port: Port, code: string): void {
    this.#shut(port);
    port.giveUp(
      (slot) => this.listener?.slotFailed(slot, code),
      (listener) => listener.udpFailed(code),
    );
    this.#recycle(port);
  }

  #send(port: Port): void {
    this.#questions ??= new Questions(this.#native);
    const questions = this.#questions;
    const { octets, length } = this.slots;
    while (port.sent < port.count) {
      let count = 0;
      for (; port.sent < port.count && count < BATCH; port.sent++) {
        const slot = port.slotAt(port.sent);
        const exchange = port.exchangeAt(port.sent);
        if (slot >= 0) questions.put(count++, octets, slot * SLOT_SIZE, length[slot]!);
        else if (exchange !== undefined) questions.put(count++, exchange.octets, 0, exchange.octets.length);
      }
      if (count > 0 && !this.#sendFirst(port, questions, count)) return;
    }
  }

  /** Sends what was put in; false where the port is closed since. */
  #sendFirst(port: Port, questions: Questions, count: number): boolean {
    let messages = questions.lay(count, port.peer.grouped);
    for (let at = 0; at < messages; ) {
      const sent = this.#native.send(port.fd, questions.from(at), messages - at);
      if (sent > 0) at += sent;
      // A queue that is full loses what would be lost on the way too: it is sent again in its time.
      else if (sent === -EAGAIN || sent === -ENOBUFS) return true;
      else if (at === 0 && messages < count && UNGROUPED.has(-sent)) {
        port.peer.grouped = false;
        messages = questions.lay(count, false);
      } else if (sent !== -EINTR) {
        this.#fail(port, this.#native.errorName(-sent));
        return false;
      }
    }
    return true;
  }

  /** Called by libuv outside Node's callback scope, which loses what is thrown there. */
  #wake(): void {
    try {
      this.read();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
    // What replies queued as ticks runs in this turn's immediate, not in the next one's.
    setImmediate(NOTHING);
  }

  read(): void {
    const watch = this.#watch;
    if (watch === null || this.#ports.size === 0) return;
    const count = watch.ready(this.#ready);
    if (count <= 0) return;
    const now = this.#sockets.time.now();
    for (let i = 0; i < count; i++) {
      const port = this.#ports.get(this.#ready[i]!);
      if (port !== undefined) this.#receive(port, now);
    }
  }

  #receive(port: Port, now: Monotonic): void {
    this.#replies ??= new Replies(this.#native);
    const replies = this.#replies;
    const { time } = this.#sockets;
    for (let round = 0; round < ROUNDS; round++) {
      replies.ready();
      const count = this.#native.receive(port.fd, replies.headers, BATCH);
      if (count < 0 && count !== -EAGAIN && count !== -EINTR)
        this.#fail(port, this.#native.errorName(-count));
      time.hold?.();
      try {
        if (!this.#takeAll(port, replies, count, now)) return;
      } finally {
        time.release?.();
      }
      if (count < BATCH) return;
    }
  }

  /** False where what was told has ended this socket: the object may be another's by now. */
  #takeAll(port: Port, replies: Replies, count: number, now: Monotonic): boolean {
    const { life } = port;
    for (let i = 0; i < count; i++) {
      const message = this.#room.take(replies.slots[i]!, replies.lengthOf(i));
      // It does not keep to our size. What is missing comes over TCP.
      if (replies.isCut(i) && message.length > 2) message[2]! |= 0x02;
      if (!this.#isReply(port, replies, i, message, now)) this.#wrong(port, life);
      if (!port.open || port.life !== life) return false;
    }
    return true;
  }

  #isReply(port: Port, replies: Replies, i: number, message: Buffer, now: Monotonic): boolean {
    return replies.isFrom(i, port.peer.words) && port.receive(message, this.listener!, now);
  }

  #wrong(port: Port, life: number): void {
    this.#sockets.counters.mismatched++;
    port.tellWrong(this.listener!);
    if (!port.open || port.life !== life || --port.wrongLeft > 0) return;
    this.#shut(port);
    port.giveUp(
      (slot) => this.listener?.slotForged(slot),
      (listener) => listener.udpForged(),
    );
    this.#recycle(port);
  }

  close(): void {
    this.#closed = true;
    for (const port of [...this.#ports.values()]) {
      this.#shut(port);
      port.giveUp(
        () => {},
        () => {},
      );
    }
    void this.#watch?.close();
    this.#watch = null;
  }
}

const NOTHING = (): void => {};

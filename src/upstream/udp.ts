import { BATCH, Questions, Replies, wordsOf } from '../socket/connected-batches.ts';
import type { Native, Watch } from '../socket/native.ts';
import { Exchange, type Peer, Port, type PortOwner } from './port.ts';
import { mixedCopy, type Query } from './query.ts';
import { NO_SOCKET, type Sockets } from './sockets.ts';
import type { DatagramWay, UdpAsk, UdpExchange, UdpListener, UdpRoute } from './way.ts';

/** Below 2,560 questions a second to one server each has a port of its own, as it costs little then. */
const QUIET = 256;
/** Milliseconds. */
const WINDOW = 100;
/** Batches that are read from one port at a time, so that others have their turn. */
const ROUNDS = 4;

const EINTR = 4;
const EAGAIN = 11;
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
  readonly #native: Native;
  readonly #sockets: Sockets;
  readonly #ports = new Map<number, Port>();
  readonly #ready = new Int32Array(BATCH);
  #replies: Replies | null = null;
  #questions: Questions | null = null;
  #watch: Watch | null = null;
  /** Ports with something to send, or nothing to wait for. */
  #due: Port[] = [];
  #closed = false;
  readonly #quiet: number;

  /** `quiet`: questions to one server in `WINDOW` up to which each has a port of its own. */
  constructor(native: Native, sockets: Sockets, quiet = QUIET) {
    this.#native = native;
    this.#sockets = sockets;
    this.#quiet = quiet;
  }

  route(_family: 4 | 6, host: string, port: number): UdpRoute {
    const valid = port > 0 && port <= 0xffff;
    return new Route(this, valid ? this.#native.socketAddress(host, port) : null);
  }

  /** The port that takes one more question to the server, or the code of why there is none. */
  portFor(route: Route, { alone, maxWrong }: UdpAsk, now: number): Port | string {
    const own = alone || (route.count(now) <= this.#quiet && !this.#sockets.tight);
    const port = route.port;
    if (!own && port?.takes(now)) return port;
    const fresh = this.#open(route, own ? maxWrong : 0, now);
    if (typeof fresh !== 'string') {
      if (!own) route.port = fresh;
      return fresh;
    }
    // Where sockets are scarce an old port is better than none.
    for (const old of this.#ports.values()) if (old.peer === route && old.hasRoom) return old;
    return fresh;
  }

  #open(route: Route, maxWrong: number, now: number): Port | string {
    if (this.#closed) return 'ECONNABORTED';
    if (route.address === null) return 'EINVAL';
    if (!this.#sockets.take()) return NO_SOCKET;
    const fd = this.#native.openConnected(route.address);
    const fault = typeof fd === 'string' ? fd : this.#add(fd);
    if (fault !== null || typeof fd === 'string') {
      this.#sockets.release();
      return fault ?? 'EINVAL';
    }
    const port = new Port(this, route, fd, maxWrong, now);
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
    if (port.settling) return;
    port.settling = true;
    if (this.#due.push(port) === 1) setImmediate(this.#settleAll);
  }

  readonly #settleAll = (): void => {
    const due = this.#due;
    this.#due = [];
    for (const port of due) {
      port.settling = false;
      if (port.outgoingCount > 0 && port.open) this.#send(port);
      if (port.waiting === 0) this.shut(port);
    }
  };

  shut(port: Port): void {
    if (!port.open) return;
    port.open = false;
    if (port.peer.port === port) port.peer.port = null;
    this.#ports.delete(port.fd);
    this.#native.close(port.fd);
    this.#sockets.release();
  }

  #send(port: Port): void {
    this.#questions ??= new Questions(this.#native);
    const questions = this.#questions;
    let count = 0;
    // By index: an iterator is an object a question.
    const { outgoing, outgoingCount } = port;
    for (let i = 0; i < outgoingCount; i++)
      if (outgoing[i]!.live) questions.put(count++, outgoing[i]!.octets);
    port.outgoingCount = 0;
    let messages = questions.lay(count, port.peer.grouped);
    for (let at = 0; at < messages; ) {
      const sent = this.#native.send(port.fd, questions.from(at), messages - at);
      if (sent > 0) at += sent;
      // A queue that is full loses what would be lost on the way too: it is sent again in its time.
      else if (sent === -EAGAIN || sent === -ENOBUFS) return;
      else if (at === 0 && messages < count && UNGROUPED.has(-sent)) {
        port.peer.grouped = false;
        messages = questions.lay(count, false);
      } else if (sent !== -EINTR) {
        port.fail(this.#native.errorName(-sent));
        return;
      }
    }
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
    for (let i = 0; i < count; i++) {
      const port = this.#ports.get(this.#ready[i]!);
      if (port !== undefined) this.#receive(port);
    }
  }

  #receive(port: Port): void {
    this.#replies ??= new Replies(this.#native);
    const replies = this.#replies;
    for (let round = 0; round < ROUNDS && port.open; round++) {
      replies.ready();
      const count = this.#native.receive(port.fd, replies.headers, BATCH);
      if (count < 0 && count !== -EAGAIN && count !== -EINTR) port.fail(this.#native.errorName(-count));
      for (let i = 0; i < count && port.open; i++) {
        const message = copyOf(replies.slots[i]!, replies.lengthOf(i));
        // It does not keep to our size. What is missing comes over TCP.
        if (replies.isCut(i) && message.length > 2) message[2]! |= 0x02;
        if (!replies.isFrom(i, port.peer.words) || !port.receive(message)) this.#wrong(port);
      }
      if (count < BATCH) return;
    }
  }

  #wrong(port: Port): void {
    this.#sockets.counters.mismatched++;
    port.tellWrong();
    if (!port.open || --port.wrongLeft > 0) return;
    this.shut(port);
    port.giveUp((listener) => listener.udpForged());
  }

  close(): void {
    this.#closed = true;
    for (const port of [...this.#ports.values()]) {
      port.giveUp(() => {});
      this.shut(port);
    }
    void this.#watch?.close();
    this.#watch = null;
  }
}

const NOTHING = (): void => {};

class Route implements UdpRoute, Peer {
  readonly #way: BatchedUdp;
  readonly address: Buffer | null;
  readonly words: Uint32Array;
  port: Port | null = null;
  grouped = true;
  #window = 0;
  #now = 0;
  #before = 0;

  constructor(way: BatchedUdp, address: Buffer | null) {
    this.#way = way;
    this.address = address;
    this.words = wordsOf(Buffer.from(address ?? []));
  }

  /** Counts a question; returns how many there were in this window or the one before, whichever had more. */
  count(now: number): number {
    const window = Math.floor(now / WINDOW);
    if (window !== this.#window) {
      this.#before = window === this.#window + 1 ? this.#now : 0;
      this.#window = window;
      this.#now = 0;
    }
    this.#now++;
    return Math.max(this.#now, this.#before);
  }

  ask(query: Query, listener: UdpListener, how: UdpAsk, now: number): UdpExchange {
    const port = this.#way.portFor(this, how, now);
    const exchange = new Exchange(mixedCopy(query, how.mix), query.questionEnd, listener, port);
    if (typeof port !== 'string') port.ask(exchange);
    else setImmediate(() => exchange.end()?.udpFailed(port));
    return exchange;
  }
}

/** The listener's own. A loop beats Buffer.copy below some hundred octets. */
function copyOf(slot: Buffer, length: number): Buffer {
  const out = Buffer.allocUnsafe(length);
  if (length > 200) slot.copy(out, 0, 0, length);
  else for (let i = 0; i < length; i++) out[i] = slot[i]!;
  return out;
}

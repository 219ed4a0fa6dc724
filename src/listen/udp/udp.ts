import { DROPPED, LATER } from '../../resolve/ports.ts';
import { BATCH, DatagramBatch, SLOT, WAY_BACK } from '../../socket/datagrams.ts';
import type { Native, Poll, UdpSocket } from '../../socket/native.ts';
import { EAGAIN, EINTR, SendQueue } from '../../socket/send-queue.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import {
  type ListenCounters,
  type Listener,
  type ListenerEndpoint,
  monotonic,
  Pace,
  type UdpOptions,
} from '../listener.ts';
import { Forgery, isTruncated } from './forgery.ts';
import { SlotClient, type SlotHost } from './slot-client.ts';

/** Octets asked of the kernel for what waits to be read. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Batches that one wake reads at most, so that timers and other sockets have their turn under load. */
const ROUNDS = 3;
/**
 * A read that took so many datagrams, and all that there were, says that they come faster than they are worth a turn each.
 * The next read waits these microseconds (in fact some 100) for more to come, as network cards do: a queue that is
 * never empty is not waited for, nor is a client that asks one question at a time.
 */
const BUSY = 8;
const PAUSE = 50;
/** Datagrams that are read one by one after a read that brought one. */
const LONE = 8;
/** Ways back that are kept for queries to come. */
const MOST_FREE = 1024;
/** Milliseconds between looks at whether the socket has fallen silent with data waiting. */
const WATCH_MS: Milliseconds = 1000;

/**
 * UDP on Linux, BATCH datagrams a system call: libuv says when the socket can be read, recvmmsg fills the slots, each query
 * is answered in place, sendmmsg sends the replies. On a wildcard address the control messages go back as they came, so a
 * reply comes from the address that was asked.
 */
export function batchedUdp(native: Native, options: UdpOptions): Listener {
  return new BatchedUdp(native, options);
}

class BatchedUdp implements Listener, SlotHost {
  readonly protocol = 'udp';
  address: ListenerEndpoint;
  details: Readonly<Record<string, string | number>> = {};
  readonly counters: ListenCounters = { received: 0, answered: 0, dropped: 0, sendErrors: 0, faults: 0 };
  readonly #native: Native;
  readonly #options: UdpOptions;
  readonly #now: () => Monotonic;
  readonly #faultPace = new Pace();
  readonly #socketPace = new Pace();
  readonly #inbox: DatagramBatch;
  readonly #client: SlotClient;
  #replies!: SendQueue;
  #socket: UdpSocket | null = null;
  #poll: Poll | null = null;
  #watch: NodeJS.Timeout | null = null;
  /** Slots that the last read has written: no others have to be made ready for the next. */
  #taken = BATCH;
  /** How many datagrams are still read one by one. */
  #lone = 0;
  /** Wakes since the last look. */
  #wakes = 0;
  /** The last read found much, and left nothing. */
  #busy = false;
  #started = false;
  #draining = false;
  #waiting = 0;
  /** Ways back of nobody's. */
  readonly #free: Buffer[] = [];
  #flushing = false;
  #drained: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(native: Native, options: UdpOptions) {
    this.#native = native;
    this.#options = options;
    this.#now = options.now ?? monotonic;
    this.address = { host: options.host, port: options.port };
    this.#inbox = new DatagramBatch(native);
    this.#client = new SlotClient(this, this.#inbox, new Forgery(options.spoofable ?? false));
  }

  async start(): Promise<void> {
    if (this.#started || this.#closing !== null) throw new Error('a listener starts once');
    this.#started = true;
    const { host, port, receiveBuffer } = this.#options;
    const socket = this.#native.openUdp(host, port, receiveBuffer ?? RECEIVE_BUFFER);
    if (socket instanceof Error) throw socket;
    this.#socket = socket;
    this.address = { host, port: socket.port };
    this.details = { served_by: 'recvmmsg', receive_buffer: socket.receiveBuffer };
    this.#replies = new SendQueue(this.#native, socket.fd, (replies) => {
      this.counters.sendErrors += replies;
    });
    this.#poll = this.#native.poll(socket.fd, () => this.#wake());
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    this.#watch.unref();
  }

  close(drainMs: Milliseconds): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  async #drain(drainMs: Milliseconds): Promise<void> {
    this.#draining = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    if (this.#socket !== null && this.#waiting > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.#poll?.close();
    if (this.#socket !== null && !this.#replies.empty) this.#replies.flush();
    this.#socket?.close();
    this.#socket = null;
  }

  /** Called by libuv, outside Node's callback scope: nothing may be thrown from here. */
  #wake(): void {
    this.#wakes++;
    try {
      this.#receive();
    } catch (error) {
      this.#fault(error);
    }
  }

  /**
   * A poll callback that was lost would leave the socket unread for good. What waits at this moment may have come since
   * the loop looked last, and be found when it looks next: only what waits after that was overlooked.
   */
  #look(): void {
    const wakes = this.#wakes;
    this.#wakes = 0;
    if (wakes === 0 && this.#isReadable()) setImmediate(this.#lookAgain);
  }

  readonly #lookAgain = (): void => {
    if (this.#wakes > 0 || !this.#isReadable()) return;
    try {
      this.#receive();
    } catch (error) {
      this.#fault(error);
    }
    this.#trouble(new Error('the socket was readable and nothing woke us'));
  };

  #isReadable(): boolean {
    return this.#socket !== null && this.#native.isReadable(this.#socket.fd);
  }

  #receive(): void {
    const socket = this.#socket;
    if (socket === null) return;
    const inbox = this.#inbox;
    const waiting = this.#waiting;
    for (let round = 0; round < ROUNDS; round++) {
      if (this.#busy) this.#native.pause(PAUSE);
      inbox.ready(this.#taken, socket.wildcard);
      const count = this.#read(socket);
      this.#taken = Math.max(0, count);
      this.#busy = count >= BUSY && count < BATCH;
      if (count < 0) {
        if (count !== -EAGAIN && count !== -EINTR) this.#trouble(new Error(`recvmmsg: errno ${-count}`));
        break;
      }
      const { answerer } = this.#options;
      answerer.beginBatch?.();
      try {
        for (let i = 0; i < count; i++) this.#answer(i);
      } finally {
        answerer.endBatch?.();
      }
      if (!this.#replies.empty) this.#replies.flush();
      if (count < BATCH) break;
    }
    // What questions for upstreams queued as ticks runs in this turn's immediate, not in the next one's.
    if (this.#waiting > waiting) setImmediate(NOTHING);
  }

  /**
   * Where datagrams come one at a time, one is read by itself: without the messages of recvmmsg, and without its look for a
   * second. Now and then all are read, to see whether it is so. Returns how many there were, or -errno.
   */
  #read({ fd, wildcard }: UdpSocket): number {
    const inbox = this.#inbox;
    if (!wildcard && this.#lone > 0) {
      this.#lone--;
      const length = this.#native.receiveOne(fd, inbox.first);
      if (length < 0) return length;
      inbox.holdsOne(length);
      return 1;
    }
    const count = this.#native.receive(fd, inbox.headers, BATCH);
    this.#lone = count === 1 ? LONE : 0;
    return count;
  }

  #answer(i: number): void {
    const { counters } = this;
    const client = this.#client;
    counters.received++;
    // Nothing can be sent to port 0, and a server that is draining takes nothing new.
    if (!client.refill(i) || this.#draining) {
      counters.dropped++;
      return;
    }
    let length = DROPPED;
    try {
      length = this.#options.answerer.answer(
        this.#inbox.slots[i]!,
        this.#inbox.lengthOf(i),
        client,
        this.#replies.slot,
      );
    } catch (error) {
      this.#fault(error);
    }
    if (length === LATER) return;
    if (length > 0) {
      counters.answered++;
      if (client.spoofable && isTruncated(this.#replies.slot))
        this.#options.stranded?.sent(client, this.#now());
      this.#replies.answer(Math.min(length, SLOT), this.#inbox, i, this.#options.answerer.filling);
    } else if (client.later !== null) {
      client.later.drop();
    } else {
      counters.dropped++;
    }
  }

  /** For ReplyOnce: a query is out, and this takes its way back. */
  wait(): Buffer {
    this.#waiting++;
    return this.#free.pop() ?? Buffer.alloc(WAY_BACK);
  }

  /** For ReplyOnce: the answer that a query waited for, or null for none. */
  complete(reply: Buffer | null, length: number, wayBack: Buffer): void {
    this.#waiting--;
    if (this.#free.length < MOST_FREE) this.#free.push(wayBack);
    if (reply === null || length <= 0 || this.#socket === null) {
      this.counters.dropped++;
    } else if (length > SLOT) {
      this.counters.answered++;
      this.counters.sendErrors++;
    } else {
      this.counters.answered++;
      this.#replies.answerTo(reply, length, wayBack);
      if (!this.#flushing && !this.#replies.empty) {
        this.#flushing = true;
        setImmediate(this.#flush);
      }
    }
    if (this.#waiting === 0) this.#drained?.();
  }

  /** Answers of one turn of the event loop leave together. */
  readonly #flush = (): void => {
    this.#flushing = false;
    if (this.#socket !== null) this.#replies.flush();
  };

  #fault(error: unknown): void {
    this.counters.faults++;
    const count = this.#faultPace.due(this.#now());
    if (count > 0) this.#options.notice({ kind: 'fault', error, count });
  }

  #trouble(error: Error): void {
    const count = this.#socketPace.due(this.#now());
    if (count > 0) this.#options.notice({ kind: 'socket', error, count });
  }
}

const NOTHING = (): void => {};

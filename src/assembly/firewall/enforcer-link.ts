import { connect, type Socket } from 'node:net';
import type { GrantWaiter } from '../../resolve/grants/enforcement.ts';
import {
  type EnforcerLine,
  GRANT_PROTOCOL,
  type GrantOrder,
  LONGEST_LINE,
} from '../../resolve/grants/grant-line.ts';
import { type Milliseconds, type Monotonic, passOver } from '../../wire/quantity.ts';
import type { LinkEvents } from './link-events.ts';
import { WaitingOrders } from './waiting-orders.ts';

/** Milliseconds between two tries to reach the enforcer. */
const RETRY_MS: Milliseconds = 50;
/** Milliseconds that the enforcer has to answer how its rules are: one that is stopped keeps its socket open. */
const SILENT_MS: Milliseconds = 10_000;
/** Lines that wait for the socket to take more, in octets: beyond it nothing is granted. */
const MOST_UNSENT = 16 * 2 ** 20;
/** Orders that wait for the enforcer at once. */
const MOST_WAITING = 100_000;

export interface LinkOptions {
  /** Absolute path of the enforcer's socket. */
  readonly socket: string;
  /** Milliseconds that an order is waited for. */
  readonly wait: () => Milliseconds;
  readonly now: () => Monotonic;
  /** All that it has to be told before anything else. */
  readonly snapshot: () => Iterable<GrantOrder>;
  readonly heard: LinkEvents;
}

/**
 * The resolver's end of the socket to `namegate enforce`. Lines of one turn of the event loop leave together. It dials again
 * and again, and begins with a snapshot each time. No waiter is called within `order`.
 */
export class EnforcerLink {
  readonly #options: LinkOptions;
  #socket: Socket | null = null;
  /** The enforcer has greeted, and the snapshot is behind us. */
  #up = false;
  #downSince: Monotonic;
  #sequence = 0;
  #text = '';
  #rest = '';
  #isFlushing = false;
  readonly #orders: WaitingOrders;
  /** When it was asked how its rules are and has not said so; NaN where it has. */
  #asked: Monotonic = Number.NaN;
  #why = '';
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #snapshotEnd = 0;
  #settled = false;
  /** What an enforcer holds from before our start has been heard. */
  #isHeard = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#downSince = options.now();
    this.#orders = new WaitingOrders(options);
  }

  /** What was told it last is in force. */
  get isSettled(): boolean {
    return this.#up && this.#settled;
  }

  /** Milliseconds since it was told what it has not acknowledged; 0 where there is nothing. */
  get oldest(): Milliseconds {
    return this.#orders.oldest;
  }

  /** Nobody has been there for longer than an answer may wait. */
  get down(): boolean {
    if (this.#up) return this.#socket!.writableLength > MOST_UNSENT || this.#orders.length > MOST_WAITING;
    return this.#options.now() - this.#downSince > this.#options.wait();
  }

  start(): void {
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#orders.close();
    this.#socket?.destroy();
  }

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    if (!this.#up) {
      this.#orders.keep(orders, waiter, this.#deadline());
      return;
    }
    this.#put(orders, waiter, this.#deadline());
  }

  /** Asks how the rules are. Whoever does not say so for long is as good as gone. */
  check(): void {
    if (!this.#up) return;
    const now = this.#options.now();
    if (now - this.#asked > SILENT_MS) {
      this.#why = `no answer from ${this.#options.socket}`;
      this.#socket!.destroy();
      return;
    }
    if (Number.isNaN(this.#asked)) this.#asked = now;
    this.#write('{"op":"check"}\n');
  }

  #deadline(): Monotonic {
    return this.#options.now() + this.#options.wait();
  }

  #put(orders: readonly GrantOrder[], waiter: GrantWaiter | null, deadline: Monotonic): void {
    const first = this.#sequence + 1;
    let text = '';
    for (const order of orders) text += `${JSON.stringify({ seq: ++this.#sequence, ...order })}\n`;
    if (waiter !== null) this.#orders.add(first, this.#sequence, waiter, deadline);
    if (text !== '') this.#write(text);
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // What this turn of the loop asks leaves in one piece.
    setImmediate(() => {
      this.#isFlushing = false;
      const out = this.#text;
      this.#text = '';
      if (this.#socket !== null && !this.#socket.destroyed) this.#socket.write(out);
    });
  }

  #dial(): void {
    if (this.#closed) return;
    const socket = connect({ path: this.#options.socket });
    this.#socket = socket;
    this.#why = 'the enforcer has gone';
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#take(socket, String(text)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#socket === socket) this.#why = `${error.code ?? error.message} ${this.#options.socket}`;
    });
    socket.on('close', () => this.#lost(socket));
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#rest = '';
    this.#text = '';
    if (this.#up) this.#downSince = this.#options.now();
    this.#up = false;
    this.#settled = false;
    this.#asked = Number.NaN;
    if (this.#closed) return;
    this.#orders.lost();
    this.#options.heard.changed(false, this.#why);
    this.#timer = setTimeout(() => this.#dial(), RETRY_MS);
    this.#timer.unref();
  }

  #take(socket: Socket, text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > LONGEST_LINE) socket.destroy();
    for (const line of lines) {
      let read: EnforcerLine;
      try {
        read = JSON.parse(line) as EnforcerLine;
      } catch {
        socket.destroy();
        return;
      }
      this.#hear(socket, read);
    }
  }

  #hear(socket: Socket, line: EnforcerLine): void {
    const { heard } = this.#options;
    switch (line.op) {
      case 'hello':
        if (line.v === GRANT_PROTOCOL) this.#greet(line.holds === true && !this.#isHeard);
        else {
          heard.fault(
            `the enforcer speaks version ${line.v} of the protocol, and namegate ${GRANT_PROTOCOL}`,
          );
          socket.destroy();
        }
        return;
      case 'held':
        heard.held(line);
        return;
      case 'held-end':
        this.#isHeard = true;
        heard.heldEnd();
        this.#putSnapshot();
        return;
      case 'rules':
        this.#asked = Number.NaN;
        heard.rules(line);
        return;
      case 'refused':
        heard.refused(line);
        return;
      case 'untold':
        heard.untold(line.count);
        return;
      case 'fault':
        this.#orders.fail(line.seq);
        heard.fault(line.text);
        return;
      case 'ack':
        this.#acknowledge(line.seq);
        return;
      default:
        passOver(line);
        socket.destroy();
    }
  }

  /**
   * All of it anew: the enforcer may have been told by another, or its rules may have gone. Whoever `asks` what it holds tells
   * at once who is live, and what is granted once it has heard.
   */
  #greet(asks: boolean): void {
    this.#write(`${JSON.stringify({ op: 'hello', v: GRANT_PROTOCOL })}\n`);
    this.#up = true;
    this.#settled = false;
    if (asks) {
      this.#snapshotEnd = Number.POSITIVE_INFINITY;
      this.#put(
        [...this.#options.snapshot()].filter(({ op }) => op !== 'snapshot'),
        null,
        0,
      );
      this.#write('{"op":"held"}\n');
    } else this.#putSnapshot();
    for (const { orders, waiter, deadline } of this.#orders.takeKept()) this.#put(orders, waiter, deadline);
  }

  #putSnapshot(): void {
    this.#put([...this.#options.snapshot()], null, 0);
    this.#snapshotEnd = this.#sequence;
  }

  /** Tells all that is live and granted once more; nothing to whom all will be told anyhow. */
  repeat(): void {
    if (this.#up && Number.isFinite(this.#snapshotEnd)) this.#greet(false);
  }

  #acknowledge(sequence: number): void {
    if (!this.#settled && sequence >= this.#snapshotEnd) {
      this.#settled = true;
      this.#options.heard.changed(true, '');
    }
    this.#orders.acknowledge(sequence);
  }
}

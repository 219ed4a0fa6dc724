import type { Socket } from 'node:net';
import {
  type EnforcerLine,
  GRANT_PROTOCOL,
  type GrantOrder,
  type HeldLine,
  LONGEST_LINE,
  type NumberedOrder,
  type ResolverLine,
} from '../resolve/grants/grant-line.ts';

/** Orders that become one transaction. */
const MOST_ORDERS = 256;
/** The same where all of them are about one address of a client. */
const MOST_TOGETHER = 2_048;

/** Octets that a resolver has not read. */
const MOST_UNREAD = 2 ** 18;

export interface SessionPorts {
  /** Puts orders in force; says for each what is wrong with it, or null. */
  apply(orders: readonly GrantOrder[]): (string | null)[];
  /** A resolver begins to tell all that is live and granted. `again`: it has told it on this connection before. */
  begin(again: boolean): void;
  /** All of it has been told; `told`: who is live. */
  settle(told: ReadonlySet<string>): void;
  /** All that is held, and for what. */
  held(): Iterable<HeldLine>;
  /** How the rules are. */
  rules(): Extract<EnforcerLine, { op: 'rules' }>;
  ended(why: string): void;
}

/** One resolver at the other end of the socket. What it sends in one piece is one transaction, and one acknowledgement. */
export class Session {
  readonly #socket: Socket;
  readonly #ports: SessionPorts;
  #rest = '';
  /** Orders of which more is on its way: what is taken away may be granted again behind it, and nobody may find it missing. */
  #open: NumberedOrder[] = [];
  #greeted = false;
  /** What is still to be told of what is held; null where nobody asked. */
  #held: Iterator<HeldLine> | null = null;
  /** Clients that were told live since `hello`; null once the snapshot is over. */
  #told: Set<string> | null = new Set();

  constructor(socket: Socket, ports: SessionPorts) {
    this.#socket = socket;
    this.#ports = ports;
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#held = null;
      ports.ended('the resolver has gone');
    });
    socket.on('drain', () => this.#tellHeld());
    this.send({ op: 'hello', v: GRANT_PROTOCOL, holds: true });
  }

  send(line: EnforcerLine): void {
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(line)}\n`);
  }

  /** Whether what is sent now arrives soon: a resolver that reads nothing is told no more of what it need not know. */
  get hasRoom(): boolean {
    return this.#greeted && this.#socket.writableLength < MOST_UNREAD;
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > LONGEST_LINE) {
      this.#refuse('a line is too long');
      return;
    }
    let orders = this.#open;
    this.#open = [];
    for (const line of lines) {
      const read = parse(line);
      if (read === null) {
        this.#refuse('a line is no order');
        return;
      }
      if (read.op === 'hello') {
        this.#ports.begin(this.#greeted);
        this.#greeted = read.v === GRANT_PROTOCOL;
        this.#told = new Set();
      }
      if (!this.#greeted) {
        this.#refuse(`the resolver does not speak version ${GRANT_PROTOCOL} of the protocol`);
        return;
      }
      if (read.op === 'held') {
        this.#held = this.#ports.held()[Symbol.iterator]();
        this.#tellHeld();
      }
      if (read.op === 'check' || read.op === 'hello' || read.op === 'held') continue;
      const last = orders.at(-1);
      const isFull = orders.length >= MOST_ORDERS && last !== undefined && !isTogether(last, read);
      if (isFull || orders.length >= MOST_TOGETHER) {
        this.#put(orders);
        orders = [];
      }
      orders.push(read);
      if (read.op === 'snapshot') {
        this.#put(orders);
        orders = [];
      }
    }
    // Half a line: the rest of it comes at once, and perhaps more of the same.
    const end = this.#rest === '' ? orders.length : startOfLast(orders);
    this.#put(orders.slice(0, end));
    this.#open = orders.slice(end);
    if (lines.some((line) => line.includes('"check"'))) this.send(this.#ports.rules());
  }

  #put(orders: readonly NumberedOrder[]): void {
    const last = orders.at(-1);
    if (last === undefined) return;
    const results = this.#ports.apply(orders);
    let faults = '';
    orders.forEach((order, i) => {
      const text = results[i];
      if (text != null) faults += `${JSON.stringify({ op: 'fault', seq: order.seq, text })}\n`;
      else if (order.op === 'live') this.#told?.add(order.client);
    });
    if (last.op === 'snapshot' && this.#told !== null) {
      this.#ports.settle(this.#told);
      this.#told = null;
    }
    if (!this.#socket.destroyed) this.#socket.write(`${faults}{"op":"ack","seq":${last.seq}}\n`);
  }

  /** As far as the resolver takes it: acknowledgements stand between, and do not wait behind all of it. */
  #tellHeld(): void {
    while (this.#held !== null && this.#socket.writableLength < MOST_UNREAD) {
      const { value, done } = this.#held.next();
      if (done !== true) this.send(value);
      else {
        this.#held = null;
        this.send({ op: 'held-end' });
      }
    }
  }

  #refuse(why: string): void {
    this.#socket.destroy();
    this.#ports.ended(why);
  }
}

/** Whether two orders are about one address of a client. */
function isTogether(one: NumberedOrder, other: NumberedOrder): boolean {
  const isGrant = (order: NumberedOrder) => order.op === 'grant' || order.op === 'revoke';
  return isGrant(one) && isGrant(other) && one.client === other.client && one.address === other.address;
}

/** Where the last orders that belong together begin; their number where there is none that takes something away. */
function startOfLast(orders: readonly NumberedOrder[]): number {
  const last = orders.at(-1);
  if (last === undefined || orders.length >= MOST_TOGETHER) return orders.length;
  let start = orders.length - 1;
  while (start > 0 && isTogether(orders[start - 1]!, last)) start--;
  return orders.slice(start).some(({ op }) => op === 'revoke') ? start : orders.length;
}

function parse(line: string): ResolverLine | null {
  try {
    const read = JSON.parse(line) as Partial<NumberedOrder> | null;
    if (typeof read !== 'object' || read === null) return null;
    const op = (read as { op?: unknown }).op;
    if (op === 'hello' || op === 'check' || op === 'held') return read as ResolverLine;
    const known = op === 'live' || op === 'grant' || op === 'revoke' || op === 'end' || op === 'snapshot';
    return known && Number.isSafeInteger(read.seq) ? (read as NumberedOrder) : null;
  } catch {
    return null;
  }
}

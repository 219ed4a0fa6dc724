import type { Socket } from 'node:net';
import { GRANT_PROTOCOL, type GrantOrder, LONGEST_LINE } from '../../resolve/grants/grant-line.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Octets that wait for a consumer: beyond them it is told that lines were dropped. */
const MOST_QUEUED = 4 * 2 ** 20;
/** Lines that it may leave without an acknowledgement. */
const MOST_UNACKNOWLEDGED = 32_768;
/** A snapshot leaves as the consumer takes it: this many octets ahead of it, and this many lines. */
const AHEAD = 256 * 1024;
const AHEAD_LINES = 16_384;
/** Lines that are sent within so many milliseconds have one mark: what their age is told by. */
const MARK_MS: Milliseconds = 100;
/** Milliseconds after which one that was told of dropped lines has to have come back. */
const RETURN_MS: Milliseconds = 30_000;

export interface ConsumerPorts {
  /** What each line of `hello` says beside. */
  readonly greeting: object;
  /** All that holds now, in parts that are whole in themselves. */
  snapshot(): Iterator<readonly GrantOrder[]>;
  /** It has what is live, or has it no more. */
  changed(consumer: FeedConsumer): void;
  /** What was sent up to this number is in force. */
  acknowledged(consumer: FeedConsumer, sequence: number): void;
  /** A line could not be put in force. */
  fault(consumer: FeedConsumer, sequence: number, text: string): void;
  gone(consumer: FeedConsumer, why: string): void;
  /** Monotonic, milliseconds. */
  now(): Monotonic;
}

type Phase = 'new' | 'telling' | 'told' | 'synced' | 'dropped' | 'gone';

/**
 * One consumer of a feed. It costs a bounded queue: what it sends is bounded by what it was sent, and whatever else it says ends
 * the connection.
 */
export class FeedConsumer {
  /** For people. */
  readonly name: string;
  readonly #socket: Socket;
  readonly #ports: ConsumerPorts;
  #phase: Phase = 'new';
  #rest = '';
  #out = '';
  #isFlushing = false;
  #sent = 0;
  #acknowledged = 0;
  #faulted = 0;
  #snapshot: Iterator<readonly GrantOrder[]> | null = null;
  #snapshotEnd = 0;
  #timer: NodeJS.Timeout | null = null;
  /** When lines were sent that are not acknowledged, oldest first: each with the last of its lines. */
  #marks: { readonly at: Monotonic; last: number }[] = [];

  constructor(socket: Socket, name: string, ports: ConsumerPorts) {
    this.#socket = socket;
    this.name = name;
    this.#ports = ports;
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('drain', () => this.#pump());
    socket.on('error', () => {});
    socket.on('close', () => this.#leave('it has gone'));
    // Whoever says nothing gets nothing.
    this.#timer = setTimeout(() => this.end('it has not said hello'), RETURN_MS);
    this.#write(`${JSON.stringify({ op: 'hello', v: GRANT_PROTOCOL, ...ports.greeting })}\n`);
  }

  /** It has acknowledged all that was live. */
  get isSynced(): boolean {
    return this.#phase === 'synced';
  }

  /** It is told what happens. */
  get follows(): boolean {
    return this.#phase === 'telling' || this.#phase === 'told' || this.#phase === 'synced';
  }

  /** The number of the last line that it was sent. */
  get sent(): number {
    return this.#sent;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** When the oldest line was sent that it has not acknowledged; null where there is none. */
  get oldest(): Monotonic | null {
    return this.#marks[0]?.at ?? null;
  }

  /** Tells it orders, each the JSON of an object without its number. Returns the number of the last, or -1 where they are dropped. */
  tell(lines: readonly string[]): number {
    if (!this.follows) return -1;
    let text = '';
    for (const line of lines) text += `{"seq":${++this.#sent},${line.slice(1)}\n`;
    const queued = this.#out.length + this.#socket.writableLength + text.length;
    if (queued > MOST_QUEUED || this.#sent - this.#acknowledged > MOST_UNACKNOWLEDGED) {
      this.#sent -= lines.length;
      this.#drop();
      return -1;
    }
    this.#write(text);
    this.#mark();
    return this.#sent;
  }

  end(why: string): void {
    this.#leave(why);
    this.#socket.destroy();
  }

  #drop(): void {
    this.#phase = 'dropped';
    this.#snapshot = null;
    this.#write(`{"op":"dropped","seq":${this.#sent}}\n`);
    this.#timer = setTimeout(() => this.end('it did not come back after lines were dropped'), RETURN_MS);
    this.#ports.changed(this);
  }

  #leave(why: string): void {
    if (this.#phase === 'gone') return;
    this.#phase = 'gone';
    this.#snapshot = null;
    this.#out = '';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ports.gone(this, why);
  }

  #write(text: string): void {
    this.#out += text;
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      const out = this.#out;
      this.#out = '';
      if (out !== '' && !this.#socket.destroyed) this.#socket.write(out);
      this.#pump();
    });
  }

  /** The next part of the snapshot, where the consumer has taken the one before. */
  #pump(): void {
    const snapshot = this.#snapshot;
    if (snapshot === null || this.#socket.writableLength + this.#out.length > AHEAD) return;
    if (this.#sent - this.#acknowledged > AHEAD_LINES) return;
    let text = '';
    while (text.length < AHEAD) {
      const { done, value } = snapshot.next();
      if (done === true) {
        this.#snapshot = null;
        this.#phase = 'told';
        this.#snapshotEnd = this.#sent;
        break;
      }
      for (const order of value) text += `{"seq":${++this.#sent},${JSON.stringify(order).slice(1)}\n`;
    }
    this.#write(text);
    this.#mark();
  }

  #mark(): void {
    if (this.#sent === this.#acknowledged) return;
    const now = this.#ports.now();
    const newest = this.#marks.at(-1);
    if (newest !== undefined && now - newest.at < MARK_MS) newest.last = this.#sent;
    else this.#marks.push({ at: now, last: this.#sent });
  }

  #unmark(): void {
    const left = this.#marks.findIndex(({ last }) => last > this.#acknowledged);
    this.#marks.splice(0, left < 0 ? this.#marks.length : left);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > LONGEST_LINE) {
      this.end('a line is too long');
      return;
    }
    for (const line of lines) {
      const wrong = this.#hear(line);
      if (wrong === null) continue;
      this.end(wrong);
      return;
    }
  }

  /** Null, or what is wrong with a line. */
  #hear(line: string): string | null {
    let said: {
      readonly op?: unknown;
      readonly v?: unknown;
      readonly seq?: unknown;
      readonly text?: unknown;
    };
    try {
      said = JSON.parse(line) as object;
    } catch {
      return 'a line is no JSON';
    }
    const { op, v, seq, text } = Object(said) as typeof said;
    if (op === 'hello') return this.#greet(v);
    if (this.#phase === 'new') return 'it has not said hello';
    if (op !== 'ack' && op !== 'fault') return 'a line is neither hello, ack nor fault';
    if (!Number.isSafeInteger(seq) || (seq as number) < 1) return 'seq is no number';
    const sequence = seq as number;
    if (sequence > this.#sent) return `it acknowledges ${sequence}, and was sent ${this.#sent}`;
    if (op === 'fault') {
      if (sequence <= this.#faulted || sequence <= this.#acknowledged) return 'it goes back';
      this.#faulted = sequence;
      this.#ports.fault(this, sequence, typeof text === 'string' ? text.slice(0, 200) : '');
      return null;
    }
    // Each acknowledgement is for a line at least: so there are no more of them than lines.
    if (sequence <= this.#acknowledged) return 'it acknowledges again what it has acknowledged';
    this.#acknowledged = sequence;
    this.#unmark();
    this.#ports.acknowledged(this, sequence);
    if (this.#phase === 'told' && sequence >= this.#snapshotEnd) {
      this.#phase = 'synced';
      this.#ports.changed(this);
    }
    this.#pump();
    return null;
  }

  #greet(version: unknown): string | null {
    if (version !== GRANT_PROTOCOL) return `it does not speak version ${GRANT_PROTOCOL} of the protocol`;
    if (this.#phase !== 'new' && this.#phase !== 'dropped') return 'it says hello again';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    // What was sent before it was dropped is told anew.
    this.#acknowledged = this.#sent;
    this.#unmark();
    this.#snapshot = this.#ports.snapshot();
    this.#phase = 'telling';
    this.#pump();
    return null;
  }
}

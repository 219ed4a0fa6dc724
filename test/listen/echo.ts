import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Answerer, type Client, DROPPED, LATER, type ReplyLater } from '../../src/resolve/ports.ts';
import { FrameReader } from '../../src/wire/framing.ts';
import { running } from '../clock.ts';

/** What the octet after the header tells Echo to do. */
export const ORDER = {
  ECHO: 0,
  HOLD: 1,
  DROP: 2,
  THROW: 3,
  LARGE: 4,
  HOLD_AND_THROW: 5,
  SEND: 6,
  TOO_LONG: 7,
} as const;

export const LARGE_REPLY = 60_000;

/** An answerer that does as the query says; replies are the query with QR set. */
export class Echo implements Answerer {
  /** Answers that were asked to be held, in order. */
  readonly held: { readonly later: ReplyLater; readonly reply: Buffer }[] = [];
  /** The client of each query, copied. */
  readonly clients: { transport: string; family: number; words: number[] }[] = [];

  /** Batches that have begun and have not ended; queries that came in one, and how many batches there were. */
  open = 0;
  batched = 0;
  batches = 0;

  beginBatch(): void {
    this.open++;
    this.batches++;
  }

  endBatch(): void {
    this.open--;
  }

  answer(message: Buffer, length: number, client: Client, reply: Buffer): number {
    const query = message.subarray(0, length);
    const { transport, family, w0, w1, w2, w3 } = client;
    if (this.open > 0) this.batched++;
    this.clients.push({ transport, family, words: [w0, w1, w2, w3] });
    if (length < 12) return DROPPED;
    const order = query[12] ?? ORDER.ECHO;
    if (order === ORDER.DROP) return DROPPED;
    if (order === ORDER.THROW) throw new Error('a bug');
    if (order === ORDER.HOLD || order === ORDER.HOLD_AND_THROW) {
      this.held.push({ later: client.defer(), reply: replyTo(query) });
      if (order === ORDER.HOLD_AND_THROW) throw new Error('a bug');
      return LATER;
    }
    const now = replyTo(query);
    if (order === ORDER.SEND) {
      // Later turns out to be now.
      client.defer().send(now, now.length);
      return LATER;
    }
    now.copy(reply);
    if (order === ORDER.TOO_LONG) return 0x10000;
    return order === ORDER.LARGE ? LARGE_REPLY : length;
  }

  release(index: number): void {
    const { later, reply } = this.held[index]!;
    later.send(reply, reply.length);
    // The caller may use it again at once.
    reply.fill(0xee);
  }
}

function replyTo(query: Buffer): Buffer {
  const reply = Buffer.from(query);
  reply[2] = 0x80;
  return reply;
}

export function query(id: number, order: number = ORDER.ECHO): Buffer {
  const message = Buffer.alloc(13);
  message.writeUInt16BE(id, 0);
  message[12] = order;
  return message;
}

export function framed(...messages: Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((m) => [Buffer.from([m.length >> 8, m.length & 0xff]), m]));
}

/** The ID of a reply; fails the test by throwing where QR is not set. */
export function idOf(reply: Buffer): number {
  if (reply[2] !== 0x80) throw new Error('not a reply');
  return reply.readUInt16BE(0);
}

/** A client over TCP that reads messages. */
export class StreamClient {
  readonly socket: Socket;
  /** How it ended: an orderly end, or the error's code. */
  readonly over: Promise<string>;
  readonly #messages: Buffer[] = [];
  readonly #waiting: ((message: Buffer | null) => void)[] = [];
  #over = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk, (message) => {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#messages.push(Buffer.from(message));
        else waiting(Buffer.from(message));
      });
    });
    this.over = new Promise((resolve) => {
      let reason = 'end';
      socket.on('error', (error: NodeJS.ErrnoException) => {
        reason = error.code ?? error.message;
      });
      socket.on('close', () => {
        this.#over = true;
        for (const waiting of this.#waiting.splice(0)) waiting(null);
        resolve(reason);
      });
    });
  }

  /** On a socket that is connected, or a TLS one that is secure. */
  static on(socket: Socket): StreamClient {
    return new StreamClient(socket);
  }

  static async dial(
    port: number,
    options: { host?: string; localAddress?: string; allowHalfOpen?: boolean } = {},
  ): Promise<StreamClient> {
    const socket = connect({ port, host: '127.0.0.1', ...options });
    const client = new StreamClient(socket);
    await once(socket, 'connect');
    return client;
  }

  send(...messages: Buffer[]): void {
    this.socket.write(framed(...messages));
  }

  /** The next reply, or null when the connection is over. */
  next(): Promise<Buffer | null> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#over) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async nextId(): Promise<number> {
    const reply = await this.next();
    if (reply === null) throw new Error('the connection is over');
    return idOf(reply);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Waits until `condition` holds, ten seconds at most. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = running() + 10_000; !condition(); ) {
    if (running() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Issued } from '../identity/authority.ts';
import { framed, queryOctets } from './client.ts';
import { type Message, readMessage } from './message.ts';

/** What came back: the message, or null where the connection ended first. */
export type DotReply = Message | null;

export interface DotDial {
  readonly port: number;
  /** Null for no certificate. */
  readonly as: Issued | null;
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
  readonly session?: Buffer;
  readonly localAddress?: string;
  /** Whose chain is shown instead of the certificate's own. */
  readonly chainPem?: string;
}

/** A client of DNS over TLS that shows a certificate, asks, and knows when what it asked was answered. */
export class DotClient {
  readonly socket: TLSSocket;
  /** Resolves when the handshake is done as the client sees it; false where it failed. */
  readonly secured: Promise<boolean>;
  /** Resolves when it is over. */
  readonly closed: Promise<void>;
  /** The newest session that the server gave. */
  session: Buffer | null = null;
  over = false;
  #waiting = new Map<number, (reply: DotReply) => void>();
  #rest = Buffer.alloc(0);
  #id = 0;

  constructor({ port, as, version, session, localAddress, chainPem }: DotDial) {
    const options: ConnectionOptions = {
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['dot'],
      ...(as === null ? {} : { cert: chainPem ?? as.chainPem, key: as.keyPem }),
      ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
      ...(session === undefined ? {} : { session }),
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    const socket = connect(options);
    this.socket = socket;
    this.secured = new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('session', (given: Buffer) => {
      this.session = given;
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('close', () => {
      this.over = true;
      for (const settle of this.#waiting.values()) settle(null);
      this.#waiting.clear();
    });
  }

  /** Whether the handshake resumed the session that it was given. */
  get resumed(): boolean {
    return this.socket.isSessionReused();
  }

  /** Asks for A records. */
  ask(name: string): Promise<DotReply> {
    if (this.over) return Promise.resolve(null);
    this.#id = (this.#id + 1) & 0xffff;
    const id = this.#id;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.socket.write(framed(queryOctets(name, { id })));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 2) {
      const end = 2 + this.#rest.readUInt16BE(0);
      if (this.#rest.length < end) return;
      const message = readMessage(this.#rest.subarray(2, end));
      this.#rest = this.#rest.subarray(end);
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
  }
}

/** What a reply says, in one word: its first datum, its RCODE, or that the connection ended. */
export function told(reply: DotReply): string {
  if (reply === null) return 'closed';
  return reply.answer[0]?.data ?? reply.rcode;
}

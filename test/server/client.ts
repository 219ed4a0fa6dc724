import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, Socket } from 'node:net';
import { afterRunning } from '../clock.ts';
import { message, opt } from '../wire/build.ts';
import { type Message, questionOctets, readMessage } from './message.ts';

/** Clients of a server on loopback, over real sockets. */

export interface Ask {
  readonly id?: number;
  readonly type?: string;
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
  readonly authentic?: boolean;
  /** EDNS payload size, 1,232 unless given; null for a query without OPT. */
  readonly size?: number | null;
  /** Octets of EDNS options. */
  readonly options?: Buffer;
}

let lastId = 0;

/** Each ID once before any comes again. */
function freshId(): number {
  lastId = (lastId % 0xffff) + 1;
  return lastId;
}

/** Octets of a query for `name` as written, case kept; RD is set. */
export function queryOctets(name: string, ask: Ask = {}): Buffer {
  const { size = 1232 } = ask;
  const edns =
    size === null
      ? []
      : [
          opt({
            size,
            dnssecOk: ask.dnssecOk ?? false,
            ...(ask.options === undefined ? {} : { options: ask.options }),
          }),
        ];
  return message({
    id: ask.id ?? freshId(),
    flags: 0x0100 | (ask.checkingDisabled === true ? 0x10 : 0) | (ask.authentic === true ? 0x20 : 0),
    questions: [questionOctets(name, ask.type ?? 'A')],
    additional: edns,
  });
}

export interface Place {
  readonly host: string;
  readonly udp: number;
  readonly tcp: number;
}

export type Transport = 'udp' | 'tcp';

interface Waiting {
  readonly end: (octets: Buffer | null) => void;
}

/** One socket of a client: many questions at once, matched by their IDs. */
export class Client {
  /** Replies that no question waited for. */
  readonly strays: Buffer[] = [];
  /** Whether the connection ended (TCP). */
  ended = false;
  readonly #waiting = new Map<number, Waiting>();
  readonly #write: (octets: Buffer) => void;
  readonly #destroy: () => void;
  readonly socket: Socket | UdpSocket;

  private constructor(socket: Socket | UdpSocket, write: (octets: Buffer) => void, destroy: () => void) {
    this.socket = socket;
    this.#write = write;
    this.#destroy = destroy;
  }

  static async open({ host, udp, tcp }: Place, transport: Transport, from?: string): Promise<Client> {
    const source = from ?? (host.includes(':') ? '::1' : '127.0.0.1');
    return transport === 'udp' ? openUdp(host, udp, source) : openTcp(host, tcp, source);
  }

  static over(socket: Socket | UdpSocket, write: (octets: Buffer) => void, destroy: () => void): Client {
    return new Client(socket, write, destroy);
  }

  /** The connection itself, for what is no whole message; throws for UDP. */
  get stream(): Socket {
    if (this.socket instanceof Socket) return this.socket;
    throw new Error('not TCP');
  }

  /** Sends octets and waits for a reply with their ID; null after `patience` milliseconds or when the connection ends. */
  exchange(octets: Buffer, patience = 6000): Promise<Buffer | null> {
    return new Promise((resolve) => {
      const id = octets.readUInt16BE(0);
      if (this.#waiting.has(id)) throw new Error(`ID ${id} is in use`);
      const end = (reply: Buffer | null): void => {
        callOff();
        this.#waiting.delete(id);
        resolve(reply);
      };
      const callOff = afterRunning(patience, () => end(null));
      this.#waiting.set(id, { end });
      if (this.ended) end(null);
      else this.#write(octets);
    });
  }

  /** Asks and reads; throws where no reply comes. */
  async ask(name: string, ask: Ask = {}, patience?: number): Promise<Message> {
    const reply = await this.exchange(queryOctets(name, ask), patience);
    if (reply === null) throw new Error(`no reply about ${name} ${ask.type ?? 'A'}`);
    return readMessage(reply);
  }

  /** Sends without a wait. */
  send(octets: Buffer): void {
    this.#write(octets);
  }

  receive(octets: Buffer): void {
    const waiting = octets.length < 2 ? undefined : this.#waiting.get(octets.readUInt16BE(0));
    if (waiting === undefined) this.strays.push(Buffer.from(octets));
    else waiting.end(Buffer.from(octets));
  }

  over(): void {
    this.ended = true;
    for (const { end } of [...this.#waiting.values()]) end(null);
  }

  close(): void {
    this.#destroy();
    this.over();
  }
}

function openUdp(host: string, port: number, source: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: host.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: 4 * 1024 * 1024,
      lookup: (name, _options, done) => done(null, name, 0),
    });
    let open = true;
    const client = Client.over(
      socket,
      (octets) => {
        if (open) socket.send(octets, port, host);
      },
      () => {
        if (open) socket.close();
        open = false;
      },
    );
    socket.once('error', reject);
    socket.on('message', (octets, from) => {
      if (from.port === port) client.receive(octets);
      else client.strays.push(octets);
    });
    socket.bind({ address: source, port: 0 }, () => resolve(client));
  });
}

function openTcp(host: string, port: number, source: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, localAddress: source, noDelay: true });
    const client = Client.over(
      socket,
      (octets) => socket.write(framed(octets)),
      () => socket.destroy(),
    );
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        client.receive(rest.subarray(2, end));
        rest = rest.subarray(end);
      }
    });
    socket.once('error', (error) => {
      reject(error);
      client.over();
    });
    socket.on('close', () => client.over());
    socket.once('connect', () => resolve(client));
  });
}

/** A message behind its length (RFC 1035 §4.2.2). */
export function framed(octets: Buffer): Buffer {
  const out = Buffer.alloc(2 + octets.length);
  out.writeUInt16BE(octets.length);
  out.set(octets, 2);
  return out;
}

/** One question on a socket of its own. */
export async function ask(
  place: Place,
  name: string,
  options: Ask & { readonly from?: string; readonly over?: Transport; readonly patience?: number } = {},
): Promise<Message> {
  const client = await Client.open(place, options.over ?? 'udp', options.from);
  try {
    return await client.ask(name, options, options.patience);
  } finally {
    client.close();
  }
}

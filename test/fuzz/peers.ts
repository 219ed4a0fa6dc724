/** Clients that send many messages at once and hold each reply to its question. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { framed, type Place } from '../server/client.ts';
import type { Random } from '../server/random.ts';

/** What a message that was sent brings. */
export interface Sent {
  readonly octets: Buffer;
  /** Whether a reply must come; else none may. */
  readonly answered: boolean;
}

/** What is wrong with a reply to `sent`, or null. */
export type ReplyCheck = (sent: Sent, reply: Buffer, over: 'udp' | 'tcp') => string | null;

export interface Fault {
  readonly what: string;
  /** The message that shows it, where that is known. */
  readonly sent: Sent | null;
}

/** One UDP socket. IDs are its own: each once before any comes again. */
export class UdpPeer {
  readonly #socket: UdpSocket;
  readonly #place: Place;
  readonly #check: ReplyCheck;
  #waiting = new Map<number, Sent>();
  /** Of the last messages: to tell a second reply, or one that may not come, from one of nobody's. */
  readonly #recent = new Map<number, Sent>();
  #id = 0;
  #fault: Fault | null = null;
  #done: (() => void) | null = null;

  private constructor(socket: UdpSocket, place: Place, check: ReplyCheck) {
    this.#socket = socket;
    this.#place = place;
    this.#check = check;
    socket.on('message', (reply) => this.#receive(reply));
    socket.on('error', () => {});
  }

  static open(place: Place, from: string, check: ReplyCheck): Promise<UdpPeer> {
    return new Promise((resolve, reject) => {
      const type = place.host.includes(':') ? 'udp6' : 'udp4';
      const lookup = (
        name: string,
        _options: unknown,
        done: (error: null, address: string, family: number) => void,
      ): void => done(null, name, type === 'udp6' ? 6 : 4);
      const socket = createSocket({ type, recvBufferSize: 4 * 1024 * 1024, lookup });
      socket.once('error', reject);
      socket.bind({ address: from, port: 0 }, () => {
        socket.off('error', reject);
        resolve(new UdpPeer(socket, place, check));
      });
    });
  }

  /** Sends all and waits for every reply, `patience` milliseconds at most. */
  async round(messages: readonly Buffer[], patience: number): Promise<Fault | null> {
    this.#fault = null;
    for (const octets of messages) {
      const sent = this.#take(octets);
      this.#socket.send(sent.octets, this.#place.udp, this.#place.host);
    }
    if (this.#waiting.size > 0 && this.#fault === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience);
        this.#done = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#done = null;
    }
    const [missing] = this.#waiting.values();
    if (missing !== undefined) this.#fault ??= { what: `no reply in ${patience} ms`, sent: missing };
    this.#waiting = new Map();
    return this.#fault;
  }

  #take(octets: Buffer): Sent {
    const copy = Buffer.from(octets);
    const sent = { octets: copy, answered: isAnswerable(copy) };
    if (copy.length < 2) return sent;
    this.#id = (this.#id + 1) & 0xffff;
    copy.writeUInt16BE(this.#id, 0);
    this.#recent.set(this.#id, sent);
    if (sent.answered) this.#waiting.set(this.#id, sent);
    return sent;
  }

  #receive(reply: Buffer): void {
    const id = reply.length < 2 ? -1 : reply.readUInt16BE(0);
    const sent = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (sent !== undefined) {
      const what = this.#check(sent, reply, 'udp');
      if (what !== null) this.#fault ??= { what: `${what}\nreply ${reply.toString('hex')}`, sent };
    } else this.#fault ??= unwanted(reply, this.#recent.get(id));
    if (this.#waiting.size === 0 || this.#fault !== null) this.#done?.();
  }

  close(): void {
    this.#socket.close();
  }
}

/** A header that is whole, and no response: everything else is dropped. */
export function isAnswerable(octets: Buffer): boolean {
  return octets.length >= 12 && (octets[2]! & 0x80) === 0;
}

function unwanted(reply: Buffer, recent: Sent | undefined): Fault {
  const hex = reply.toString('hex');
  if (recent === undefined) return { what: `a reply with an ID that was not sent: ${hex}`, sent: null };
  return {
    what: recent.answered ? `a second reply: ${hex}` : `a reply to what gets none: ${hex}`,
    sent: recent,
  };
}

/** How a connection is treated when its messages are sent. */
export type Manner = 'whole' | 'halfClosed' | 'rough';

/** One connection for some messages. */
export async function tcpRound(
  place: Place,
  from: string,
  messages: readonly Buffer[],
  manner: Manner,
  random: Random,
  check: ReplyCheck,
  patience: number,
): Promise<Fault | null> {
  const socket = connect({ host: place.host, port: place.tcp, localAddress: from, noDelay: true });
  const waiting = new Map<number, Sent>();
  const known = new Map<number, Sent>();
  let id = random.below(0x10000);
  const frames = messages.map((octets) => {
    const copy = Buffer.from(octets);
    id = (id + 1) & 0xffff;
    if (copy.length >= 2) copy.writeUInt16BE(id, 0);
    const sent = { octets: copy, answered: isAnswerable(copy) };
    known.set(id, sent);
    if (sent.answered) waiting.set(id, sent);
    return framed(copy);
  });
  let stream: Buffer = Buffer.concat(frames);
  if (manner === 'rough') stream = roughened(stream, random);
  let fault: Fault | null = null;
  let rest: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, manner === 'rough' ? 20 + random.below(60) : patience);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('error', end);
    socket.on('close', end);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const size = rest.readUInt16BE(0);
        const reply = Buffer.from(rest.subarray(2, 2 + size));
        rest = rest.subarray(2 + size);
        const replyId = reply.length < 2 ? -1 : reply.readUInt16BE(0);
        const sent = waiting.get(replyId);
        waiting.delete(replyId);
        // Where lengths were changed, other messages were sent than those that are known.
        if (manner === 'rough') continue;
        if (sent === undefined) fault ??= unwanted(reply, known.get(replyId));
        else {
          const what = check(sent, reply, 'tcp');
          if (what !== null) fault ??= { what: `${what}\nreply ${reply.toString('hex')}`, sent };
        }
      }
      if ((waiting.size === 0 && manner !== 'rough') || fault !== null) end();
    });
    socket.once('connect', () => {
      writeInChunks(socket, stream, random);
      if (manner === 'halfClosed') socket.end();
      if (waiting.size === 0 && manner !== 'rough') end();
    });
  });
  socket.destroy();
  const [missing] = waiting.values();
  if (manner !== 'rough' && missing !== undefined)
    fault ??= { what: `no reply in ${patience} ms`, sent: missing };
  return fault;
}

function writeInChunks(socket: Socket, stream: Buffer, random: Random): void {
  const step = random.once(3) ? 1 + random.below(200) : stream.length;
  // A prefix split octet by octet, and whole pipelines at once.
  for (let at = 0; at < stream.length; at += step) socket.write(stream.subarray(at, at + step));
}

/** The stream with some octets changed, cut or put in: lengths that lie among them. */
function roughened(stream: Buffer, random: Random): Buffer {
  let out = Buffer.from(stream);
  for (let changes = 1 + random.below(4); changes > 0 && out.length > 0; changes--) {
    const at = random.below(out.length);
    switch (random.below(4)) {
      case 0:
        out[at] = random.below(256);
        break;
      case 1:
        out = Buffer.concat([
          out.subarray(0, at),
          out.subarray(Math.min(out.length, at + 1 + random.below(9))),
        ]);
        break;
      case 2:
        out = Buffer.concat([
          out.subarray(0, at),
          Buffer.alloc(random.below(9), random.below(256)),
          out.subarray(at),
        ]);
        break;
      default:
        out = out.subarray(0, at);
    }
  }
  return out;
}

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { framed } from './client.ts';
import { type Reply, readMessage, replyOctets } from './message.ts';
import type { Scope } from './namegate.ts';

/** A question as it reached an upstream. */
export interface Seen {
  readonly octets: Buffer;
  readonly id: number;
  /** In lower case, with its final dot. */
  readonly name: string;
  /** As it was sent. */
  readonly written: string;
  readonly type: string;
  readonly checkingDisabled: boolean;
  readonly over: 'udp' | 'tcp';
  /** The port that it came from. */
  readonly port: number;
  /** It has an OPT record. */
  readonly edns: boolean;
  /** Milliseconds since 1970, and of the monotonic clock. */
  readonly epoch: number;
  readonly at: number;
}

export interface Answering {
  /** Sends octets as they are; safe after the upstream has closed. */
  send(octets: Buffer): void;
  /** Replies to the question with records as text. */
  reply(shape: Reply): void;
  /** Sends from another port of the same address (UDP alone). */
  sendFromElsewhere(octets: Buffer): void;
}

export type Script = (seen: Seen, to: Answering) => void;

/** A scripted upstream on loopback, UDP and TCP on one port, that records what it is asked. */
export class Upstream {
  readonly seen: Seen[] = [];
  /** What was received and is no sound query: none is ever wanted. */
  readonly unsound: string[] = [];
  script: Script;
  port = 0;
  readonly host: string;
  #udp: UdpSocket | null = null;
  #elsewhere: UdpSocket | null = null;
  #tcp: Server | null = null;
  readonly #connections = new Set<Socket>();

  constructor(script: Script, host = '127.0.0.1') {
    this.script = script;
    this.host = host;
  }

  /** As `upstreams:` of the server file has it. */
  get url(): string {
    return `udp://${this.host}:${this.port}`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Names and types asked so far, in their order. */
  get asked(): string[] {
    return this.seen.map(({ name, type }) => `${name} ${type}`);
  }

  async open(port = 0): Promise<void> {
    for (let tries = 0; ; tries++) {
      const udp = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject);
        udp.bind(port, this.host, resolve);
      });
      const tcp = createServer();
      const opened = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false));
        tcp.listen(udp.address().port, this.host, () => resolve(true));
      });
      if (!opened) {
        await new Promise<void>((resolve) => udp.close(() => resolve()));
        if (tries === 20 || port !== 0) throw new Error('no port is free for UDP and TCP');
        continue;
      }
      this.#start(udp, tcp);
      return;
    }
  }

  #start(udp: UdpSocket, tcp: Server): void {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = udp.address().port;
    const elsewhere = createSocket('udp4');
    elsewhere.bind(0, this.host);
    this.#elsewhere = elsewhere;
    udp.on('message', (octets, from) => {
      const send = (socket: UdpSocket, reply: Buffer): void => {
        if (this.#udp === udp) socket.send(reply, from.port, from.address);
      };
      this.#take(
        octets,
        'udp',
        from.port,
        (reply) => send(udp, reply),
        (reply) => send(elsewhere, reply),
      );
    });
    tcp.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#connections.delete(socket));
      const send = (reply: Buffer): void => {
        if (!socket.destroyed) socket.write(framed(reply));
      };
      let rest: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
          const end = 2 + rest.readUInt16BE(0);
          this.#take(Buffer.from(rest.subarray(2, end)), 'tcp', socket.remotePort ?? 0, send, () => {});
          rest = rest.subarray(end);
        }
      });
    });
  }

  #take(
    octets: Buffer,
    over: Seen['over'],
    port: number,
    send: (reply: Buffer) => void,
    sendFromElsewhere: (reply: Buffer) => void,
  ): void {
    const seen = this.#read(octets, over, port);
    if (seen === null) return;
    this.seen.push(seen);
    this.script(seen, { send, sendFromElsewhere, reply: (shape) => send(replyOctets(octets, shape)) });
  }

  /** Nothing goes upstream but a plain question: RD, perhaps CD, a bare OPT with DO (no client's ID, options or ECS). */
  #read(octets: Buffer, over: Seen['over'], port: number): Seen | null {
    let message: ReturnType<typeof readMessage>;
    try {
      message = readMessage(octets);
    } catch (error) {
      this.unsound.push(`${String(error)}: ${octets.toString('hex')}`);
      return null;
    }
    const { question, opt, flags } = message;
    const records = message.answer.length + message.authority.length + message.additional.length;
    const bare =
      opt === null || (opt.version === 0 && opt.dnssecOk && opt.rest === 0 && opt.options.length === 0);
    if (question === null || question.class !== 1 || records > 0 || !bare || (flags & ~0x10) !== 0x100) {
      this.unsound.push(octets.toString('hex'));
      return null;
    }
    return {
      octets,
      id: message.id,
      name: question.name.toLowerCase(),
      written: question.name,
      type: question.type,
      checkingDisabled: (flags & 0x10) !== 0,
      over,
      port,
      edns: opt !== null,
      epoch: Date.now(),
      at: performance.now(),
    };
  }

  async close(): Promise<void> {
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = null;
    this.#tcp = null;
    this.#elsewhere?.close();
    this.#elsewhere = null;
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => (udp === null ? resolve() : udp.close(() => resolve()))),
      new Promise<void>((resolve) => (tcp === null ? resolve() : tcp.close(() => resolve()))),
    ]);
  }
}

export async function upstream(t: Pick<Scope, 'teardown'>, script: Script = plain): Promise<Upstream> {
  const made = new Upstream(script);
  await made.open();
  t.teardown(() => made.close());
  return made;
}

/** Answers A with one address, and every other type with no data. */
export const plain: Script = ({ name, type }, to) =>
  to.reply(
    type === 'A'
      ? { answer: [`${name} 60 A 198.51.100.1`] }
      : { authority: [`${name} 60 SOA ns.${name} admin.${name} 1 2 3 4 60`] },
  );

/** Says nothing at all. */
export const silent: Script = () => {};

/** A zone as data: records by owner and type, no data for other types of an owner, NXDOMAIN for other owners. */
export function zone(origin: string, records: readonly string[]): Script {
  const soa = `${origin} 300 SOA ns.${origin} admin.${origin} 1 2 3 4 60`;
  const owners = new Set<string>();
  const sets = new Map<string, string[]>();
  for (const record of records) {
    const [owner = '', , type = ''] = record.split(' ');
    owners.add(owner);
    const key = `${owner} ${type}`;
    sets.set(key, [...(sets.get(key) ?? []), record]);
  }
  const collect = (name: string, type: string): { answer: string[]; exists: boolean } => {
    const found = sets.get(`${name} ${type}`);
    if (found !== undefined) return { answer: found, exists: true };
    const link = sets.get(`${name} CNAME`);
    if (link === undefined) return { answer: [], exists: owners.has(name) };
    const rest = collect(link[0]!.split(' ')[3]!, type);
    return { answer: [...link, ...rest.answer], exists: rest.exists };
  };
  return ({ name, type }, to) => {
    const { answer, exists } = collect(name, type);
    const positive = answer.some((record) => record.split(' ')[2] === type);
    to.reply({ rcode: exists ? 0 : 3, answer, authority: positive ? [] : [soa] });
  };
}

import { createSocket, type RemoteInfo } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { FrameReader } from '../../src/wire/framing.ts';
import { nameFromText } from '../../src/wire/name.ts';

interface Ending {
  teardown(end: () => Promise<void> | void): void;
}

/** Replies that a script gives to one query; an empty list is silence. */
export type Script = (query: Buffer, transport: 'udp' | 'tcp', count: number) => readonly Buffer[];

export interface Responder {
  readonly host: string;
  readonly port: number;
  /** Queries that came, in order. */
  readonly seen: { readonly transport: 'udp' | 'tcp'; readonly query: Buffer }[];
}

/** A DNS server on one port of loopback, UDP and TCP, that answers as the script says. */
export async function responder(t: Ending, script: Script, host = '127.0.0.1', port = 0): Promise<Responder> {
  for (let tries = 0; ; tries++) {
    try {
      return await listen(t, script, host, port);
    } catch (error) {
      if (tries === 10 || port !== 0) throw error;
    }
  }
}

async function listen(t: Ending, script: Script, host: string, wanted: number): Promise<Responder> {
  const seen: Responder['seen'] = [];
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(wanted, host, resolve);
  });
  const { port } = udp.address();
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) =>
      reader.push(chunk, (message) => {
        const query = Buffer.from(message);
        seen.push({ transport: 'tcp', query });
        for (const reply of script(query, 'tcp', seen.length)) socket.write(framed(reply));
      }),
    );
  });
  try {
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(port, host, resolve);
    });
  } catch (error) {
    udp.close();
    throw error;
  }
  udp.on('message', (query: Buffer, from: RemoteInfo) => {
    seen.push({ transport: 'udp', query });
    for (const reply of script(query, 'udp', seen.length)) udp.send(reply, from.port, from.address);
  });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => udp.close(resolve)),
      new Promise((resolve) => tcp.close(resolve)),
    ]);
  });
  return { host, port, seen };
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return Buffer.concat([prefix, message]);
}

export interface Shape {
  readonly flags?: number;
  readonly rcode?: number;
  readonly answers?: readonly Buffer[];
  readonly ede?: { readonly code: number; readonly text: string };
}

/** A reply to a query: its ID and question, QR RD RA unless `flags` says otherwise, and OPT where EDE is wanted. */
export function replyTo(query: Buffer, shape: Shape = {}): Buffer {
  const { flags = 0x8180, rcode = 0, answers = [], ede } = shape;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(flags | (rcode & 0xf), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(ede === undefined ? 0 : 1, 10);
  return Buffer.concat([
    header,
    questionOf(query),
    ...answers,
    ...(ede === undefined ? [] : [opt(ede, rcode)]),
  ]);
}

/** The octets of a query's question. */
export function questionOf(query: Buffer): Buffer {
  let end = 12;
  while (query[end] !== 0) end += 1 + query[end]!;
  return query.subarray(12, end + 5);
}

function opt({ code, text }: { readonly code: number; readonly text: string }, rcode: number): Buffer {
  const said = Buffer.from(text);
  const fixed = Buffer.from([0, 0, 41, 4, 208, rcode >>> 4, 0, 0, 0, 0, 6 + said.length]);
  return Buffer.concat([fixed, Buffer.from([0, 15, 0, 2 + said.length, code >>> 8, code & 0xff]), said]);
}

/** A record whose owner is the question's name. */
export function record(
  type: number,
  rdata: Uint8Array,
  ttl = 60,
  owner: Uint8Array = Buffer.from([0xc0, 12]),
): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(rdata.length, 8);
  return Buffer.concat([owner, fixed, rdata]);
}

/** TXT data of one string. */
export function txt(text: string | Uint8Array): Buffer {
  const octets = typeof text === 'string' ? Buffer.from(text) : Buffer.from(text);
  return Buffer.concat([Buffer.from([octets.length]), octets]);
}

export function wire(text: string): Uint8Array {
  const name = nameFromText(text);
  if (!(name instanceof Uint8Array)) throw new Error(`${text} is no name`);
  return name;
}

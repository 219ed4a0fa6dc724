/** Upstream servers on loopback that do what a test says, and the one question that a test asks. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Forwarder, ForwardListener, Outcome, UpstreamQuestion } from '../../src/resolve/ports.ts';
import type { UpstreamGroup, UpstreamServer } from '../../src/settings/settings.ts';
import { loadNative } from '../../src/socket/linux-native.ts';
import { type UpstreamOptions, Upstreams } from '../../src/upstream/forwarder.ts';
import type { UpstreamEvent } from '../../src/upstream/upstream-event.ts';
import { FrameReader } from '../../src/wire/framing.ts';
import { lowerName, nameFromText, nameToText } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { running } from '../clock.ts';

/** What a test object must offer: end what was started. */
export interface Ending {
  teardown(end: () => unknown): void;
}

export interface Seen {
  readonly octets: Buffer;
  readonly id: number;
  /** As sent, case kept. */
  readonly name: string;
  readonly type: number;
  readonly checkingDisabled: boolean;
  readonly questionEnd: number;
}

export function see(octets: Buffer): Seen {
  const query = new Query();
  const fault = readQuery(octets, octets.length, query);
  if (fault !== null) throw new Error(`the query is malformed: ${fault.code} at ${fault.offset}`);
  return {
    octets,
    id: octets.readUInt16BE(0),
    name: nameToText(octets.subarray(12, query.questionEnd - 4)),
    type: query.type,
    checkingDisabled: (octets[3]! & 0x10) !== 0,
    questionEnd: query.questionEnd,
  };
}

export interface ReplyShape {
  readonly id?: number;
  readonly flags?: number;
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly fold?: boolean;
  readonly name?: string;
  /** The last octet of the address 192.0.2.x; null for no record. */
  readonly address?: number | null;
  readonly questions?: number;
}

/** A reply to what was seen: its question, one A record, RD and RA. */
export function reply(to: Seen, shape: ReplyShape = {}): Buffer {
  let question = Buffer.from(to.octets.subarray(12, to.questionEnd));
  if (shape.name !== undefined) {
    question = Buffer.concat([wire(shape.name), to.octets.subarray(to.questionEnd - 4, to.questionEnd)]);
  }
  if (shape.fold === true) {
    question = Buffer.concat([lowerName(question.subarray(0, -4)), question.subarray(-4)]);
  }
  const header = Buffer.alloc(12);
  header.writeUInt16BE(shape.id ?? to.id, 0);
  header.writeUInt16BE(
    (shape.flags ?? 0x8180) | (shape.rcode ?? 0) | (shape.truncated === true ? 0x200 : 0),
    2,
  );
  header.writeUInt16BE(shape.questions ?? 1, 4);
  const address = shape.address === undefined ? 1 : shape.address;
  if (address === null) return Buffer.concat([header, question]);
  header.writeUInt16BE(1, 6);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, address]);
  return Buffer.concat([header, question, record]);
}

/** An outcome, with the reply that was accepted last. */
export type Ended =
  | (Outcome & { readonly kind: 'failure' })
  | { readonly kind: 'reply'; readonly message: Buffer; readonly verified: boolean };

/** The last octet of a reply: which address, and so which server or reply, won. */
export function won(outcome: Ended): number | string {
  return outcome.kind === 'reply' ? outcome.message.at(-1)! : outcome.reason;
}

export function wire(name: string): Uint8Array {
  const octets = nameFromText(name);
  if (!(octets instanceof Uint8Array)) throw new Error(`${name} is no name`);
  return octets;
}

export interface UdpUpstream {
  readonly port: number;
  readonly host: string;
  readonly seen: (Seen & { readonly from: RemoteInfo; readonly at: number; readonly ran: number })[];
  readonly socket: UdpSocket;
  readonly server: UpstreamServer;
  close(): Promise<void>;
}

export type UdpScript = (seen: Seen, send: (octets: Buffer) => void, from: RemoteInfo) => void;

export async function udpUpstream(
  t: Ending,
  script: UdpScript,
  at: { host?: string; port?: number } = {},
): Promise<UdpUpstream> {
  const host = at.host ?? '127.0.0.1';
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(at.port ?? 0, host, resolve);
  });
  const port = socket.address().port;
  const seen: UdpUpstream['seen'] = [];
  let open = true;
  socket.on('message', (octets, from) => {
    const one = see(octets);
    seen.push({ ...one, from, at: performance.now(), ran: running() });
    script(
      one,
      (message) => {
        if (open) socket.send(message, from.port, from.address);
      },
      from,
    );
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (!open) return resolve();
      open = false;
      socket.close(resolve);
    });
  t.teardown(close);
  return { port, host, seen, socket, close, server: { protocol: 'udp', host, port, name: null, ca: null } };
}

export interface TcpUpstream {
  readonly port: number;
  readonly host: string;
  readonly seen: (Seen & { readonly connection: number })[];
  readonly sockets: Set<Socket>;
  /** Connections so far. */
  readonly connections: () => number;
  readonly server: UpstreamServer;
  close(): Promise<void>;
}

export type TcpScript = (
  seen: Seen,
  send: (octets: Buffer) => void,
  socket: Socket,
  connection: number,
) => void;

export function frame(message: Uint8Array): Buffer {
  const octets = Buffer.alloc(message.length + 2);
  octets.writeUInt16BE(message.length);
  octets.set(message, 2);
  return octets;
}

export async function tcpUpstream(
  t: Ending,
  script: TcpScript,
  at: { host?: string; port?: number; server?: Server } = {},
): Promise<TcpUpstream> {
  const host = at.host ?? '127.0.0.1';
  const listener = at.server ?? createServer();
  const sockets = new Set<Socket>();
  const seen: TcpUpstream['seen'] = [];
  let count = 0;
  listener.on(at.server === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    const connection = ++count;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) =>
      reader.push(chunk, (message) => {
        const one = see(Buffer.from(message));
        seen.push({ ...one, connection });
        script(
          one,
          (octets) => {
            if (!socket.destroyed) socket.write(frame(octets));
          },
          socket,
          connection,
        );
      }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(at.port ?? 0, host, resolve);
  });
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  let open = true;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (!open) return resolve();
      open = false;
      for (const socket of sockets) socket.destroy();
      listener.close(() => resolve());
    });
  t.teardown(close);
  return {
    port: address.port,
    host,
    seen,
    sockets,
    connections: () => count,
    close,
    server: { protocol: 'tcp', host, port: address.port, name: null, ca: null },
  };
}

/** UDP and TCP on one port. */
export async function bothUpstream(
  t: Ending,
  udp: UdpScript,
  tcp: TcpScript,
): Promise<{ udp: UdpUpstream; tcp: TcpUpstream; server: UpstreamServer }> {
  for (let tries = 0; ; tries++) {
    const overUdp = await udpUpstream(t, udp);
    try {
      const overTcp = await tcpUpstream(t, tcp, { port: overUdp.port });
      return { udp: overUdp, tcp: overTcp, server: overUdp.server };
    } catch (error) {
      await overUdp.close();
      if (tries === 10) throw error;
    }
  }
}

/** A port of this host where nobody listens on UDP, nor on TCP. */
export async function closedPort(t: Ending): Promise<number> {
  const { udp, tcp } = await bothUpstream(
    t,
    () => {},
    () => {},
  );
  await Promise.all([udp.close(), tcp.close()]);
  return udp.port;
}

export function group(servers: UpstreamGroup['servers'], name = 'default'): UpstreamGroup {
  return { name, servers, zones: [] };
}

/** Makes a forwarder with one group, and tells what it says to the log. */
export type MakeUpstreams = (
  t: Ending,
  servers: UpstreamGroup['servers'],
  options?: Partial<UpstreamOptions>,
) => { forwarder: Upstreams; events: UpstreamEvent[] };

export const NATIVE = loadNative();

/** Runs a suite over node:dgram, and in batches where the machine can. */
export function everyWay(
  t: Test,
  suite: (t: Test, upstreams: MakeUpstreams, way: 'portable' | 'batched') => void,
): void {
  // They mostly wait.
  t.jobs = 2;
  t.test('over node:dgram', { buffered: true }, async (t) => suite(t, upstreams, 'portable'));
  const skip = typeof NATIVE === 'string' ? NATIVE : false;
  t.test('in batches', { buffered: true, skip }, async (t) =>
    suite(t, (t, servers, options) => upstreams(t, servers, { native: NATIVE, ...options }), 'batched'),
  );
}

export function upstreams(
  t: Ending,
  servers: UpstreamGroup['servers'],
  options: Partial<UpstreamOptions> = {},
): ReturnType<MakeUpstreams> {
  const events: UpstreamEvent[] = [];
  const forwarder = new Upstreams({
    groups: [group(servers)],
    isOurs: () => false,
    onEvent: (event) => events.push(event),
    ...options,
  });
  t.teardown(() => forwarder.close());
  return { forwarder, events };
}

/** For tests of what happens at once: the retry that would happen anyway is far away. */
export const PATIENT = { firstRetry: 2500, minRetry: 2500, retries: [3000] };

export interface Asked {
  readonly outcome: Ended;
  /** Milliseconds of `running`: for what must not be late. */
  readonly elapsed: number;
  /** Milliseconds as they went by: for what must not be early. */
  readonly waited: number;
  /** Milliseconds after which `slow` was called, or null. */
  readonly slow: number | null;
  readonly accepted: number;
}

export function question(name: string, type = 1, group = 0): UpstreamQuestion {
  return { group, name: wire(name), type, checkingDisabled: false };
}

/** Asks what perhaps `failedLately`, and holds the port's promises: `done` once, later than `ask`, `slow` at most once and before it. */
export function ask(
  forwarder: Forwarder,
  asked: UpstreamQuestion | string,
  accept: (message: Buffer) => boolean = () => true,
  failedLately = false,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const begun = running();
    let returned = false;
    let finished = 0;
    let slow: number | null = null;
    let accepted = 0;
    let message = Buffer.alloc(0);
    let verified = false;
    const ticket = ++tickets;
    const check = (told: number): void => {
      if (told !== ticket) reject(new Error(`ticket ${told} instead of ${ticket}`));
    };
    const listener: ForwardListener = {
      accept: (octets, proven, told) => {
        check(told);
        if (!returned || finished > 0) reject(new Error('accept before ask returned, or after done'));
        message = Buffer.from(octets);
        verified = proven;
        const usable = accept(message);
        if (usable) accepted++;
        return usable ? 'good' : 'bad';
      },
      slow: (told) => {
        check(told);
        if (!returned || finished > 0 || slow !== null) reject(new Error('slow early, late or twice'));
        slow = performance.now() - start;
      },
      failedLately: (told) => {
        check(told);
        return failedLately;
      },
      done: (ending, told) => {
        check(told);
        if (!returned) reject(new Error('done before ask returned'));
        if (++finished > 1) {
          // Too late to reject the promise.
          process.nextTick(() => {
            throw new Error('done twice');
          });
        }
        const elapsed = running() - begun;
        const outcome = ending.kind === 'reply' ? { ...ending, message, verified } : ending;
        resolve({ outcome, elapsed, waited: performance.now() - start, slow, accepted });
      },
    };
    forwarder.ask(typeof asked === 'string' ? question(asked) : asked, listener, ticket);
    returned = true;
  });
}

let tickets = 0;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something holds, for a second of `running` at most. */
export async function until(condition: () => boolean, ms = 1000): Promise<boolean> {
  const end = running() + ms;
  while (!condition()) {
    if (running() > end) return false;
    await pause(5);
  }
  return true;
}

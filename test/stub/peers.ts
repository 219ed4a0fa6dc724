/** Both sides of a stub: DoT servers on loopback that do what a test says, and clients. */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Test } from 'tap';
import { tcp } from '../../src/listen/stream/tcp.ts';
import { portableUdp } from '../../src/listen/udp/udp-portable.ts';
import type { Log, LogEvent, LogFields } from '../../src/report/log.ts';
import type { Answerer } from '../../src/resolve/ports.ts';
import type { TlsServerAddress } from '../../src/socket/tls-connector.ts';
import { type CredentialFiles, isFault, readCredentials } from '../../src/stub/credentials.ts';
import type { DispatchLimits } from '../../src/stub/dispatch-limits.ts';
import { type ClientSide, Stub } from '../../src/stub/stub.ts';
import { FrameReader } from '../../src/wire/framing.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { Authority, type CertificateOptions } from '../identity/authority.ts';
import { framed, StreamClient } from '../listen/echo.ts';

export { StreamClient, until } from '../listen/echo.ts';

export const NAME = 'dns.example';
export const servers = new Authority({ name: 'servers' });
export const clients = new Authority({ name: 'clients' });
const proper = servers.issue({ dns: [NAME], eku: ['serverAuth'] });

/** Certificate, key and CAs of a client as files; `write` puts others in their place. */
export interface Files extends CredentialFiles {
  write(options?: CertificateOptions): void;
}

export function clientFiles(t: Test, options: CertificateOptions = {}): Files {
  const folder = t.testdir({});
  const files = {
    cert: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    ca: join(folder, 'ca.crt'),
  };
  const write = (written: CertificateOptions = {}): void => {
    const { chainPem, keyPem } = clients.issue(written);
    writeFileSync(files.cert, chainPem);
    writeFileSync(files.key, keyPem);
  };
  write({ uris: ['spiffe://ci.example/job'], ...options });
  writeFileSync(files.ca, servers.pem);
  return { ...files, write };
}

/** A question as a server saw it. */
export interface Seen {
  readonly octets: Buffer;
  readonly id: number;
  readonly query: Query;
  readonly connection: number;
}

export type Script = (seen: Seen, send: (message: Buffer) => void, socket: TLSSocket) => void;

export interface Dot {
  readonly port: number;
  readonly address: TlsServerAddress;
  readonly seen: Seen[];
  readonly sockets: Set<TLSSocket>;
  /** Serials of the client certificates, one for each connection. */
  readonly serials: string[];
  readonly resumed: boolean[];
  readonly connections: () => number;
  /** Stops listening, and resets what is open. */
  close(): Promise<void>;
}

export interface DotOptions extends TlsOptions {
  readonly port?: number;
  readonly host?: string;
}

/** Mutual TLS, as namegate has it with `clients: required`. */
export async function dot(t: Test, script: Script = answer, options: DotOptions = {}): Promise<Dot> {
  const { port = 0, host = '127.0.0.1', ...tls } = options;
  const server = createServer({
    cert: proper.pem,
    key: proper.keyPem,
    ca: clients.pem,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ['dot'],
    ...tls,
  });
  const seen: Seen[] = [];
  const sockets = new Set<TLSSocket>();
  const serials: string[] = [];
  const resumed: boolean[] = [];
  server.on('tlsClientError', () => {});
  // In TLS 1.3 the client is done with the handshake before the server is.
  const below = new Set<Socket>();
  server.on('connection', (socket) => {
    below.add(socket);
    socket.on('close', () => below.delete(socket));
  });
  server.on('secureConnection', (socket) => {
    const connection = serials.push(socket.getPeerCertificate().serialNumber);
    resumed.push(socket.isSessionReused());
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) =>
      reader.push(chunk, (message) => {
        const octets = Buffer.from(message);
        const query = new Query();
        const fault = readQuery(octets, octets.length, query);
        if (fault !== null) throw new Error(`the server was sent a malformed query: ${fault.code}`);
        const one = { octets, id: octets.readUInt16BE(0), query, connection };
        seen.push(one);
        script(one, (reply) => void (socket.destroyed || socket.write(framed(reply))), socket);
      }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as { port: number }).port;
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    for (const socket of [...sockets, ...below]) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  t.teardown(close);
  return {
    port: bound,
    address: { host, port: bound, name: NAME },
    seen,
    sockets,
    serials,
    resumed,
    connections: () => serials.length,
    close,
  };
}

/** Answers with one A record. */
export const answer: Script = (seen, send) => send(replyTo(seen));

export interface ReplyShape {
  readonly id?: number;
  readonly flags?: number;
  /** Replaces the question. */
  readonly question?: Buffer;
  /** Records of the answer section, and how many they are; one A record unless given. */
  readonly records?: Buffer;
  readonly count?: number;
  /** Options of an OPT; null for none. One without options where the question had one. */
  readonly options?: readonly Option[] | null;
}

export type Option = readonly [code: number, data: Buffer];

export function replyTo({ octets, query }: Pick<Seen, 'octets' | 'query'>, shape: ReplyShape = {}): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(shape.id ?? octets.readUInt16BE(0), 0);
  header.writeUInt16BE(shape.flags ?? 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(shape.count ?? 1, 6);
  const options = shape.options === undefined ? (query.edns ? [] : null) : shape.options;
  header.writeUInt16BE(options === null ? 0 : 1, 10);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
  return Buffer.concat([
    header,
    shape.question ?? octets.subarray(12, query.questionEnd),
    shape.records ?? record,
    ...(options === null ? [] : [opt(options)]),
  ]);
}

export function opt(options: readonly Option[] = [], size = 1232): Buffer {
  const data = Buffer.concat(
    options.map(([code, octets]) => {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(code, 0);
      head.writeUInt16BE(octets.length, 2);
      return Buffer.concat([head, octets]);
    }),
  );
  const head = Buffer.alloc(11);
  head.writeUInt16BE(41, 1);
  head.writeUInt16BE(size, 3);
  head.writeUInt16BE(data.length, 9);
  return Buffer.concat([head, data]);
}

/** A query of a client: A, IN, RD. `extra`: an OPT as `opt` makes it, and what follows. */
export function query(id: number, name = 'www.example', extra: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, extra.length > 0 ? 1 : 0]);
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1]), extra]);
}

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: LogEvent;
  readonly text: string;
  readonly fields: LogFields;
}

/** A log that is an array. */
export function memoryLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: Line['level']) =>
    (event: LogEvent, text: string, fields: LogFields = {}): void =>
      void lines.push({ level, event, text, fields });
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    dropped: 0,
    flush: () => {},
    close: () => {},
  };
}

export interface Running {
  readonly stub: Stub;
  readonly lines: readonly Line[];
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly files: Files;
  /** The reply over UDP, or null after `patience` milliseconds. */
  ask(message: Buffer, patience?: number): Promise<Buffer | null>;
  dial(): Promise<StreamClient>;
}

export interface StartOptions {
  readonly files?: Files;
  readonly limits?: Partial<DispatchLimits>;
  readonly poll?: number;
}

export async function start(
  t: Test,
  addresses: readonly TlsServerAddress[],
  options: StartOptions = {},
): Promise<Running> {
  const files = options.files ?? clientFiles(t);
  const reading = readCredentials(files);
  const { result } = reading;
  if (isFault(result)) throw new Error(`${result.file} ${result.message}`);
  const log = memoryLog();
  const sides: Loopback[] = [];
  const listen = (answerer: Answerer): ClientSide => {
    const side = new Loopback(answerer);
    sides.push(side);
    return side;
  };
  const stub = new Stub({ ...options, servers: addresses, files, listen, log }, reading, result);
  t.teardown(() => stub.stop('the test is over'));
  await stub.start();
  const [udpPort, tcpPort] = sides[0]!.ports as [number, number];
  return {
    stub,
    lines: log.lines,
    udpPort,
    tcpPort,
    files,
    ask: (message, patience) => askUdp(udpPort, message, patience),
    dial: async () => {
      const client = await StreamClient.dial(tcpPort);
      t.teardown(() => client.close());
      return client;
    },
  };
}

/** UDP and TCP on ports that the kernel chooses, each its own. */
class Loopback implements ClientSide {
  readonly urls: readonly string[] = [];
  ports: readonly number[] = [];
  readonly #all;

  constructor(answerer: Answerer) {
    const options = { host: '127.0.0.1', port: 0, answerer, notice: () => {} };
    this.#all = [portableUdp({ ...options, spoofable: false }), tcp({ ...options, perClient: 1000 })];
  }

  async start(): Promise<void> {
    for (const listener of this.#all) await listener.start();
    this.ports = this.#all.map(({ address }) => address.port);
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.close(drainMs)));
  }
}

export function askUdp(port: number, message: Buffer, patience = 6000): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (reply: Buffer | null): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => end(null), patience);
    socket.on('message', end);
    // Connected: nothing but the stub's datagrams come in, whoever had this port before.
    socket.on('error', () => {});
    socket.connect(port, '127.0.0.1', () => socket.send(message));
  });
}

export function rcode(reply: Buffer | null): number {
  return reply === null ? -1 : reply[3]! & 0xf;
}

/** INFO-CODE and EXTRA-TEXT of a reply whose last record is its OPT. */
export function ede(reply: Buffer): { readonly code: number; readonly text: string } | null {
  const at = reply.indexOf(Buffer.from([0, 0, 41]), 12);
  for (let option = at + 11; at >= 0 && option < reply.length; option += 4 + reply.readUInt16BE(option + 2)) {
    if (reply.readUInt16BE(option) !== 15) continue;
    const end = option + 4 + reply.readUInt16BE(option + 2);
    return { code: reply.readUInt16BE(option + 4), text: reply.toString('utf8', option + 6, end) };
  }
  return null;
}

/** The EXTRA-TEXT of a reply; empty where there is none. */
export function edeText(reply: Buffer | null): string {
  return reply === null ? '' : (ede(reply)?.text ?? '');
}

export const SERVFAIL = 2;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Test } from 'tap';
import type { SinkSetting } from '../../../src/settings/alert-settings.ts';
import { Authority } from '../../identity/authority.ts';
import { Collector } from './collector.ts';
import { NO_TLS, TERMS } from './rig.ts';

/** Receivers of sinks that send over a connection, and how they fail. */

const ca = new Authority({ name: 'receivers' });
export const clients = new Authority({ name: 'senders' });
export const strangers = new Authority({ name: 'strangers' });
const DAY = 86_400_000;
export const ENDED = { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) };
const server = { ips: ['127.0.0.1'], eku: ['serverAuth'] } as const;
export const GOOD = ca.issue(server as never);
export const LATE = ca.issue({ ...server, ...ENDED } as never);

export interface Receiver {
  port: number;
  seqs(): number[];
  up(t: Test): Promise<void>;
  down(): void;
  /** From now on, or for some requests. */
  fail(how: 'garbage' | 'slow' | 'reset' | 'half'): void;
  mend(): void;
  /** It takes a request with this token alone, and none of more octets than these. */
  want?(token: string | null, most?: number): void;
}

function tlsOf(certificate: typeof GOOD): TlsOptions {
  return {
    cert: certificate.chainPem,
    key: certificate.keyPem,
    ca: clients.pem,
    requestCert: true,
    rejectUnauthorized: true,
  };
}

class OtlpReceiver implements Receiver {
  port = 0;
  readonly #certificate: typeof GOOD | null;
  #all: Collector[] = [];

  constructor(certificate: typeof GOOD | null) {
    this.#certificate = certificate;
  }

  get last(): Collector {
    return this.#all.at(-1)!;
  }

  async up(t: Test): Promise<void> {
    const collector = new Collector(this.#certificate === null ? null : tlsOf(this.#certificate));
    await collector.listen(t, this.port);
    this.port = collector.port;
    this.#all.push(collector);
  }

  down(): void {
    this.last.close();
  }

  fail(how: 'garbage' | 'slow' | 'reset' | 'half'): void {
    const step = { garbage: 'garbage', slow: 'hang', reset: 'reset', half: 'half' }[how];
    this.last.script = [[step], [step], [step]];
  }

  mend(): void {
    this.last.script = [];
  }

  want(token: string | null, most?: number): void {
    this.last.token = token;
    if (most !== undefined) this.last.script = [['over', String(most)]];
  }

  seqs(): number[] {
    return this.#all.flatMap(({ received }) => received.map(({ body }) => body['seq'] as number));
  }
}

class FrameReceiver implements Receiver {
  port = 0;
  readonly #certificate: typeof GOOD | null;
  readonly #frames: string[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #how: 'garbage' | 'slow' | 'reset' | 'half' | null = null;

  constructor(certificate: typeof GOOD | null) {
    this.#certificate = certificate;
  }

  async up(t: Test): Promise<void> {
    const serve = (socket: Socket): void => this.#serve(socket);
    const own =
      this.#certificate === null ? createServer(serve) : createTlsServer(tlsOf(this.#certificate), serve);
    own.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    });
    own.on('tlsClientError', () => undefined);
    this.#server = own;
    await new Promise<void>((resolve) => own.listen(this.port, '127.0.0.1', resolve));
    this.port = (own.address() as { port: number }).port;
    t.teardown(() => this.down());
  }

  down(): void {
    this.#server?.close();
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
  }

  fail(how: 'garbage' | 'slow' | 'reset' | 'half'): void {
    this.#how = how;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#how = null;
  }

  seqs(): number[] {
    return this.#frames.map((frame) => (JSON.parse(frame.slice(frame.indexOf('{'))) as { seq: number }).seq);
  }

  #serve(socket: Socket): void {
    socket.on('error', () => undefined);
    const how = this.#how;
    if (how === 'garbage') socket.write('<html>Welcome to the hotel</html>');
    if (how === 'reset') {
      if (this.#certificate === null) socket.resetAndDestroy();
      else socket.destroy();
      return;
    }
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      for (;;) {
        const length = /^([1-9]\d*) /.exec(text);
        const end = length === null ? 0 : length[0].length + Number(length[1]);
        if (length === null || text.length < end) break;
        this.#frames.push(text.slice(length[0].length, end));
        text = text.slice(end);
      }
      // Octets of a record and no more, and then the end.
      if (how !== null) socket.destroy();
    });
  }
}

interface Files {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** The files of a sink, and what writes another certificate into them. */
export function filesOf(t: Test): Files & { show(certificate: typeof GOOD): void } {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-every-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const files = {
    ca: join(folder, 'ca.pem'),
    certificate: join(folder, 'client.pem'),
    key: join(folder, 'client.key'),
  };
  writeFileSync(files.ca, ca.pem);
  const show = (certificate: typeof GOOD): void => {
    writeFileSync(files.certificate, certificate.chainPem);
    writeFileSync(files.key, certificate.keyPem);
  };
  show(clients.issue());
  return { ...files, show };
}

/** A sink that sends over a connection, and its receiver. */
export interface Connected {
  readonly isTls: boolean;
  readonly make: (certificate: typeof GOOD | null) => Receiver;
  readonly setting: (port: number, files: Files) => SinkSetting;
}

const tls = ({ ca, certificate, key }: Files) => ({ ca, certificate, key, serverName: null });

function otlp(isTls: boolean): Connected {
  return {
    isTls,
    make: (certificate) => new OtlpReceiver(certificate),
    setting: (port, files) => ({
      ...TERMS,
      type: 'otlp',
      url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}/v1/logs`,
      headers: {},
      isGzipped: false,
      timeout: 500,
      tokenFile: null,
      tls: isTls ? tls(files) : NO_TLS,
    }),
  };
}

function syslog(isTls: boolean): Connected {
  return {
    isTls,
    make: (certificate) => new FrameReceiver(certificate),
    setting: (port, files) => ({
      ...TERMS,
      type: 'syslog',
      protocol: isTls ? 'tls' : 'tcp',
      host: '127.0.0.1',
      port,
      tls: isTls ? tls(files) : NO_TLS,
    }),
  };
}

export const CONNECTED = {
  'otlp over http': otlp(false),
  'otlp over https': otlp(true),
  'syslog over tcp': syslog(false),
  'syslog over tls': syslog(true),
} as const satisfies Readonly<Record<string, Connected>>;

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import type { SinkSetting } from '../../../src/settings/alerts.ts';
import { Authority } from '../../identity/authority.ts';
import { Collector } from './collector.ts';
import { NO_TLS, once, Rig, TERMS, until, upTo } from './rig.ts';

/** Every sink that sends over a connection, and every way in which its receiver fails: nothing is lost, and it ends well. */

const ca = new Authority({ name: 'receivers' });
const clients = new Authority({ name: 'senders' });
const strangers = new Authority({ name: 'strangers' });
const DAY = 86_400_000;
const ENDED = { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) };
const server = { ips: ['127.0.0.1'], eku: ['serverAuth'] } as const;
const GOOD = ca.issue(server as never);
const LATE = ca.issue({ ...server, ...ENDED } as never);

interface Receiver {
  port: number;
  seqs(): number[];
  up(t: Test): Promise<void>;
  down(): void;
  /** From now on, or for some requests. */
  fail(how: 'garbage' | 'slow' | 'reset' | 'half'): void;
  mend(): void;
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
function filesOf(t: Test): Files & { show(certificate: typeof GOOD): void } {
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

interface Kind {
  readonly isTls: boolean;
  readonly make: (certificate: typeof GOOD | null) => Receiver;
  readonly setting: (port: number, files: Files) => SinkSetting;
}

const tls = ({ ca, certificate, key }: Files) => ({ ca, certificate, key, serverName: null });

function otlp(isTls: boolean): Kind {
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

function syslog(isTls: boolean): Kind {
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

const KINDS: Readonly<Record<string, Kind>> = {
  'otlp over http': otlp(false),
  'otlp over https': otlp(true),
  'syslog over tcp': syslog(false),
  'syslog over tls': syslog(true),
};

async function trouble(rig: Rig, what: string): Promise<string> {
  await until(what, () => rig.sinks.states[0]?.status !== 'ok');
  return `${rig.sinks.states[0]!.status} ${rig.sinks.states[0]!.reason}`;
}

async function allArrived(t: Test, rig: Rig, receiver: Receiver, count: number): Promise<void> {
  await until('all is acknowledged', () => rig.acknowledged());
  const seqs = once(receiver.seqs());
  t.strictSame(seqs, upTo(count), 'each has arrived, in order');
  t.equal(rig.store.dead('siem', 100).length, 0, 'none is dead');
  await until('it is in order', () => rig.sinks.states[0]?.status === 'ok');
}

for (const [name, kind] of Object.entries(KINDS)) {
  const certificate = kind.isTls ? GOOD : null;

  t.test(`${name}: down at the start, and down later`, async (t) => {
    const receiver = kind.make(certificate);
    await receiver.up(t);
    receiver.down();
    const rig = new Rig(t);
    await rig.use(kind.setting(receiver.port, filesOf(t)));
    rig.deny(3);
    t.match(await trouble(rig, 'it waits'), /^waiting .*ECONNREFUSED/);
    await receiver.up(t);
    await allArrived(t, rig, receiver, 3);
    receiver.down();
    rig.deny(3);
    t.match(await trouble(rig, 'it waits again'), /^waiting /);
    await receiver.up(t);
    await allArrived(t, rig, receiver, 6);
  });

  for (const how of ['garbage', 'slow', 'reset', 'half'] as const) {
    t.test(`${name}: ${how}`, async (t) => {
      const receiver = kind.make(certificate);
      await receiver.up(t);
      receiver.fail(how);
      const rig = new Rig(t);
      await rig.use(kind.setting(receiver.port, filesOf(t)));
      rig.deny(4);
      t.match(await trouble(rig, 'it waits'), /^waiting /);
      receiver.mend();
      rig.deny(4);
      await allArrived(t, rig, receiver, 8);
    });
  }

  if (!kind.isTls) continue;

  t.test(`${name}: the sink's own certificate has ended, and is of a stranger`, async (t) => {
    const receiver = kind.make(GOOD);
    await receiver.up(t);
    const files = filesOf(t);
    files.show(clients.issue(ENDED as never));
    const rig = new Rig(t);
    await rig.use(kind.setting(receiver.port, files));
    rig.deny(2);
    t.match(await trouble(rig, 'it is refused'), /^refused its certificate has ended/);
    files.show(strangers.issue());
    await until('another fault', () => !/has ended/.test(rig.sinks.states[0]?.reason ?? ''));
    t.equal(receiver.seqs().length, 0);
    files.show(clients.issue());
    await rig.use(kind.setting(receiver.port, files));
    await allArrived(t, rig, receiver, 2);
  });

  t.test(`${name}: the receiver's certificate has ended`, async (t) => {
    const late = kind.make(LATE);
    await late.up(t);
    const rig = new Rig(t);
    await rig.use(kind.setting(late.port, filesOf(t)));
    rig.deny(2);
    t.match(await trouble(rig, 'it waits'), /^waiting .*(CERT_HAS_EXPIRED|expired)/);
    t.equal(late.seqs().length, 0, 'nothing was told to it');
    late.down();
    const receiver = kind.make(GOOD);
    receiver.port = late.port;
    await receiver.up(t);
    await allArrived(t, rig, receiver, 2);
  });
}

t.test('a file whose folder is none, and is one later', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-every-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const rig = new Rig(t);
  const path = join(folder, 'later', 'alerts.jsonl');
  writeFileSync(join(folder, 'later'), '');
  await rig.use({ ...TERMS, type: 'file', path, size: 1e6, keep: 1 });
  rig.deny(3);
  t.match(await trouble(rig, 'it waits'), /^waiting .*(ENOTDIR|EEXIST)/);
  rmSync(join(folder, 'later'));
  mkdirSync(join(folder, 'later'));
  await until('all is acknowledged', () => rig.acknowledged());
});

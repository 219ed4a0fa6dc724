/** A real server with an upstream of ours, for drivers that speak to it over sockets. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from '../server/client.ts';
import { type Namegate, namegate } from '../server/namegate.ts';

/** How an upstream answers: `send` takes what goes into a datagram, or, over TCP, onto the stream as it is. */
export type Answering = (
  asked: Buffer,
  over: 'udp' | 'tcp',
  send: (octets: Buffer) => void,
  elsewhere: (octets: Buffer) => void,
) => void;

/** Milliseconds in which a known good question is answered, whatever else happens. */
export const PATIENCE = 1000;

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1, "::1"] }
    allow:
      - { name: up.example, types: [A, AAAA, TXT, MX, SOA, NS], reason: approved }
      - { name: "**.up.example", reason: approved }
      - { name: "**.tcp.example", reason: approved and asked over TCP }
      - { name: www.example, types: [A, AAAA, TXT], reason: what the vectors ask about }
      - { name: probe.example, reason: to see whether it lives }
      - { name: redirected.example, reason: redirected }
records:
  - { name: probe.example, type: A, data: 192.0.2.1 }
redirects:
  - { name: redirected.example, to: there.up.example }
`;

/** A running server and its upstream. `close` ends both. */
export class Target {
  readonly server: Namegate;
  /** The slowest answer to a known good question, in milliseconds. */
  slowest = 0;
  readonly #ends: (() => unknown)[];

  private constructor(server: Namegate, ends: (() => unknown)[]) {
    this.server = server;
    this.#ends = ends;
  }

  static async start(answering: Answering): Promise<Target> {
    const ends: (() => unknown)[] = [];
    const folder = mkdtempSync(join(tmpdir(), 'namegate-target-'));
    const upstream = await MutatingUpstream.open(answering);
    const scope = { teardown: (end: () => unknown) => ends.push(end), testdir: () => folder };
    ends.push(() => upstream.close());
    const server = await namegate(scope, {
      policy: POLICY,
      // What a wildcard address hears may be forged: cookies take part.
      listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0', 'udp://[::1]:0', 'tcp://[::1]:0', 'udp://0.0.0.0:0'],
      servers: `[udp://127.0.0.1:${upstream.port}]`,
      groups: `  streams: { servers: ["tcp://127.0.0.1:${upstream.port}"], zones: [tcp.example] }`,
      // Small enough to be full after the warm-up, and no limit that clients here could reach.
      settings: 'cache: { size: 1MiB }\nlimits: { unknown_qps: 10000000, in_flight: 40000 }',
    });
    ends.push(() => rmSync(folder, { recursive: true }));
    return new Target(server, ends);
  }

  /** What is wrong with the server now, or null: it ended, met a bug, or does not answer in time. */
  async fault(over: 'udp' | 'tcp'): Promise<string | null> {
    const { server } = this;
    const bug = server.running ? server.events('fault')[0] : undefined;
    if (!server.running) return `the server ended: ${server.stderr.slice(-2000)}`;
    if (bug !== undefined) return `the server met a bug: ${JSON.stringify(bug)}`;
    for (let tries = 1; ; tries++) {
      const from = performance.now();
      const busy = processorMs(server.child.pid!);
      try {
        const reply = await ask(server, 'probe.example', { over, patience: 5 * PATIENCE });
        if (reply.answer[0]?.data !== '192.0.2.1') return `a known good question got ${reply.rcode}`;
      } catch (error) {
        if (!server.running) return `the server ended: ${server.stderr.slice(-2000)}`;
        return `a known good question over ${over}: ${String(error)}`;
      }
      const took = performance.now() - from;
      this.slowest = Math.max(this.slowest, took);
      if (took <= PATIENCE) return null;
      const used = processorMs(server.child.pid!) - busy;
      // A server that had no processor in that time is not what was slow, unless it is so again and again.
      if (used > took / 2 || tries === 5)
        return `a known good question over ${over} took ${Math.round(took)} ms, ${used} of them at work`;
    }
  }

  /** Ends it as an operator would; returns what is wrong with that, or with what it counted, or null. */
  async stop(): Promise<string | null> {
    const { server } = this;
    server.kill('SIGTERM');
    const { code, signal } = await server.ended;
    const stopped = server.events('stopped')[0] as { queries?: { bugs?: number } } | undefined;
    await this.close();
    if (code !== 0) return `the server ended with ${signal ?? code}: ${server.stderr.slice(-2000)}`;
    const bugs = stopped?.queries?.bugs;
    return bugs === 0 ? null : `the server met ${bugs} bugs: ${JSON.stringify(server.events('fault')[0])}`;
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

/** Milliseconds of processor time that a process has used; 0 where the system does not tell. */
function processorMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    // utime and stime, in ticks of 10 ms.
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return 0;
  }
}

/** UDP and TCP on one port of loopback. */
class MutatingUpstream {
  readonly port: number;
  readonly #udp: UdpSocket;
  readonly #elsewhere: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #closed = false;

  private constructor(udp: UdpSocket, elsewhere: UdpSocket, tcp: Server, answering: Answering) {
    this.port = udp.address().port;
    this.#udp = udp;
    this.#elsewhere = elsewhere;
    this.#tcp = tcp;
    udp.on('message', (asked, { port, address }) => {
      const from = (socket: UdpSocket) => (octets: Buffer) => {
        if (!this.#closed) socket.send(octets, port, address);
      };
      answering(asked, 'udp', from(udp), from(elsewhere));
    });
    // A client that is gone says so by ICMP.
    for (const socket of [udp, elsewhere]) socket.on('error', () => {});
    tcp.on('connection', (socket) => this.#serve(socket, answering));
  }

  static async open(answering: Answering): Promise<MutatingUpstream> {
    for (let tries = 0; tries < 20; tries++) {
      const udp = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
      await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
      const tcp = createServer({ noDelay: true });
      const opened = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false));
        tcp.listen(udp.address().port, '127.0.0.1', () => resolve(true));
      });
      const elsewhere = createSocket('udp4');
      await new Promise<void>((resolve) => elsewhere.bind(0, '127.0.0.1', resolve));
      if (opened) return new MutatingUpstream(udp, elsewhere, tcp, answering);
      udp.close();
      elsewhere.close();
    }
    throw new Error('no port is free for UDP and TCP');
  }

  #serve(socket: Socket, answering: Answering): void {
    this.#connections.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#connections.delete(socket));
    let rest: Buffer = Buffer.alloc(0);
    const send = (octets: Buffer): void => {
      if (!socket.destroyed) socket.write(octets);
    };
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        answering(Buffer.from(rest.subarray(2, end)), 'tcp', send, send);
        rest = rest.subarray(end);
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#elsewhere.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }
}

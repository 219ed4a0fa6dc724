import { X509Certificate } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import { describeShown } from '../../../src/identity/shown.ts';
import type { ListenNotice } from '../../../src/listen/listener.ts';
import type { TlsMaterial } from '../../../src/listen/stream/handshakes.ts';
import type { StreamCounters } from '../../../src/listen/stream/stream-limits.ts';
import { type TlsOptions, tls } from '../../../src/listen/stream/tls.ts';
import { Credential, type CredentialJudge, type Judgement } from '../../../src/resolve/client/credential.ts';
import { Authority, type Issued } from '../../identity/authority.ts';
import { Echo, StreamClient } from '../echo.ts';

/** Keys are made once a run; what they sign is made by each test. */
export const clientCa = new Authority({ name: 'clients' });
export const serverCa = new Authority({ name: 'servers' });
export const server = serverCa.issue({ dns: ['dns.example'], ips: ['127.0.0.1'], eku: ['serverAuth'] });
export const client = clientCa.issue({ name: 'client', dns: ['client.example'] });
export const other = clientCa.issue({ name: 'other', dns: ['other.example'] });
const intermediate = clientCa.intermediate();
export const below = intermediate.issue({ name: 'below', dns: ['below.example'] });

/** A judge that follows signatures up to `clientCa`, and refuses what is on its list. */
export class ListJudge implements CredentialJudge {
  readonly revoked: ReadonlySet<string>;
  readonly until: number;
  /** What was judged: how many certificates were shown. */
  readonly seen: number[] = [];
  readonly #map: ReadonlyMap<string, string>;

  constructor(revoked: readonly Issued[] = [], map: Readonly<Record<string, string>> = {}, until = 4e9) {
    this.revoked = new Set(revoked.map(({ sha256 }) => sha256));
    this.#map = new Map(Object.entries(map));
    this.until = until;
  }

  readonly describe = describeShown;

  judge(chain: readonly Uint8Array[], epoch: number): Judgement {
    this.seen.push(chain.length);
    const [leaf, ...rest] = chain.map((der) => new X509Certificate(der));
    const root = new X509Certificate(clientCa.pem);
    const fingerprint = leaf!.fingerprint256.replaceAll(':', '').toLowerCase();
    let at = leaf!;
    for (const next of rest) if (at.checkIssued(next) && at.verify(next.publicKey)) at = next;
    if (!at.verify(root.publicKey)) return { kind: 'refused', rule: 'chain', message: 'no chain' };
    if (this.revoked.has(fingerprint)) return { kind: 'refused', rule: 'revoked', message: 'revoked' };
    if (epoch >= this.until) return { kind: 'refused', rule: 'dates', message: 'it has ended' };
    const name = leaf!.subjectAltName ?? '';
    const names = [this.#map.get(name) ?? name, `sha256:${fingerprint}`];
    return { kind: 'accepted', credential: new Credential(names, null), until: this.until };
  }
}

export function material(change: Partial<TlsMaterial> = {}): TlsMaterial {
  return {
    certificate: server.pem,
    key: server.keyPem,
    clients: 'required',
    caPem: clientCa.pem,
    judge: new ListJudge(),
    ...change,
  };
}

/** An Echo that also notes the first name that each query's credential gives. */
export class NamedEcho extends Echo {
  readonly names: (string | null)[] = [];

  override answer(...[message, length, who, reply]: Parameters<Echo['answer']>): number {
    this.names.push(who.credential?.names[0] ?? null);
    return super.answer(message, length, who, reply);
  }
}

export async function rig(t: Test, options: Partial<TlsOptions> = {}) {
  const echo = new NamedEcho();
  const notices: ListenNotice[] = [];
  const listener = tls({
    host: '127.0.0.1',
    port: 0,
    answerer: echo,
    notice: (n) => notices.push(n),
    perClient: 1000,
    material: material(),
    ...options,
  });
  t.teardown(() => listener.close(0));
  await listener.start();
  const { port } = listener.address;
  const dial = async (how: Dial = {}): Promise<TlsClient> => {
    const dialled = await dialTls(port, how);
    t.teardown(() => dialled.close());
    return dialled;
  };
  const raw = (from?: { localAddress?: string }): Promise<StreamClient> => {
    const dialled = StreamClient.dial(port, from);
    t.teardown(async () => (await dialled).close());
    return dialled;
  };
  const counters = listener.counters as StreamCounters;
  return { listener, counters, echo, notices, port, dial, raw };
}

export interface Dial extends ConnectionOptions {
  /** Who dials; `client` unless said, null for no certificate. */
  readonly as?: Issued | null;
  /** Written in front of the handshake. */
  readonly before?: Buffer;
  readonly localAddress?: string;
  readonly allowHalfOpen?: boolean;
}

export interface TlsClient extends StreamClient {
  readonly socket: TLSSocket;
}

/** The session of each client, as soon as there is one. */
export const sessions = new WeakMap<Socket, Promise<Buffer>>();

/** Resolves when the handshake is done as the client sees it. Rejects with what failed. */
export function dialTls(
  port: number,
  { as = client, before, localAddress, allowHalfOpen = false, ...how }: Dial = {},
): Promise<TlsClient> {
  return new Promise((resolve, reject) => {
    const raw = connectTcp({
      port,
      host: '127.0.0.1',
      allowHalfOpen,
      ...(localAddress !== undefined && { localAddress }),
    });
    const failed = (error: Error): void => {
      raw.destroy();
      reject(error);
    };
    raw.on('error', failed);
    raw.on('connect', () => {
      if (before !== undefined) raw.write(before);
      const socket = connect({
        socket: raw,
        servername: 'dns.example',
        ca: serverCa.pem,
        ALPNProtocols: ['dot'],
        ...(as !== null && { cert: as.chainPem, key: as.keyPem }),
        ...how,
      });
      sessions.set(socket, new Promise((told) => socket.once('session', told)));
      const dialled = StreamClient.on(socket) as TlsClient;
      socket.once('error', failed);
      socket.once('close', () => failed(new Error('closed')));
      socket.once('secureConnect', () => resolve(dialled));
    });
  });
}

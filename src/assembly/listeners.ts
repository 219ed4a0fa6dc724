import { performance } from 'node:perf_hooks';
import type { SocketShares } from '../listen/descriptors.ts';
import { type Listener, type ListenNotice, listenerUrl, type UdpFactory } from '../listen/listener.ts';
import { listenerSamples } from '../listen/listener-samples.ts';
import { tcp } from '../listen/stream/tcp.ts';
import { type TlsListener, tls } from '../listen/stream/tls.ts';
import { batchedUdp } from '../listen/udp/udp.ts';
import { portableUdp } from '../listen/udp/udp-portable.ts';
import { counter, gauge, type Samples, single } from '../metric/metric.ts';
import type { Log } from '../report/log.ts';
import type { Readiness } from '../report/readiness.ts';
import type { Answerer } from '../resolve/ports.ts';
import type { ListenSetting } from '../settings/settings.ts';
import type { Native } from '../socket/native.ts';
import type { Prefix } from '../wire/prefix.ts';
import { type Milliseconds, unreachable } from '../wire/quantity.ts';
import { placesOf } from './places.ts';
import { CLOCK } from './system-clock.ts';
import type { Trusts } from './trust/trusts.ts';
import { sentToTcp, WithoutTcp } from './without-tcp.ts';

export interface ListenersOptions {
  readonly settings: readonly ListenSetting[];
  /** Of the TLS listeners; needed where there is one. */
  readonly trusts?: Trusts;
  readonly shares: SocketShares;
  readonly answerer: Answerer;
  readonly native: Native | string;
  readonly log: Log;
  /**
   * Told of the listeners that wait for their address, as URLs, at each change. Without it such an address is an error of
   * the start.
   */
  readonly waiting?: (urls: readonly string[]) => void;
  /** Told of clients without TCP; the stub has none. */
  readonly readiness?: Readiness;
}

/** Milliseconds between two tries to listen on an address that the machine does not have yet. */
const RETRY_MS: Milliseconds = 1_000;

/** Every listener of the server file: made, started, closed together; their trouble goes to the log. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #udp: UdpFactory;
  readonly #withoutTcp: WithoutTcp;
  readonly #tls = new Map<string, TlsListener>();
  readonly #places: readonly string[];
  readonly #all: Listener[];
  #trusts: Trusts | undefined;
  /** Indices of those that wait for their address. */
  readonly #late = new Set<number>();
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#udp = this.#chooseUdp();
    this.#withoutTcp = new WithoutTcp(options.log, options.readiness ?? null);
    this.#trusts = options.trusts;
    this.#places = placesOf(options.settings);
    this.#all = options.settings.map((setting, index) => this.#listener(setting, this.#places[index]!));
  }

  /** As URLs, in the order of the server file; ports are the real ones once `start` is done. */
  get urls(): string[] {
    return this.#all.map(listenerUrl);
  }

  /** Clients among some addresses that were sent from UDP to TCP and did not come. */
  withoutTcp(prefixes: readonly Prefix[]): readonly string[] {
    return this.#withoutTcp.clients.among(prefixes, performance.now());
  }

  /**
   * Resolves when all take queries, or wait for an address that the machine does not have: of a bridge that comes up later,
   * say. Those are tried again until they listen. Rejects with the system's error otherwise.
   */
  async start(): Promise<void> {
    for (const index of this.#all.keys()) {
      try {
        await this.#open(index);
      } catch (error) {
        if (this.#options.waiting === undefined || !isMissing(error)) throw error;
        const url = listenerUrl(this.#all[index]!);
        const text = `${url} is not an address of this machine: namegate listens there when it is`;
        this.#options.log.warn('listener-waits', text, { url });
        this.#late.add(index);
      }
    }
    if (this.#late.size > 0) this.#wait();
    this.#withoutTcp.start();
  }

  async #open(index: number): Promise<void> {
    const listener = this.#all[index]!;
    await listener.start();
    const url = listenerUrl(listener);
    const setting = this.#options.settings[index]!;
    const toTcp = setting.protocol === 'udp' ? sentToTcp(setting) : null;
    const fields = { url, ...listener.details, ...(toTcp !== null && { sent_to_tcp: toTcp }) };
    this.#options.log.info('listening', `listening on ${url}`, fields);
  }

  #wait(): void {
    this.#options.waiting?.([...this.#late].map((index) => listenerUrl(this.#all[index]!)));
    if (this.#late.size > 0) this.#retry = setTimeout(() => void this.#tryLate(), RETRY_MS);
  }

  async #tryLate(): Promise<void> {
    for (const index of [...this.#late]) {
      await this.#all[index]!.close(0);
      if (this.#closed) return;
      this.#all[index] = this.#listener(this.#options.settings[index]!, this.#places[index]!);
      try {
        await this.#open(index);
        this.#late.delete(index);
      } catch (error) {
        if (isMissing(error)) continue;
        const url = listenerUrl(this.#all[index]!);
        this.#options.log.error('listener-trouble', `trouble on ${url}`, { url, error });
      }
    }
    if (!this.#closed) this.#wait();
  }

  *samples(): Generator<Samples> {
    yield* listenerSamples(this.#all);
    yield single(STRANDED, this.#withoutTcp.clients.count);
    yield single(WAITING, this.#late.size);
  }

  /** Open streams of a lease that is over. */
  endLease(lease: string): void {
    for (const listener of this.#all) listener.endLease?.(lease);
  }

  async close(drainMs: Milliseconds): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#withoutTcp.stop();
    await Promise.all(this.#all.map((listener) => listener.close(drainMs)));
  }

  #listener(setting: ListenSetting, place: string): Listener {
    const { protocol, host, port } = setting;
    const { answerer, shares } = this.#options;
    const notice = (told: ListenNotice): void => this.#tell(`${protocol}://${host}:${port}`, told);
    const { clients: stranded } = this.#withoutTcp;
    const options = { host, port, answerer, notice, stranded, now: CLOCK.monotonic, epoch: CLOCK.epoch };
    switch (setting.protocol) {
      case 'udp':
        return this.#udp({ ...options, spoofable: setting.spoofable });
      case 'tcp':
        return tcp({ ...options, clients: shares.clients, proxyFrom: setting.proxyFrom });
      case 'tls': {
        const { material } = this.#trusts!.get(place)!;
        const listener = tls({ ...options, clients: shares.clients, proxyFrom: setting.proxyFrom, material });
        this.#tls.set(place, listener);
        return listener;
      }
      default:
        unreachable(setting);
    }
  }

  /** Certificates, keys, CAs and CRLs of a reload: see `TlsListener.update`. The listeners themselves stay as they are. */
  trust(trusts: Trusts): void {
    this.#trusts = new Map([...(this.#trusts ?? []), ...trusts]);
    const late = new Set([...this.#late].map((index) => this.#places[index]));
    for (const [place, listener] of this.#tls) {
      // It is made anew, with these, at the next try.
      if (late.has(place)) continue;
      const next = trusts.get(place);
      if (next !== undefined) listener.update(next.material);
    }
  }

  /** Batched where the machine can; where it cannot, the log says why. */
  #chooseUdp(): UdpFactory {
    const { native, log } = this.#options;
    if (typeof native !== 'string') return (options) => batchedUdp(native, options);
    const message = 'batched UDP is not to be had here; node:dgram serves, at more CPU a query';
    log.warn('portable-udp', message, { why: native });
    return portableUdp;
  }

  #tell(url: string, notice: ListenNotice): void {
    const { log } = this.#options;
    const { kind, ...what } = notice;
    const fields = { url, ...what };
    switch (kind) {
      case 'refused':
        log.warn('listener-refused', 'connections were refused at a cap', fields);
        break;
      case 'evicted':
        log.warn('listener-refused', 'silent connections made room at a cap', fields);
        break;
      case 'handshake':
        log.warn('handshake-failed', 'TLS handshakes failed', fields);
        break;
      case 'certificate':
        log.warn('client-certificate', 'a client certificate does not count', fields);
        break;
      case 'proxy':
        log.warn('proxy-header', 'a balancer sent no PROXY v2 header that can be read', fields);
        break;
      case 'fault':
        log.error('fault', `trouble on ${url}`, fields);
        break;
      case 'socket':
        log.error('listener-trouble', `trouble on ${url}`, fields);
        break;
      default:
        unreachable(kind);
    }
  }
}

const STRANDED = counter(
  'namegate_clients_without_tcp_total',
  'Clients that were sent from UDP to TCP and did not come.',
);
const WAITING = gauge('namegate_listeners_waiting', 'Listeners that wait for their address.');

/** An address that no interface of the machine has, or an IPv6 one that is still being checked for duplicates. */
function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL';
}

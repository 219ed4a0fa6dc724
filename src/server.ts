import { performance } from 'node:perf_hooks';
import { LruAnswerStore } from './cache/store.ts';
import { isLoaded, type Loaded, type LoadResult, load } from './config/load.ts';
import { isOurs, machineAddresses } from './config/ourselves.ts';
import { type Loading, loadInThread } from './config/thread.ts';
import { FileWatch } from './config/watch.ts';
import { descriptorLimit, type SocketShares, shareDescriptors } from './listen/descriptors.ts';
import { RateLimits } from './listen/limits.ts';
import { type Listener, type ListenNotice, listenerUrl, type UdpFactory } from './listen/listener.ts';
import { loadNative } from './listen/native.ts';
import { TCP_IDLE_MS, tcp } from './listen/tcp.ts';
import { batchedUdp } from './listen/udp.ts';
import { portableUdp } from './listen/udp-portable.ts';
import { release } from './policy/arrays.ts';
import { renewable } from './policy/renewable.ts';
import type { Snapshot } from './policy/snapshot.ts';
import type { Log } from './report/log.ts';
import { StoryObserver } from './report/observer.ts';
import { tellProblems } from './report/problems.ts';
import { Readiness } from './report/readiness.ts';
import { RestartNeeds } from './report/restart.ts';
import { StatusServer } from './report/status.ts';
import { groupRouter, type InForce } from './resolve/in-force.ts';
import type { Clock } from './resolve/ports.ts';
import { Renewals } from './resolve/renewals.ts';
import { Resolver } from './resolve/resolve.ts';
import type { ListenSetting, Settings } from './resolve/settings.ts';
import type { UpstreamEvent } from './upstream/event.ts';
import { Upstreams } from './upstream/forwarder.ts';

/** Milliseconds that answers in flight have when the server stops. */
const DRAIN_MS = 4_000;
const RENEWAL_TICK_MS = 200;
const GIVE_BACK_MS = 1_000;

export interface ServerOptions {
  readonly serverFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** 32 random bits for hash tables, the same for every load. */
  readonly salt: number;
}

/** Builds the rooms, plugs them together, starts them, swaps a snapshot, drains. */
export class Server {
  readonly readiness = new Readiness();
  readonly #options: ServerOptions;
  readonly #log: Log;
  readonly #observer: StoryObserver;
  readonly #limits = new RateLimits(crypto.getRandomValues(new Uint32Array(2)));
  readonly #upstreams: Upstreams;
  readonly #resolver: Resolver;
  readonly #renewals: Renewals;
  readonly #native = loadNative();
  readonly #udp: UdpFactory;
  readonly #listeners: Listener[];
  readonly #status: StatusServer | null;
  readonly #groupIds = new Map<string, number>();
  readonly #restart: RestartNeeds;
  #snapshot: Snapshot;
  #loading: Loading | null = null;
  /** Why another load is wanted when this one is done. */
  #again: string | null = null;
  #hash: string;
  #files: readonly string[];
  #watch: FileWatch | null = null;
  #renewTimer: NodeJS.Timeout | null = null;
  #stopping: Promise<void> | null = null;

  /** `first` is the load that the server starts with: one without errors. */
  constructor(options: ServerOptions, first: Loaded) {
    const { settings } = first;
    this.#options = options;
    this.#log = options.log;
    this.#restart = new RestartNeeds(settings);
    this.#snapshot = first.snapshot;
    this.#hash = first.hash;
    this.#files = first.files;
    this.#observer = new StoryObserver(options.log, () => performance.now());
    const shares = this.#shareDescriptors(settings);
    this.#upstreams = new Upstreams({
      groups: settings.upstreams,
      maxSockets: shares.upstreams,
      isOurs: (host, port) => isOurs(settings.listen, host, port, machineAddresses()),
      onEvent: (event) => this.#tellUpstream(event),
    });
    const inForce = this.#inForce(first);
    this.#resolver = new Resolver(
      {
        store: new LruAnswerStore(settings.cache.size),
        forwarder: this.#upstreams,
        clock: CLOCK,
        limits: this.#limits,
        observer: this.#observer,
      },
      inForce,
    );
    this.#renewals = new Renewals(this.#resolver.flights);
    this.#udp = this.#chooseUdp();
    this.#listeners = settings.listen.map((listen) => this.#listener(listen, shares.clients));
    this.#status =
      settings.metrics === null
        ? null
        : new StatusServer({
            ...settings.metrics,
            readiness: this.readiness,
            notice: (error) =>
              this.#log.warn('listener-trouble', 'the status listener had trouble', { error }),
          });
    this.#putInForce(first, inForce);
  }

  /** Where it listens, as URLs; ports are the real ones once `start` is done. */
  get urls(): string[] {
    return this.#listeners.map(listenerUrl);
  }

  /** Where /health and /ready are, or null. */
  get statusUrl(): string | null {
    if (this.#status === null) return null;
    const { host, port } = this.#status.address;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** Resolves when every listener takes queries. Rejects with the system's error, `listener` named in its message. */
  async start(): Promise<void> {
    await this.#status?.start();
    for (const listener of this.#listeners) {
      await listener.start();
      this.#log.info('listening', `listening on ${listenerUrl(listener)}`, {
        url: listenerUrl(listener),
        ...listener.details,
      });
    }
    this.#watch = new FileWatch({
      files: () => this.#files,
      hash: () => this.#hash,
      onChange: () => this.reload('a file changed'),
      onError: (error) =>
        this.#log.warn('watch-trouble', 'file events do not work here; files are polled', { error }),
    });
    this.#renewTimer = setInterval(() => this.#renew(), RENEWAL_TICK_MS);
    this.#renewTimer.unref();
    this.#giveBackMemory();
    this.readiness.clear('starting');
    this.#log.info('ready', 'ready');
  }

  /**
   * Reads everything anew, beside the query path. It comes into force whole, or the last good one stays and the problems
   * are told. A call while a load runs leads to another load after it.
   */
  reload(why: string): void {
    if (this.#stopping !== null) return;
    if (this.#loading !== null) {
      this.#again = why;
      return;
    }
    const started = performance.now();
    const { serverFile, env, salt } = this.#options;
    const options = { env, now: CLOCK.epoch(), salt };
    this.#loading = loadInThread(serverFile, options);
    this.#loading.result
      .catch((error: unknown) => {
        if (this.#stopping === null) {
          this.#log.warn('fault', 'no thread could load the change; it is loaded in place', { error });
        }
        return load(serverFile, options);
      })
      .then((result) => this.#take(result, why, started))
      .catch((error: unknown) =>
        this.#log.error('fault', 'a reload met a bug; the last good policy stays', { error }),
      )
      .finally(() => {
        this.#loading = null;
        const again = this.#again;
        this.#again = null;
        if (again !== null) this.reload(again);
      });
  }

  #take(result: LoadResult, why: string, started: number): void {
    if (this.#stopping !== null) return;
    this.#files = result.files;
    if (result.hash === this.#hash) return;
    this.#hash = result.hash;
    tellProblems(this.#log, result.problems);
    if (!isLoaded(result)) {
      const errors = result.problems.filter(({ severity }) => severity === 'error');
      this.readiness.reloadFailed(CLOCK.epoch(), errors);
      this.#log.error('reload-failed', 'the change is not in force: the last good policy stays', {
        why,
        problems: errors.length,
      });
      return;
    }
    for (const key of this.#restart.changed(result.settings)) {
      this.#log.warn('restart-needed', `the change of ${key} needs a restart; the old value stays`, { key });
    }
    this.#upstreams.configure(result.settings.upstreams);
    const inForce = this.#inForce(result);
    this.#resolver.swap(inForce);
    this.#putInForce(result, inForce);
    release(this.#snapshot);
    this.#giveBackMemory();
    this.#snapshot = result.snapshot;
    this.readiness.reloadDone();
    this.#log.info('policy-loaded', 'a new policy is in force', {
      why,
      identities: result.snapshot.identities.length,
      rules: result.snapshot.rules.count,
      views: result.snapshot.views.length,
      ms: Math.round(performance.now() - started),
    });
  }

  /** Stops taking queries, lets those in flight end, closes everything. */
  stop(why: string): Promise<void> {
    this.#stopping ??= this.#drain(why);
    return this.#stopping;
  }

  async #drain(why: string): Promise<void> {
    this.#log.info('stopping', 'draining', { why, waiting: this.#resolver.waiting });
    this.readiness.raise('stopping', 'the server is stopping');
    this.#loading?.stop();
    if (this.#renewTimer !== null) clearInterval(this.#renewTimer);
    await this.#watch?.close();
    await Promise.all(this.#listeners.map((listener) => listener.close(DRAIN_MS)));
    this.#upstreams.close();
    await this.#status?.close();
    this.#log.info('stopped', 'stopped', {
      queries: this.#observer.report(),
      lost_log_lines: this.#log.dropped,
    });
  }

  #inForce({ settings, snapshot }: Loaded): InForce {
    const { upstreams, replies, cache, limits } = settings;
    return {
      snapshot,
      replies,
      cache,
      limits,
      keepalive: TCP_IDLE_MS / 100,
      groupOf: groupRouter(upstreams),
      groupIds: upstreams.map(({ name }) => this.#groupId(name)),
    };
  }

  #groupId(name: string): number {
    let id = this.#groupIds.get(name);
    if (id === undefined) {
      id = this.#groupIds.size;
      this.#groupIds.set(name, id);
    }
    return id;
  }

  /** What hangs on the policy beside the resolver itself. */
  #putInForce({ settings, snapshot }: Loaded, inForce: InForce): void {
    const { limits, renew } = settings;
    this.#limits.configure({
      identities: snapshot.identities.map(({ name, limits: { qps, burst } }) => ({ name, qps, burst })),
      unknownQps: limits.unknownQps,
    });
    const now = CLOCK.epoch();
    const names = renew === null ? [] : renewable(snapshot, renew.names, renew.max, now).slice(0, renew.max);
    this.#renewals.configure(names, inForce);
    this.readiness.setAudit(
      snapshot.identities.map(({ name, auditUntil }) => ({ identity: name, until: auditUntil })),
    );
  }

  #shareDescriptors({ listen, limits: { tcpClients, inFlight } }: Settings): SocketShares {
    const listeners = listen.filter(({ protocol }) => protocol === 'tcp').length;
    const limit = descriptorLimit();
    const wanted = { listeners, clients: tcpClients, upstreams: Math.max(4096, inFlight) };
    const shares = shareDescriptors(limit, wanted);
    if (shares.scarce) {
      const fields = { open_files: limit, tcp_clients: shares.clients, upstream_sockets: shares.upstreams };
      this.#log.warn('descriptor-limit', 'the limit on open files is too low for the limits set', fields);
    }
    return shares;
  }

  #listener({ protocol, host, port }: ListenSetting, clients: number): Listener {
    const notice = (told: ListenNotice): void => this.#tellListener(`${protocol}://${host}:${port}`, told);
    const options = { host, port, answerer: this.#resolver, notice };
    return protocol === 'udp' ? this.#udp(options) : tcp({ ...options, clients });
  }

  #renew(): void {
    try {
      this.#renewals.tick(CLOCK.monotonic(), CLOCK.epoch());
    } catch (error) {
      this.#observer.bug(error);
    }
  }

  /** What the loading thread used is free when the thread is gone; then the system may have it back. */
  #giveBackMemory(): void {
    const native = this.#native;
    if (typeof native !== 'string') setTimeout(() => native.giveBackMemory(), GIVE_BACK_MS).unref();
  }

  /** Batched where the machine can; where it cannot, the log says why. */
  #chooseUdp(): UdpFactory {
    const native = this.#native;
    if (typeof native !== 'string') return (options) => batchedUdp(native, options);
    this.#log.warn(
      'portable-udp',
      'batched UDP is not to be had here; node:dgram serves, at more CPU a query',
      {
        why: native,
      },
    );
    return portableUdp;
  }

  #tellListener(url: string, notice: ListenNotice): void {
    const { kind, count } = notice;
    if (kind === 'refused') {
      const { cap, client } = notice;
      this.#log.warn('listener-refused', 'connections were refused at a cap', { url, cap, client, count });
    } else if (kind === 'evicted') {
      const { cap } = notice;
      this.#log.warn('listener-refused', 'silent connections made room at a cap', { url, cap, count });
    } else {
      this.#log.error(kind === 'fault' ? 'fault' : 'listener-trouble', `trouble on ${url}`, {
        url,
        count,
        error: notice.error,
      });
    }
  }

  #tellUpstream(event: UpstreamEvent): void {
    const { kind, ...fields } = event;
    const event_ =
      kind === 'server-down' ? 'upstream-down' : kind === 'server-up' ? 'upstream-up' : 'upstream-changed';
    const grave = kind === 'server-down' || kind === 'sockets-exhausted';
    this.#log[grave ? 'warn' : 'info'](event_, `upstream: ${kind}`, { kind, ...fields });
  }
}

const CLOCK: Clock = {
  monotonic: () => performance.now(),
  epoch: () => Date.now() / 1000,
};

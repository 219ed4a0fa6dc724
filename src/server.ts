import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Admin } from './admin/admin.ts';
import { Chores } from './assembly/chores.ts';
import { CrlWatch } from './assembly/crl-watch.ts';
import { Listeners } from './assembly/listeners.ts';
import { type Outcome, Reloads } from './assembly/reloads.ts';
import { shareSockets } from './assembly/socket-shares.ts';
import { TrustInForce } from './assembly/trust-in-force.ts';
import type { TrustBuilder, Vetted } from './assembly/trusts.ts';
import { tellUpstream, watchUpstreams } from './assembly/upstream-log.ts';
import { within } from './assembly/within.ts';
import { RingAnswerStore } from './cache/store.ts';
import { isLoaded, type Loaded, type LoadResult } from './config/load.ts';
import { isOurs, machineAddresses } from './config/server/ourselves.ts';
import { RateLimits } from './listen/limits.ts';
import { loadNative } from './listen/native.ts';
import { TCP_IDLE_MS } from './listen/tcp.ts';
import { release } from './policy/arrays.ts';
import { LeaseTable } from './policy/lease.ts';
import { isError, type Problem } from './policy/problem.ts';
import { renewable } from './policy/renewable.ts';
import type { Snapshot } from './policy/snapshot.ts';
import type { Log } from './report/log.ts';
import { StoryObserver } from './report/observer.ts';
import { knownWarnings, tellProblems } from './report/problems.ts';
import { Readiness } from './report/readiness.ts';
import { RestartNeeds } from './report/restart.ts';
import { StatusServer } from './report/status.ts';
import { Cookies } from './resolve/client/cookies.ts';
import { Renewals } from './resolve/flights/renewals.ts';
import { buildInForce, type InForce } from './resolve/in-force.ts';
import type { Clock } from './resolve/ports.ts';
import { Resolver } from './resolve/story/story.ts';
import type { AdminSetting } from './settings/settings.ts';
import { Upstreams } from './upstream/forwarder.ts';

/** Milliseconds that answers in flight have when the server stops. */
const DRAIN_MS = 4_000;
const RENEWAL_TICK_MS = 200;
/** Milliseconds that files and sockets have to close when the drain is over. */
const CLOSE_MS = 800;
const GIVE_BACK_MS = 1_000;
const CRL_LOOK_MS = 60_000;
/** A server cookie lives an hour, and the secret before the present one is kept. */
const ROLL_COOKIES_MS = 12 * 3_600_000;

export interface ServerOptions {
  readonly serverFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** What made the trust of the first load. */
  readonly trust: TrustBuilder;
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
  readonly #leases = new LeaseTable();
  readonly #cookies = new Cookies(randomBytes(16));
  readonly #native = loadNative();
  readonly #listeners: Listeners;
  readonly #status: StatusServer | null;
  readonly #admin: Admin | null;
  readonly #groupIds = new Map<string, number>();
  readonly #restart: RestartNeeds;
  readonly #reloads: Reloads;
  /** Warnings that were told. */
  readonly #warned: Set<string>;
  readonly #crls: CrlWatch;
  readonly #trust: TrustInForce;
  readonly #chores = new Chores();
  #snapshot: Snapshot;
  #present: InForce;
  #stopping: Promise<void> | null = null;

  /** `first` is the load that the server starts with: one without errors. */
  constructor(options: ServerOptions, first: Loaded & Vetted) {
    const { settings, trusts } = first;
    this.#options = options;
    this.#log = options.log;
    this.#restart = new RestartNeeds(settings);
    this.#snapshot = first.snapshot;
    this.#warned = knownWarnings(first.problems);
    this.#observer = new StoryObserver(options.log, () => performance.now());
    const shares = shareSockets(settings, options.log);
    this.#upstreams = new Upstreams({
      groups: settings.upstreams,
      maxSockets: shares.upstreams,
      native: this.#native,
      isOurs: (host, port) => isOurs(settings.listen, host, port, machineAddresses()),
      onEvent: (event) => tellUpstream(options.log, event),
    });
    const inForce = this.#inForce(first);
    this.#present = inForce;
    this.#resolver = new Resolver(
      {
        store: new RingAnswerStore(settings.cache.size),
        forwarder: this.#upstreams,
        clock: CLOCK,
        limits: this.#limits,
        observer: this.#observer,
        leases: this.#leases,
        cookies: this.#cookies,
      },
      inForce,
    );
    this.#renewals = new Renewals(this.#resolver.flights);
    this.#listeners = new Listeners({
      settings: settings.listen,
      trusts,
      shares,
      answerer: this.#resolver,
      native: this.#native,
      log: options.log,
      waiting: (urls) => this.readiness.setWaiting(urls),
      readiness: this.readiness,
    });
    const { serverFile, env, salt, log } = options;
    this.#admin = settings.admin === null ? null : this.#buildAdmin(settings.admin, first);
    const loadOptions = () => ({
      env,
      salt,
      now: CLOCK.epoch(),
      exceptions: this.#admin?.exceptions ?? [],
    });
    this.#crls = new CrlWatch(log, this.readiness);
    const own = { builder: options.trust, listeners: this.#listeners, crls: this.#crls, log };
    const rooms = { ...own, readiness: this.readiness, epoch: CLOCK.epoch };
    const designate = (designations: InForce['designations']) =>
      this.#swap({ ...this.#present, designations });
    this.#trust = new TrustInForce({ ...rooms, designate }, settings.listen, trusts);
    this.#reloads = new Reloads(
      {
        serverFile,
        loadOptions,
        log,
        take: (result, why, ms) => this.#take(result, why, ms),
        listen: () => this.#trust.listen,
        takeTrust: (listen, whole, ms) => this.#trust.change(listen, whole, ms),
      },
      first,
    );
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
    return this.#listeners.urls;
  }

  /** Where the admin API is asked; empty without one. */
  get adminUrls(): readonly string[] {
    return this.#admin?.urls ?? [];
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
    // What was leased before a restart is in force before anybody is answered.
    await this.#admin?.open();
    await this.#listeners.start();
    await this.#admin?.start();
    this.#reloads.start();
    watchUpstreams(this.#upstreams, this.readiness, this.#chores);
    this.#chores.every(RENEWAL_TICK_MS, () => this.#renew());
    this.#chores.every(CRL_LOOK_MS, () => this.#crls.look(CLOCK.epoch()));
    this.#chores.every(ROLL_COOKIES_MS, () => this.#cookies.roll(randomBytes(16)));
    this.#giveBackMemory();
    this.readiness.clear('starting');
    this.#log.info('ready', 'ready');
  }

  /**
   * Reads everything anew, beside the query path. It comes into force whole, or the last good one stays and the problems
   * are told. Resolves with what became of it.
   */
  reload(why: string): Promise<Outcome> {
    return this.#reloads.outcome(why);
  }

  #take(read: LoadResult, why: string, ms: number): boolean {
    const result = this.#options.trust.vet(read, CLOCK.epoch());
    tellProblems(this.#log, result.problems, this.#warned);
    if (!isLoaded(result)) return this.#refuse(result.problems, why);
    for (const key of this.#restart.changed(result.settings)) {
      this.#log.warn('restart-needed', `the change of ${key} needs a restart; the old value stays`, { key });
    }
    this.#upstreams.configure(result.settings.upstreams);
    const inForce = this.#inForce(result);
    this.#swap(inForce);
    this.#trust.take(result.settings.listen, result.trusts);
    this.#admin?.configure(result.snapshot, result.settings.admin, result.settings.exceptions);
    this.#putInForce(result, inForce);
    release(this.#snapshot, setImmediate);
    this.#giveBackMemory();
    this.#snapshot = result.snapshot;
    this.readiness.reloadDone();
    this.#log.info('policy-loaded', 'a new policy is in force', {
      why,
      identities: result.snapshot.identities.length,
      rules: result.snapshot.rules.count,
      views: result.snapshot.views.length,
      ms,
    });
    return true;
  }

  #swap(inForce: InForce): void {
    this.#present = inForce;
    this.#resolver.swap(inForce);
  }

  /** What was read is not for use: it is told, and the last good one stays. */
  #refuse(problems: readonly Problem[], why: string): false {
    const errors = problems.filter(isError);
    this.readiness.reloadFailed(CLOCK.epoch(), errors);
    const message = 'the change is not in force: the last good policy stays';
    this.#log.error('reload-failed', message, { why, problems: errors.length });
    return false;
  }

  /** Stops taking queries, lets those in flight end, closes everything. */
  stop(why: string): Promise<void> {
    this.#stopping ??= this.#drain(why);
    return this.#stopping;
  }

  async #drain(why: string): Promise<void> {
    this.#log.info('stopping', 'draining', { why, waiting: this.#resolver.waiting });
    this.readiness.raise('stopping', 'the server is stopping');
    this.#chores.stop();
    const closed = Promise.all([
      this.#reloads.close(),
      this.#admin?.close(),
      this.#listeners.close(DRAIN_MS).then(() => this.#upstreams.close()),
    ]).then(() => this.#status?.close());
    if (!(await within(DRAIN_MS + CLOSE_MS, closed)))
      this.#log.warn('listener-trouble', 'what did not close in time is left', {});
    this.#log.info('stopped', 'stopped', {
      queries: this.#observer.report(),
      lost_log_lines: this.#log.dropped,
    });
  }

  #inForce({ settings, snapshot, trusts }: Loaded & Vetted): InForce {
    const { upstreams, replies, cache, limits } = settings;
    const parts = {
      snapshot,
      replies,
      cache,
      limits,
      keepalive: TCP_IDLE_MS / 100,
      designations: [...trusts.values()].flatMap(({ designation }) => designation ?? []),
      groupIds: upstreams.map(({ name }) => this.#groupId(name)),
    };
    return buildInForce(parts, upstreams, this.#present ?? null);
  }

  #groupId(name: string): number {
    let id = this.#groupIds.get(name);
    if (id === undefined) {
      id = this.#groupIds.size;
      this.#groupIds.set(name, id);
    }
    return id;
  }

  #buildAdmin(setting: AdminSetting, { settings, snapshot }: Loaded): Admin {
    const { tally } = this.#resolver;
    return new Admin({
      setting,
      state: settings.state,
      exceptions: settings.exceptions,
      snapshot,
      leases: this.#leases,
      clock: CLOCK,
      log: this.#log,
      ports: {
        countsOf: (lease) => tally.of(lease),
        leaseEnded: (lease) => {
          this.#listeners.endLease(lease);
          tally.forget(lease);
        },
        recompile: () => this.#reloads.outcome('an exception changed'),
        readiness: this.readiness,
      },
    });
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
}

const CLOCK: Clock = {
  monotonic: () => performance.now(),
  epoch: () => Date.now() / 1000,
};

import { randomBytes } from 'node:crypto';
import { Admin } from './admin/admin.ts';
import { Chores, SYSTEM_TIMERS } from './assembly/chores.ts';
import { closeRooms } from './assembly/close-rooms.ts';
import { FeedRoom } from './assembly/feed/feed-room.ts';
import { type FirewallRoom, firewallOf } from './assembly/firewall/firewall-room.ts';
import { LedgerRoom } from './assembly/ledger/ledger-room.ts';
import { Listeners } from './assembly/listeners.ts';
import { giveBackMemory, giveBackSnapshot, trimChore } from './assembly/memory.ts';
import { ReloadRoom } from './assembly/reload-room.ts';
import type { LoadOutcome } from './assembly/reloads.ts';
import type { ServerOptions } from './assembly/server-options.ts';
import { leasePorts, listensAt, StoryInForce } from './assembly/serving.ts';
import { servingChores } from './assembly/serving-chores.ts';
import { shareSockets } from './assembly/socket-shares.ts';
import { StatusRoom } from './assembly/status-room.ts';
import { CLOCK, TIME } from './assembly/system-clock.ts';
import type { Vetted } from './assembly/trust/trusts.ts';
import { tellUpstream, watchUpstreams } from './assembly/upstream-log.ts';
import { RingAnswerStore } from './cache/store.ts';
import type { Loaded } from './config/loaded.ts';
import { RateLimits } from './listen/limits.ts';
import { LeaseTable } from './policy/lease/lease.ts';
import type { Log } from './report/log.ts';
import { StoryObserver } from './report/observer.ts';
import { Readiness } from './report/readiness.ts';
import { Cookies } from './resolve/client/cookies.ts';
import { Renewals } from './resolve/flights/renewals.ts';
import { Charges } from './resolve/ledger/charges.ts';
import { Resolver } from './resolve/story/resolver.ts';
import type { AdminSetting } from './settings/settings.ts';
import { loadNative } from './socket/linux-native.ts';
import { Upstreams } from './upstream/forwarder.ts';
import type { Milliseconds } from './wire/quantity.ts';

/** Milliseconds that answers in flight have when the server stops. */
const DRAIN_MS: Milliseconds = 4_000;
/** Milliseconds that files and sockets have to close when the drain is over. */
const CLOSE_MS: Milliseconds = 800;

/** Builds the rooms, plugs them together, starts them, swaps a snapshot, drains. */
export class NamegateServer {
  readonly readiness = new Readiness();
  readonly #log: Log;
  readonly #observer: StoryObserver;
  readonly #limits = new RateLimits(crypto.getRandomValues(new Uint32Array(2)));
  readonly #upstreams: Upstreams;
  readonly #resolver: Resolver;
  readonly #renewals: Renewals;
  readonly #leases = new LeaseTable();
  readonly #cookies = new Cookies(randomBytes(16));
  readonly #feed: FeedRoom;
  readonly #ledger: LedgerRoom;
  readonly #charges: Charges;
  readonly #firewall: FirewallRoom | null;
  readonly #state: string;
  readonly #native = loadNative();
  readonly #listeners: Listeners;
  readonly #status: StatusRoom;
  readonly #admin: Admin | null;
  readonly #reload: ReloadRoom;
  readonly #chores: Chores;
  #stopping: Promise<void> | null = null;

  /** `first` is the load that the server starts with: one without errors. */
  constructor(options: ServerOptions, first: Loaded & Vetted) {
    const { settings, trusts } = first;
    this.#log = options.log;
    this.#observer = new StoryObserver(options.log, CLOCK.monotonic);
    this.#feed = new FeedRoom(first, {
      log: options.log,
      readiness: this.readiness,
      version: options.version,
      observer: this.#observer,
    });
    this.#chores = new Chores(SYSTEM_TIMERS, (error) => this.#observer.bug(error));
    const shares = shareSockets(settings, options.log);
    this.#upstreams = new Upstreams({
      groups: settings.upstreams,
      maxSockets: shares.upstreams,
      native: this.#native,
      isOurs: listensAt(first),
      time: TIME,
      onEvent: (event) => tellUpstream(options.log, event),
    });
    const story = new StoryInForce(first);
    this.#state = settings.state;
    this.#ledger = new LedgerRoom({
      monotonic: CLOCK.monotonic,
      log: options.log,
      readiness: this.readiness,
      bug: (error) => this.#observer.bug(error),
      isAudited: (identity) => story.isAudited(identity, CLOCK.epoch()),
      crossed: (facts) => this.#feed.crossed(facts),
    });
    const { keeper } = this.#ledger;
    this.#charges = new Charges(keeper.ledger, keeper, keeper.key);
    const store = new RingAnswerStore(settings.cache.size);
    this.#firewall = firewallOf(settings.enforce, {
      clock: CLOCK,
      leases: this.#leases,
      inForce: story.present,
      log: options.log,
      readiness: this.readiness,
      salt: options.salt,
      bug: (error) => this.#observer.bug(error),
      listen: settings.listen,
      tell: (note) => this.#feed.guarded(note),
    });
    this.#resolver = new Resolver(
      {
        store,
        forwarder: this.#upstreams,
        clock: CLOCK,
        limits: this.#limits,
        observer: this.#feed,
        leases: this.#leases,
        cookies: this.#cookies,
        charges: this.#charges,
        gate: this.#firewall?.gate ?? null,
      },
      story.present,
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
    this.#reload = new ReloadRoom(
      {
        serverFile,
        loadOptions,
        builder: options.trust,
        story,
        resolver: this.#resolver,
        limits: this.#limits,
        renewals: this.#renewals,
        upstreams: this.#upstreams,
        feed: this.#feed,
        listeners: this.#listeners,
        admin: this.#admin,
        readiness: this.readiness,
        firewall: this.#firewall,
        log,
        epoch: CLOCK.epoch,
        taken: (before) => {
          giveBackSnapshot(before, this.#native);
          giveBackMemory(this.#native);
        },
      },
      first,
    );
    const counting = [this.#observer, store, this.#upstreams, this.#listeners, this.#limits];
    this.#status = new StatusRoom(settings.metrics, {
      rooms: [
        ...counting,
        this.#reload.crls,
        this.#reload.certificates,
        this.#admin,
        this.#feed,
        this.#firewall,
      ],
      story,
      ledger: keeper,
      resolver: this.#resolver,
      readiness: this.readiness,
      log,
      version: options.version,
      epoch: CLOCK.epoch,
    });
  }

  /** Where it listens, as URLs; ports are the real ones once `start` is done. */
  get urls(): string[] {
    return this.#listeners.urls;
  }

  /** Where the admin API is asked; empty without one. */
  get adminUrls(): readonly string[] {
    return this.#admin?.urls ?? [];
  }

  /** Where /health, /ready and /metrics are, or null. */
  get statusUrl(): string | null {
    return this.#status.url;
  }

  /** Resolves when every listener takes queries. Rejects with the system's error, `listener` named in its message. */
  async start(): Promise<void> {
    await this.#status.start();
    await this.#ledger.open(this.#state, this.#admin !== null);
    this.#charges.takeUp(this.#ledger.keeper.key, performance.now());
    this.#feed.open(this.#ledger.isLocked ? this.#state : null);
    // What was leased before a restart is in force before anybody is answered.
    await this.#admin?.open();
    await this.#firewall?.start();
    this.#feed.allLeasesTold();
    await this.#feed.caughtUp();
    await this.#listeners.start();
    await this.#admin?.start();
    this.#reload.reloads.start();
    watchUpstreams(this.#upstreams, this.readiness, this.#chores);
    this.#chores.start(
      servingChores({
        clock: CLOCK,
        renewals: this.#renewals,
        resolver: this.#resolver,
        ledger: this.#charges,
        crls: this.#reload.crls,
        certificates: this.#reload.certificates,
        cookies: this.#cookies,
        observer: this.#observer,
        secret: () => randomBytes(16),
      }),
    );
    this.#chores.start(this.#ledger.chores());
    this.#chores.start(this.#feed.chores());
    this.#chores.start(this.#firewall?.chores() ?? []);
    this.#chores.start([trimChore(this.#native, process.memoryUsage.rss)]);
    giveBackMemory(this.#native);
    this.readiness.clear('starting');
    this.#log.info('ready', 'ready');
  }

  /**
   * Reads everything anew, beside the query path. It comes into force whole, or the last good one stays and the problems
   * are told. Resolves with what became of it.
   */
  async reload(why: string): Promise<LoadOutcome> {
    const outcome = await this.#reload.reloads.outcome(why);
    // Whoever sends SIGHUP may have moved a file of the alert feed away, whether or not the configuration has changed.
    this.#feed.renew();
    return outcome;
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
    const left = await closeRooms(DRAIN_MS + CLOSE_MS, [
      [
        ['the watch of files', () => this.#reload.reloads.close()],
        ['the API', () => this.#admin?.close()],
        ['listeners', () => this.#listeners.close(DRAIN_MS).then(() => this.#upstreams.close())],
      ],
      [['the way to the enforcer', () => this.#firewall?.close()]],
      [['the ledger', () => this.#ledger.tell()]],
      [['the alert feed', () => this.#feed.close()]],
      [['the ledger', () => this.#ledger.close()]],
      [['the status listener', () => this.#status.close()]],
    ]);
    if (left.length > 0) this.#log.warn('listener-trouble', 'what did not close in time is left', { left });
    this.#log.info('stopped', 'stopped', {
      queries: this.#observer.report(),
      lost_log_lines: this.#log.dropped,
    });
  }

  #buildAdmin(setting: AdminSetting, { settings, snapshot }: Loaded): Admin {
    return new Admin({
      setting,
      state: settings.state,
      isLocked: true,
      exceptions: settings.exceptions,
      snapshot,
      leases: this.#leases,
      clock: CLOCK,
      log: this.#log,
      ports: {
        ...leasePorts(this.#resolver.tally, this.#listeners),
        explain: (...question) => this.#resolver.explain(...question),
        recompile: () => this.#reload.reloads.outcome('an exception changed'),
        ledger: this.#ledger.keeper,
        alerts: this.#feed,
        history: this.#feed,
        account: this.#feed,
        readiness: this.readiness,
        enforced: this.#firewall?.settled,
        grants: this.#firewall ?? undefined,
      },
    });
  }
}

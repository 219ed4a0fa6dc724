import { Journal, journalPath, type Replay } from '../journal/journal.ts';
import { FolderLock } from '../journal/lock.ts';
import { byLabel, counter, gauge, type Samples, single } from '../metric/metric.ts';
import type { LeaseTable } from '../policy/lease/lease.ts';
import type { LeaseAccount } from '../policy/lease/lease-note.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Log } from '../report/log.ts';
import type { Clock } from '../resolve/ports.ts';
import type { AdminSetting, ExceptionSetting } from '../settings/settings.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { AlertDesk } from './alerts/alert-routes.ts';
import { ClockWatch } from './clock-watch.ts';
import { ExceptionBook, type RecompileResult } from './exceptions/exception-book.ts';
import type { ExceptionEntry, StoredException } from './exceptions/exception-record.ts';
import type { GrantDesk } from './grants/grant-routes.ts';
import type { HistoryDesk } from './history/history-routes.ts';
import type { Api } from './http/api.ts';
import { doubtfulLeases, type JournalPorts, tellFault, tellReplay } from './journal-report.ts';
import { LeaseBook } from './leases/lease-book.ts';
import type { LeaseEntry } from './leases/lease-record.ts';
import type { LedgerDesk } from './ledger/ledger-view.ts';
import type { Explain } from './policy/policy-routes.ts';

/** Between two looks for leases whose time has run out, so that their streams are closed, and at the clock. */
const LOOK_MS: Milliseconds = 500;
/** Looks between two tries to write down what could not be written. */
const RETRY_LOOKS = 10;

/** What the rest of the server does for this room. */
export interface AdminPorts {
  readonly ledger: LedgerDesk;
  readonly alerts: AlertDesk;
  readonly history: HistoryDesk;
  /** What is granted; absent without a firewall. */
  readonly grants?: GrantDesk | undefined;
  /** Questions under a lease, by verdict. */
  readonly countsOf: (lease: string) => Readonly<Record<string, number>>;
  /** Clients among some addresses that were sent from UDP to TCP and did not come: they may know no TCP. */
  readonly withoutTcp: (prefixes: readonly Prefix[]) => readonly string[];
  /** Explains a question of an identity at a stage, with what is so now. `name`: a wire name in lower case. */
  readonly explain: Explain;
  /** Resolves when the firewall has what leases changed, or does not answer in time; absent without one. */
  readonly enforced?: (() => Promise<void>) | undefined;
  /** A lease is over: its open streams close. */
  readonly leaseEnded: (lease: string) => void;
  readonly account?: LeaseAccount;
  /** Loads the policy with `Admin.exceptions`, and puts it in force if it is good. One call at a time. */
  readonly recompile: () => Promise<RecompileResult>;
  /** What `/v1/health` says beside, and what it is told of the journal. */
  readonly readiness: JournalPorts & {
    readonly ready: boolean;
    readonly report: () => object;
  };
}

export interface AdminOptions {
  readonly setting: AdminSetting;
  /** Absolute path of the state folder. */
  readonly state: string;
  /** The caller holds the lock of the state folder. */
  readonly isLocked?: boolean;
  readonly exceptions: ExceptionSetting;
  readonly snapshot: Snapshot;
  /** Filled by `open`. */
  readonly leases: LeaseTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly ports: AdminPorts;
}

/** Leases and exceptions: what is in force, what outlives a crash, and the API that changes it. */
export class Admin {
  readonly #options: AdminOptions;
  readonly #leases: LeaseBook;
  readonly #exceptions: ExceptionBook;
  readonly #clockWatch: ClockWatch;
  #setting: AdminSetting;
  #limits: ExceptionSetting;
  #lock: FolderLock | null = null;
  #journal: Journal | null = null;
  #api: Api | null = null;
  #configureApi: (setting: AdminSetting) => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #looks = 0;
  #closing: Promise<void> | null = null;

  constructor(options: AdminOptions) {
    const { clock, log, ports, leases, snapshot } = options;
    this.#options = options;
    this.#setting = options.setting;
    this.#limits = options.exceptions;
    const { countsOf, leaseEnded, recompile, account, enforced } = ports;
    const told = account === undefined ? {} : { account };
    this.#leases = new LeaseBook(
      { table: leases, clock, log, countsOf, ended: leaseEnded, enforced, ...told },
      snapshot,
    );
    this.#exceptions = new ExceptionBook({ clock, log, recompile });
    this.#clockWatch = new ClockWatch(clock);
  }

  /** What the policy is to be compiled with (`LoadOptions.exceptions`). */
  get exceptions(): readonly StoredException[] {
    return this.#exceptions.all;
  }

  *samples(): Generator<Samples> {
    const { opened, ...ends } = this.#leases.counts;
    yield single(LEASES, this.#leases.size);
    yield single(OPENED, opened);
    yield byLabel(ENDED, Object.entries(ends));
    yield single(EXCEPTIONS, this.#exceptions.count);
  }

  /** Where the API is asked, once `start` is done; else empty. */
  get urls(): string[] {
    return this.#api === null || this.#api.url === '' ? [] : [this.#api.url];
  }

  /**
   * Takes the state folder and puts in force what was before the restart: before anybody is answered. Rejects with a
   * message that says what to do.
   */
  async open(): Promise<void> {
    const { state, isLocked = false, log, ports } = this.#options;
    if (!isLocked) {
      const lock = FolderLock.take(state);
      if (typeof lock === 'string') throw new Error(lock);
      this.#lock = lock;
    }
    const everything = (): Iterable<object> => [...this.#leases.state(), ...this.#exceptions.state()];
    const journal = await Journal.open(journalPath(state), (found) => this.#replay(found), {
      state: everything,
      told: (fault) => tellFault(fault, log, ports.readiness),
    });
    this.#journal = journal;
    this.#leases.use(journal);
    this.#exceptions.use(journal);
    await this.#exceptions.restore();
  }

  /** Answers on the socket or port. Rejects with a message that says what to do. */
  async start(): Promise<void> {
    const { clock, log, ports } = this.#options;
    // Loaded only where there is an admin API: it is large.
    const [{ Api }, { Authentication }] = await Promise.all([
      import('./http/api.ts'),
      import('./callers/authentication.ts'),
    ]);
    const authentication = new Authentication(this.#setting, clock, log);
    this.#configureApi = (setting) => authentication.configure(setting);
    this.#api = await Api.build({
      setting: this.#setting,
      authentication,
      leases: this.#leases,
      exceptions: this.#exceptions,
      desk: ports.ledger,
      alerts: ports.alerts,
      history: ports.history,
      grants: ports.grants,
      clock,
      log,
      countsOf: ports.countsOf,
      withoutTcp: ports.withoutTcp,
      explain: ports.explain,
      limits: () => this.#limits,
      health: () => ({
        leases: this.#leases.size,
        exceptions: this.#exceptions.count,
        ...ports.readiness.report(),
      }),
      ready: () => ports.readiness.ready,
    });
    await this.#api.start();
    log.info('listening', `the admin API listens on ${this.#api.url}`, { url: this.#api.url });
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Another policy is in force, and other settings; `setting` null where the new file has no admin API. */
  configure(snapshot: Snapshot, setting: AdminSetting | null, exceptions: ExceptionSetting): void {
    this.#leases.configure(snapshot);
    this.#limits = exceptions;
    if (setting === null) return;
    this.#setting = setting;
    this.#configureApi(setting);
  }

  /** Answers nobody any more, writes what waits, and gives the state folder free. Never rejects but for a bug. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#api?.close();
    await this.#journal?.close();
    this.#lock?.release();
  }

  #look(): void {
    this.#leases.tidy();
    this.#exceptions.tidy();
    if (++this.#looks % RETRY_LOOKS === 0 && this.#journal?.behind) void this.#journal.rewrite();
    const jump = this.#clockWatch.look();
    if (jump === 0) return;
    const message = "the machine's clock has jumped: leases last as long as they would have";
    this.#options.log.warn('clock-jump', message, { seconds: Math.round(jump / 1000) });
    // Dates on disk are by the machine's clock.
    void this.#journal?.rewrite();
  }

  #replay(found: Replay): void {
    const { clock, log, ports } = this.#options;
    const doubtful = doubtfulLeases(found);
    tellReplay(found, doubtful, log, ports.readiness);
    const entries = found.records as readonly (LeaseEntry | ExceptionEntry)[];
    const newest = entries.reduce((latest, { at }) => Math.max(latest, at), 0);
    const behind = newest / 1000 - clock.epoch();
    if (behind > 3) {
      const message = "the machine's clock is behind what was written before the restart";
      log.warn('clock-jump', message, { seconds: -Math.round(behind) });
    }
    const isException = (entry: LeaseEntry | ExceptionEntry): entry is ExceptionEntry =>
      entry.t === 'except' || entry.t === 'revoke';
    this.#exceptions.replay(entries.filter(isException));
    const leases = entries.filter((entry) => !isException(entry)) as LeaseEntry[];
    this.#leases.replay(leases, newest, doubtful);
  }
}

const LEASES = gauge('namegate_leases', 'Leases that are live.');
const OPENED = counter('namegate_leases_opened_total', 'Leases that were opened.');
const ENDED = counter(
  'namegate_leases_ended_total',
  'Leases that somebody ended, or that ran out.',
  'outcome',
);
const EXCEPTIONS = gauge('namegate_exceptions', 'Exceptions of the admin API that are in force.');

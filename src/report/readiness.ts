import { byLabel, counter, gauge, type Samples, single } from '../metric/metric.ts';
import type { Problem } from '../policy/problem.ts';
import type { EpochSeconds } from '../wire/quantity.ts';

/** Problems of a failed reload that are kept to be shown. */
const MAX_PROBLEMS = 20;

/** A reason not to send clients here. `code` is stable, `text` is for people. */
export interface Reason {
  readonly code: string;
  readonly text: string;
  /** False: somebody has to look, and clients are served all the same. */
  readonly blocks?: false;
}

export interface AuditIdentity {
  readonly identity: string;
  /** Seconds since 1970 at which audit ends. */
  readonly until: EpochSeconds;
}

/** What `GET /ready` says, dates in ISO 8601. */
export interface ReadinessReport {
  /** False while a reason blocks. */
  readonly ready: boolean;
  readonly reasons: readonly Reason[];
  /** Identities in audit mode: what would be denied to them is resolved. */
  readonly audit: readonly { readonly identity: string; readonly until: string }[];
  /** CRLs that near their end, have ended or have not begun. */
  readonly crls: readonly object[];
  /** Listeners' own certificates that near their end, have ended or have not begun. */
  readonly certificates: readonly object[];
  /** What became of a journal of leases that was damaged when the server started; null where it was not. */
  readonly journal: string | null;
  /** What became of the leak ledger's balances when the server started; null where they are as they were. */
  readonly ledger: string | null;
  /** Clients that were sent from UDP to TCP and did not come: how many, and some of them. */
  readonly without_tcp: { readonly count: number; readonly clients: readonly object[] };
  /** Why the last change is not in force, or null where it is. */
  readonly reload: {
    readonly at: string;
    /** How many problems there were; the first 20 follow. */
    readonly count: number;
    readonly problems: readonly Problem[];
  } | null;
}

/** Whether clients should be sent here, and what an operator should know. Begins not ready, for the reason `starting`. */
export class Readiness {
  readonly #reasons = new Map<string, string>([['starting', 'the server is starting']]);
  /** Reasons that keep no client away. */
  readonly #warnings = new Map<string, string>();
  readonly #now: () => EpochSeconds;
  /** Listeners that wait for their address, as URLs. */
  waiting: readonly string[] = [];
  #audit: readonly AuditIdentity[] = [];
  #crls: readonly object[] = [];
  #certificates: readonly object[] = [];
  #journal: string | null = null;
  #ledger: string | null = null;
  #withoutTcp: ReadinessReport['without_tcp'] = { count: 0, clients: [] };
  #reload: ReadinessReport['reload'] = null;
  readonly #reloads = { done: 0, failed: 0 };
  /** Seconds since 1970: when a load was tried last, and when what is in force was last known to be what was read. */
  #triedAt: EpochSeconds;
  #goodAt: EpochSeconds;

  /** `now`: seconds since 1970. */
  constructor(now: () => EpochSeconds = () => Date.now() / 1000) {
    this.#now = now;
    this.#triedAt = this.#goodAt = now();
  }

  get ready(): boolean {
    return this.#reasons.size === 0;
  }

  /** Not ready while this reason, or another, stands. */
  raise(code: string, text: string): void {
    this.#reasons.set(code, text);
  }

  /** Stands among the reasons, and keeps no client away: it has nothing to do with answers. */
  warn(code: string, text: string): void {
    this.#warnings.set(code, text);
  }

  /** Listeners, as URLs, that wait for their address: not ready while there is one. */
  setWaiting(urls: readonly string[]): void {
    this.waiting = urls;
    if (urls.length === 0) this.clear('listener-waits');
    else this.raise('listener-waits', `not listening yet, for want of the address: ${urls.join(', ')}`);
  }

  clear(code: string): void {
    this.#reasons.delete(code);
    this.#warnings.delete(code);
  }

  /** All that the policy in force says; those that have ended are left out by themselves. */
  setAudit(identities: readonly AuditIdentity[]): void {
    this.#audit = identities;
  }

  setCrls(crls: readonly object[]): void {
    this.#crls = crls;
  }

  setCertificates(certificates: readonly object[]): void {
    this.#certificates = certificates;
  }

  setLedger(text: string | null): void {
    this.#ledger = text;
  }

  /** Why the journal of leases cannot be written, or null when it can again. Not ready meanwhile. */
  journalTrouble(text: string | null): void {
    if (text === null) this.clear('journal-trouble');
    else this.raise('journal-trouble', text);
  }

  journalDamaged(text: string): void {
    this.#journal = text;
  }

  setWithoutTcp(count: number, clients: readonly object[]): void {
    this.#withoutTcp = { count, clients };
  }

  /** A change was refused at `at` (seconds since 1970); the last good policy stays in force. */
  reloadFailed(at: EpochSeconds, problems: readonly Problem[]): void {
    this.#reloads.failed++;
    this.#triedAt = at;
    this.#reload = { at: isoSeconds(at), count: problems.length, problems: problems.slice(0, MAX_PROBLEMS) };
  }

  reloadDone(): void {
    this.#reloads.done++;
    this.#triedAt = this.#goodAt = this.#now();
    this.#reload = null;
  }

  *samples(): Generator<Samples> {
    yield single(READY, this.ready ? 1 : 0);
    yield byLabel(
      NOT_READY,
      Array.from(this.#reasons.keys(), (code) => [code, 1]),
    );
    yield byLabel(RELOADS, Object.entries(this.#reloads));
    yield single(GOOD, this.#reload === null ? 1 : 0);
    yield single(TRIED_AT, this.#triedAt);
    yield single(GOOD_AT, this.#goodAt);
  }

  report(): ReadinessReport {
    const now = this.#now();
    return {
      ready: this.ready,
      reasons: [
        ...Array.from(this.#reasons, ([code, text]) => ({ code, text })),
        ...Array.from(this.#warnings, ([code, text]) => ({ code, text, blocks: false as const })),
      ],
      // Audit ends by itself, without a reload.
      audit: this.#audit
        .filter(({ until }) => until > now)
        .map(({ identity, until }) => ({ identity, until: isoSeconds(until) })),
      crls: this.#crls,
      certificates: this.#certificates,
      journal: this.#journal,
      ledger: this.#ledger,
      without_tcp: this.#withoutTcp,
      reload: this.#reload,
    };
  }
}

const READY = gauge('namegate_ready', '1 while clients should be sent here, as `/ready` says.');
const NOT_READY = gauge(
  'namegate_not_ready',
  '1 for each reason why clients should not be sent here.',
  'reason',
);
const RELOADS = counter(
  'namegate_reloads_total',
  'Changes of files that came into force, or were refused.',
  'outcome',
);
const GOOD = gauge('namegate_reload_good', '1 while the last change is in force.');
const TRIED_AT = gauge(
  'namegate_reload_last_try_timestamp_seconds',
  'When a change was taken or refused last, in seconds since 1970; the start at first.',
);
const GOOD_AT = gauge(
  'namegate_reload_last_good_timestamp_seconds',
  'When a change came into force last, in seconds since 1970; the start at first.',
);

function isoSeconds(seconds: EpochSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

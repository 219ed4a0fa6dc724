import type { Journal, JournalFault } from '../../journal/journal.ts';
import type { Lease, LeaseClaim } from '../../policy/lease/lease.ts';
import { PendingClaims } from '../../policy/lease/pending-claims.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import type { ClockOffset, EpochMilliseconds, Monotonic, Seconds } from '../../wire/quantity.ts';
import type { HeldLease } from '../callers/callers.ts';
import { UsedMarks } from '../callers/used-marks.ts';
import { noLease, notDurable, Refusal } from '../http/refusal.ts';
import { Turns } from '../turns.ts';
import type { LeaseBookOptions } from './lease-book-options.ts';
import type { LeaseEntry } from './lease-record.ts';
import { replayLeases } from './lease-replay.ts';
import { byName, isKnown, judgeStage, judgeTtl, type WantedLease } from './lease-rules.ts';
import { leaseState } from './lease-state.ts';
import {
  type Details,
  type EndedLease,
  facts,
  iso,
  type LeaseView,
  leaseId,
  leaseNote,
  recordOf,
  tellKnown,
  viewOf,
} from './lease-view.ts';

/** Live leases; each takes some 1 kB. */
const MAX_LEASES = 100_000;

/** The leases: every change is durable before it is in force, but for an end, which is in force at once. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #details = new Map<string, Details>();
  /** Being written. */
  readonly #opening = new PendingClaims();
  /** By lease. */
  readonly #turns = new Turns();
  /** Ended, but not on disk yet: who asks again tries again. */
  readonly #unwritten = new Map<string, { readonly held: HeldLease; readonly ended: EndedLease }>();
  readonly #used = new UsedMarks();
  readonly #counts = { opened: 0, ended: 0, ran_out: 0 };
  #journal: Journal | null = null;
  #snapshot: Snapshot;
  #identities: ReadonlyMap<string, Identity>;

  constructor(options: LeaseBookOptions, snapshot: Snapshot) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#identities = byName(snapshot);
  }

  get size(): number {
    return this.#details.size;
  }

  /** Since the start: leases that were opened, that somebody ended, and whose time ran out. */
  get counts(): Readonly<Record<'opened' | 'ended' | 'ran_out', number>> {
    return this.#counts;
  }

  use(journal: Journal): void {
    this.#journal = journal;
  }

  /** Another policy is in force. Leases of what it no longer has bind to `unknown`. */
  configure(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#identities = byName(snapshot);
    const { table, log, clock } = this.#options;
    for (const lease of [...table.leases()]) {
      const identity = this.#identities.get(lease.identity);
      const known = isKnown(identity, lease);
      const quarantine = identity === undefined ? lease.quarantine : identity.quarantine * 1000;
      if (known === lease.known && quarantine === lease.quarantine) continue;
      table.change(lease.id, { known, quarantine }, clock.monotonic());
      if (known !== lease.known) tellKnown(log, lease, known);
    }
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  identity(name: string): Identity | null {
    return this.#identities.get(name) ?? null;
  }

  async open(wanted: WantedLease): Promise<LeaseView | Refusal> {
    const { table, clock, account } = this.#options;
    this.tidy();
    const now = clock.monotonic();
    const at = Math.round(clock.epoch() * 1000);
    const { identity, stage, sourceEnforced, job, ttl, by, owner, used } = wanted;
    const { addresses, certificate, client } = wanted;
    const claim: LeaseClaim = { addresses, certificate, client };
    const conflict = this.#conflict(claim, now);
    if (conflict !== null) return conflict;
    if (this.#details.size + this.#opening.size >= MAX_LEASES)
      return new Refusal('full', `there are ${MAX_LEASES} leases`);
    const taken = this.#used.reserve(used);
    if (taken === 'used')
      return new Refusal('job-used', 'a job opens one lease, and a token is used once for it');
    if (taken === 'full') return new Refusal('full', 'too many jobs are remembered');
    const lease: Lease = {
      id: leaseId(at),
      identity: identity.name,
      stage,
      ...claim,
      sourceEnforced,
      job,
      endsAt: now + ttl * 1000,
      quarantine: identity.quarantine * 1000,
      known: true,
    };
    const details: Details = { opened: at, by, owner };
    const entry: LeaseEntry = { t: 'open', at, lease: recordOf(lease, details, at - now), used };
    this.#opening.add(claim);
    const fault = await this.#write(entry, () => {
      this.#used.keep(used);
      // The policy may have changed meanwhile.
      const known = isKnown(this.#identities.get(lease.identity), lease);
      account?.tell(leaseNote('opened', lease, details, identity.owner));
      table.open({ ...lease, known }, clock.monotonic());
      this.#details.set(lease.id, details);
    });
    this.#opening.delete(claim);
    if (fault !== null) {
      this.#used.free(used);
      return notDurable(fault, 'the lease is not in force');
    }
    this.#counts.opened++;
    this.#options.log.info('lease-opened', `a lease of ${identity.name} was opened`, facts(lease, by));
    return this.view(lease.id) ?? new Refusal('not-found', 'the lease has ended already');
  }

  /** Moves a lease to another stage, or gives it another time to live from now on, or both; all of it or nothing. */
  change(
    id: string,
    change: { readonly stage?: string; readonly ttl?: Seconds },
    by: string,
  ): Promise<LeaseView | Refusal> {
    return this.#turns.take(id, () => this.#change(id, change, by));
  }

  async #change(
    id: string,
    { stage, ttl }: { readonly stage?: string; readonly ttl?: Seconds },
    by: string,
  ): Promise<LeaseView | Refusal> {
    const { table, clock, log } = this.#options;
    const now = clock.monotonic();
    const lease = this.live(id);
    if (lease === null) return noLease(id);
    const identity = this.#identities.get(lease.identity);
    const refused =
      (stage === undefined ? null : judgeStage(identity, lease, stage)) ?? judgeTtl(identity, ttl);
    if (refused !== null) return refused;
    const next = {
      stage: stage ?? lease.stage,
      endsAt: ttl === undefined ? lease.endsAt : now + ttl * 1000,
    };
    const at = Math.round(clock.epoch() * 1000);
    const entry: LeaseEntry = { t: 'change', at, id, stage: next.stage, expires: at + (next.endsAt - now) };
    const fault = await this.#write(entry, () => {
      table.change(id, next, clock.monotonic());
    });
    if (fault !== null) return notDurable(fault, 'the lease is as it was');
    log.info('lease-changed', `the lease of ${lease.identity} was changed`, {
      ...facts({ ...lease, ...next }, by),
    });
    return this.view(id) ?? noLease(id);
  }

  /** Ends a lease. What it bound is free, or in quarantine, at once, whether or not that can be written down. */
  end(id: string, by: string): Promise<EndedLease | Refusal> {
    return this.#turns.take(id, async () => {
      const held = this.held(id);
      if (held === null) return noLease(id);
      const ended = this.#unwritten.get(id)?.ended ?? this.#endNow(id, by);
      if (ended instanceof Refusal) return ended;
      const fault = await this.#write({ t: 'end', at: Math.round(this.#options.clock.epoch() * 1000), id });
      if (fault === null) {
        this.#unwritten.delete(id);
        return ended;
      }
      if (this.#unwritten.size < MAX_LEASES) this.#unwritten.set(id, { held, ended });
      return notDurable(fault, 'the lease has ended, but would be back after a restart: try again');
    });
  }

  #endNow(id: string, by: string): EndedLease | Refusal {
    const { table, clock, countsOf, log } = this.#options;
    const lease = table.end(id, clock.monotonic());
    if (lease === null) return noLease(id);
    this.#counts.ended++;
    const result = { id, ended: iso(Math.round(clock.epoch() * 1000)), counts: countsOf(id) };
    log.info('lease-ended', `the lease of ${lease.identity} was ended`, {
      ...facts(lease, by),
      counts: result.counts,
    });
    this.#over(id, 'ended');
    return result;
  }

  #over(id: string, how: 'ended' | 'expired'): void {
    this.#details.delete(id);
    const { account, clock, ended } = this.#options;
    account?.tell({ note: 'lease', what: how, at: Math.round(clock.epoch() * 1000), id });
    ended(id);
  }

  /** Tells of leases whose time has run out. They have not held since then, whenever this is called. */
  tidy(): void {
    const { table, clock, countsOf, log } = this.#options;
    const at = Math.round(clock.epoch() * 1000);
    for (const lease of table.expire(clock.monotonic())) {
      this.#counts.ran_out++;
      const counts = countsOf(lease.id);
      log.info('lease-ended', `the lease of ${lease.identity} ran out`, { ...facts(lease, null), counts });
      this.#over(lease.id, 'expired');
      // Its end is known without this, as long as the machine's clock does not go back.
      void this.#write({ t: 'end', at, id: lease.id });
    }
    this.#used.tidy(at);
  }

  /** A lease that holds, or null. */
  live(id: string): Lease | null {
    const lease = this.#options.table.get(id);
    return lease === null || this.#options.clock.monotonic() >= lease.endsAt ? null : lease;
  }

  /** A lease as far as rights on it go: one that is live, or whose end is not on disk yet; else null. */
  held(id: string): HeldLease | null {
    const lease = this.live(id);
    const owner = this.#details.get(id)?.owner;
    if (lease !== null && owner !== undefined) return { identity: lease.identity, owner };
    return this.#unwritten.get(id)?.held ?? null;
  }

  view(id: string): LeaseView | null {
    const lease = this.live(id);
    const details = this.#details.get(id);
    if (lease === null || details === undefined) return null;
    return viewOf(lease, details, this.#offset());
  }

  /** Ids of live leases, ascending. */
  ids(): string[] {
    const now = this.#options.clock.monotonic();
    return [...this.#options.table.leases()].flatMap(({ id, endsAt }) => (now < endsAt ? [id] : [])).sort();
  }

  /** Puts what the journal says in force: see `replayLeases`. */
  replay(entries: readonly LeaseEntry[], newest: EpochMilliseconds, doubtful: ReadonlySet<string>): void {
    const state = { details: this.#details, used: this.#used, identities: this.#identities };
    replayLeases(this.#options, state, entries, newest, doubtful);
  }

  /** All that has to be there after a restart. */
  state(): Generator<LeaseEntry> {
    const { table, clock } = this.#options;
    return leaseState(table, this.#details, this.#used, clock);
  }

  #conflict(claim: LeaseClaim, now: Monotonic): Refusal | null {
    const live = this.#options.table.conflict({ id: '', ...claim }, now);
    if (live !== null)
      return new Refusal('lease-conflict', `the ${live.on} has the live lease ${live.lease}`, [
        { pointer: live.on === 'address' ? '/addresses' : `/${live.on}`, detail: 'has a live lease' },
      ]);
    const on = this.#opening.collision(claim);
    return on === null ? null : new Refusal('lease-conflict', `a lease on the ${on} is being opened`);
  }

  /** Milliseconds from the monotonic clock to the machine's. */
  #offset(): ClockOffset {
    const { clock } = this.#options;
    return Math.round(clock.epoch() * 1000) - clock.monotonic();
  }

  /** Without `apply`: what the entry says is in force already. The firewall has it too, or does not answer in time. */
  #write(entry: LeaseEntry, apply?: () => void): Promise<JournalFault | null> {
    const journal = this.#journal;
    if (journal === null) throw new Error('the journal is not open');
    const written = apply === undefined ? journal.record(entry) : journal.append(entry, apply);
    const { enforced } = this.#options;
    return enforced === undefined ? written : written.then((fault) => enforced().then(() => fault));
  }
}

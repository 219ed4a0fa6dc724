import { randomBytes } from 'node:crypto';
import { exceptionFile } from '../../config/policy/exceptions.ts';
import type { Journal, JournalFault } from '../../journal/journal.ts';
import { isError, type Problem } from '../../policy/problem.ts';
import type { Log } from '../../report/log.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { EpochSeconds, Seconds } from '../../wire/quantity.ts';
import { notDurable, Refusal } from '../http/refusal.ts';
import { iso } from '../leases/lease-view.ts';
import { Turns } from '../turns.ts';
import {
  type ExceptionEntry,
  type ExceptionView,
  endedAt,
  type StoredException,
  told,
  viewOf,
} from './exception-record.ts';

/** Exceptions at once: each is a rule of the policy, and is compiled with it. */
const MAX_EXCEPTIONS = 10_000;

/** How a load of the policy with the present exceptions went. */
export interface RecompileResult {
  /** What was loaded is in force. */
  readonly inForce: boolean;
  readonly problems: readonly Problem[];
}

export interface ExceptionBookOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Loads the policy with `ExceptionBook.all`, and puts it in force if it is good. */
  readonly recompile: () => Promise<RecompileResult>;
}

export interface WantedException {
  readonly identity: string;
  readonly name: string;
  readonly types: readonly string[] | null;
  /** Seconds. */
  readonly ttl: Seconds;
  readonly reason: string;
  readonly approvedBy: string;
}

/** Exceptions that were made over the API. They are compiled into the policy, one change at a time. */
export class ExceptionBook {
  readonly #options: ExceptionBookOptions;
  readonly #turns = new Turns();
  /** Those that hold, and those that have ended and are told. */
  #all: readonly StoredException[] = [];
  /** Ids of those whose end stands in the log. */
  readonly #logged = new Set<string>();
  /** Revoked, but not on disk yet. */
  readonly #unwritten = new Set<string>();
  /** On disk, and not in force yet: the policy may still refuse it. */
  #trying: string | null = null;
  #journal: Journal | null = null;

  constructor(options: ExceptionBookOptions) {
    this.#options = options;
  }

  /** What the policy is to be compiled with. */
  get all(): readonly StoredException[] {
    return told(this.#all, this.#options.clock.epoch());
  }

  use(journal: Journal): void {
    this.#journal = journal;
  }

  /** The exception in force and on disk, or why there is none. */
  add(wanted: WantedException): Promise<ExceptionView | Refusal> {
    return this.#turns.take('', () => this.#add(wanted));
  }

  async #add({ ttl, ...wanted }: WantedException): Promise<ExceptionView | Refusal> {
    const { clock, log } = this.#options;
    if (this.count >= MAX_EXCEPTIONS) return new Refusal('full', `there are ${MAX_EXCEPTIONS} exceptions`);
    const now = clock.epoch();
    const id = `ex-${Math.floor(now * 1000)
      .toString(16)
      .padStart(12, '0')}${randomBytes(4).toString('hex')}`;
    const exception: StoredException = { ...wanted, id, made: now * 1000, until: Math.floor(now) + ttl };
    // Durable first: nothing is in force, not for a moment, that a crash or a full disk would take back.
    const unwritten = await this.#writeNew(exception);
    if (unwritten !== null) return notDurable(unwritten, 'the exception is not in force');
    const fault = await this.#tryOut(exception);
    this.#trying = null;
    if (fault !== null) {
      this.#drop(id);
      await this.#writeEnd(id, { refused: true });
      // What was tried out has failed: the last word on the policy must not be that.
      if (fault.kind === 'malformed') await this.#options.recompile();
      return fault;
    }
    const { identity, name, reason, approvedBy } = exception;
    const facts = {
      exception: id,
      identity,
      name,
      reason,
      approved_by: approvedBy,
      expires: iso(exception.until * 1000),
    };
    log.info('exception-added', `an exception for ${identity} is in force`, facts);
    return viewOf(exception);
  }

  /** Compiles the policy with a new exception among the others. */
  async #tryOut({ id }: StoredException): Promise<Refusal | null> {
    const { inForce, problems } = await this.#options.recompile();
    if (inForce) return null;
    const own = problems.filter((problem) => isError(problem) && problem.at.file === exceptionFile(id));
    if (own.length === 0) {
      const first = problems.find(isError);
      const where = first === undefined ? '' : `: ${first.at.file}:${first.at.line}: ${first.message}`;
      return new Refusal('policy-broken', `no change can come into force${where}`);
    }
    const errors = own.map(({ message, fix, code }) => ({
      pointer: code.startsWith('type-') ? '/types' : '/name',
      detail: `${message}; ${fix}`,
    }));
    return new Refusal('malformed', errors[0]!.detail, errors);
  }

  /** Takes an exception out of force. */
  revoke(id: string, by: string): Promise<{ readonly id: string; readonly revoked: string } | Refusal> {
    return this.#turns.take('', async () => {
      const { clock, log, recompile } = this.#options;
      const exception = this.find(id);
      if (exception === null && !this.#unwritten.has(id)) {
        return new Refusal('not-found', `there is no exception ${id}`);
      }
      const at = clock.epoch() * 1000;
      this.#endNow(id, at / 1000);
      const unwritten = await this.#writeEnd(id);
      const { inForce } = await recompile();
      if (exception !== null) {
        const { identity, name } = exception;
        log.info('exception-revoked', `an exception for ${identity} was revoked`, {
          exception: id,
          identity,
          name,
          by,
        });
      }
      if (!inForce) {
        const detail = 'it is revoked, and out of force as soon as the policy files are mended';
        return new Refusal('policy-broken', detail);
      }
      if (unwritten !== null) {
        return notDurable(unwritten, 'it is revoked, but would be back after a restart: try again');
      }
      return { id, revoked: iso(at) };
    });
  }

  /** One that holds. */
  find(id: string): StoredException | null {
    const now = this.#options.clock.epoch();
    return this.#all.find((exception) => exception.id === id && exception.until > now) ?? null;
  }

  /** How many hold. */
  get count(): number {
    const now = this.#options.clock.epoch();
    return this.#all.filter(({ until }) => until > now).length;
  }

  /** Those that hold; with `ended` also those that ended in the last day. */
  views(ended = false): ExceptionView[] {
    const now = this.#options.clock.epoch();
    return this.#all.filter(({ until, id }) => (ended || until > now) && id !== this.#trying).map(viewOf);
  }

  /** Tells of those that have ended, whose rules stopped approving by themselves, and forgets them later. */
  tidy(): void {
    const now = this.#options.clock.epoch();
    if (this.#all.every(({ until }) => until > now)) return;
    for (const { id, identity, name, until } of this.#all) {
      if (until > now || this.#logged.has(id)) continue;
      this.#logged.add(id);
      this.#options.log.info('exception-ended', `an exception for ${identity} has ended`, {
        exception: id,
        identity,
        name,
      });
    }
    this.#all = told(this.#all, now);
    const left = new Set(this.#all.map(({ id }) => id));
    for (const id of this.#logged) if (!left.has(id)) this.#logged.delete(id);
  }

  replay(entries: readonly ExceptionEntry[]): void {
    const found = new Map<string, StoredException>();
    for (const entry of entries) {
      if (entry.t === 'except') found.set(entry.exception.id, entry.exception);
      else if (entry.refused === true) found.delete(entry.id);
      else {
        const revoked = found.get(entry.id);
        if (revoked !== undefined) found.set(entry.id, endedAt(revoked, entry.at / 1000));
      }
    }
    const now = this.#options.clock.epoch();
    this.#all = told([...found.values()], now);
    for (const { id, until } of this.#all) if (until <= now) this.#logged.add(id);
  }

  /**
   * Puts in force what was replayed. One that the policy no longer takes, because other things changed meanwhile, is dropped
   * and told: it must not keep every other change out.
   */
  async restore(): Promise<void> {
    if (this.#all.length === 0) return;
    const { recompile, log } = this.#options;
    const { inForce, problems } = await recompile();
    if (inForce) return;
    const bad = new Set(problems.filter(isError).map(({ at }) => at.file));
    const dropped = this.#all.filter(({ id }) => bad.has(exceptionFile(id)));
    this.#all = this.#all.filter(({ id }) => !bad.has(exceptionFile(id)));
    for (const { id, identity, name } of dropped) {
      log.error('exception-ended', 'an exception does not go with the policy any more', {
        exception: id,
        identity,
        name,
      });
    }
    await recompile();
  }

  *state(): Generator<ExceptionEntry> {
    for (const exception of this.#all) yield { t: 'except', at: exception.made, exception };
  }

  /** It approves nothing from now on; compiled on, it says when it ended. */
  #endNow(id: string, now: EpochSeconds): void {
    this.#all = told(
      this.#all.map((exception) => (exception.id === id ? endedAt(exception, now) : exception)),
      now,
    );
    this.#logged.add(id);
  }

  #drop(id: string): void {
    this.#all = this.#all.filter((exception) => exception.id !== id);
  }

  /** Makes an exception durable; it is compiled from then on. */
  #writeNew(exception: StoredException): Promise<JournalFault | null> {
    if (this.#journal === null) throw new Error('the journal is not open');
    const entry: ExceptionEntry = { t: 'except', at: exception.made, exception };
    return this.#journal.append(entry, () => {
      this.#trying = exception.id;
      this.#all = [...this.#all, exception];
    });
  }

  /** A revocation counts at once, whether or not it can be written. */
  async #writeEnd(id: string, why: { readonly refused?: true } = {}): Promise<JournalFault | null> {
    if (this.#journal === null) throw new Error('the journal is not open');
    const entry: ExceptionEntry = { t: 'revoke', at: this.#options.clock.epoch() * 1000, id, ...why };
    const fault = await this.#journal.record(entry);
    if (fault === null) this.#unwritten.delete(id);
    else this.#unwritten.add(id);
    return fault;
  }
}

import { TYPE, typeToText } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import { Acquaintance } from './acquaintance.ts';
import { ATTEMPT_KEY, Attempts, hashesOf } from './attempts.ts';
import { Clients } from './clients.ts';
import { type DetectTerms, isNoise, NO_TERMS } from './detect-terms.ts';
import { type DomainAttempt, domainOf } from './domain-attempt.ts';
import { ENDING_KEY, Endings } from './endings.ts';
import type { KeptChanges } from './kept-changes.ts';
import { DETECTED, type Detected, type Thresholds } from './kinds.ts';
import { latin1, noticed } from './notice.ts';
import type { Noticed, Observed, OctetHash, UpstreamOutcome } from './observed.ts';
import { OutOfBand } from './out-of-band.ts';
import { RATE_KEY, type Rate, Rates } from './rates.ts';
import { UpstreamFailures } from './upstream-failures.ts';

const SECOND: Milliseconds = 1_000;
const HOUR: Milliseconds = 3_600_000;
const DAY: Milliseconds = 24 * HOUR;
/** Longer than most leases live: a finding that is told once a lease stays open so long. */
const LEASE: Milliseconds = 7 * DAY;

/** RFC 6895 §3.1. */
const FIRST_PRIVATE_TYPE = 65_280;
const LAST_PRIVATE_TYPE = 65_534;
/** Types that nobody uses but tunnels. */
const ODD_TYPES: ReadonlySet<number> = new Set([TYPE.NULL, TYPE.KEY, TYPE.WKS]);

/**
 * All that looks for patterns in what was asked. It hears of each question, of rates, and of leases, and gives what is to be
 * told. Its memory is bounded whatever clients send: see the parts.
 */
export class Detectors {
  readonly acquaintance: Acquaintance;
  readonly endings = new Endings();
  readonly #attempts: Attempts;
  readonly #clients: Clients;
  readonly #rates = new Rates();
  readonly #failures: UpstreamFailures;
  readonly #outOfBand = new OutOfBand();
  readonly #hash: OctetHash;
  /** Attempts that had to go before their last questions were told. */
  readonly #late: Noticed[] = [];
  #limits: Thresholds;
  #terms: ReadonlyMap<string, DetectTerms>;

  /** `hash`: keyed anew each run. `kept`: keyed the same in each run, for what is kept. */
  constructor(
    hash: OctetHash,
    kept: OctetHash,
    limits: Thresholds,
    terms: ReadonlyMap<string, DetectTerms> = new Map(),
  ) {
    this.#hash = hash;
    this.#attempts = new Attempts(hash);
    this.#failures = new UpstreamFailures(hash);
    this.#attempts.whenEvicted((attempt) => this.#late.push(this.#attemptOf(attempt)));
    this.#clients = new Clients(hash);
    this.acquaintance = new Acquaintance(kept);
    this.#limits = limits;
    this.#terms = terms;
  }

  configure(limits: Thresholds, terms: ReadonlyMap<string, DetectTerms>): void {
    this.#limits = limits;
    this.#terms = terms;
  }

  /** Hears of a question, and adds what is to be told to `out`. */
  take(asked: Observed, out: Noticed[]): void {
    const { verdict, proven, identity } = asked;
    const isDenied = verdict === 'deny';
    const isRefused = isDenied || verdict === 'would_deny';
    // Whoever forges a source chooses what is said of it. Such questions are counted where they end.
    if (!proven) return;
    const terms = this.#terms.get(identity) ?? NO_TERMS;
    if (isRefused && isNoise(asked, terms)) return;
    this.#takeService(asked, terms, out);
    if (asked.expected) return;
    if (isDenied) this.#takeDenied(asked, terms, out);
    if (verdict === 'would_deny') this.#takeResembling(asked, terms, out);
    this.#takeType(asked, terms, out);
    if (verdict === 'allow') this.#takeFirst(asked, terms, out);
  }

  /** Hears what became of an approved question. */
  outcome(outcome: UpstreamOutcome, out: Noticed[]): void {
    const { identity, claim, count } = outcome;
    const terms = this.#terms.get(identity) ?? NO_TERMS;
    const storm = this.#limitsOf('nxdomain-storm', terms);
    if (storm !== null && this.#isStorm(outcome, storm))
      out.push(noticed('nxdomain-storm', identity, claim, claim, HOUR, count));
    const dependency = this.#limitsOf('dependency', terms);
    if (dependency !== null) this.#failures.take(outcome, dependency, out);
  }

  /** Hears how much an identity asked. */
  rate(rate: Rate, out: Noticed[]): void {
    const { identity } = rate;
    const terms = this.#terms.get(identity) ?? NO_TERMS;
    const volume = this.#limitsOf('volume', terms);
    const odd = this.#limitsOf('odd-type', terms);
    this.#rates.count(rate);
    if (volume !== null) {
      const excess = this.#rates.volume(rate, volume);
      const key = excess === 'limit' ? 'over its qps' : 'over its usual rate';
      if (excess !== null) out.push(noticed('volume', identity, excess, key, HOUR, rate.questions));
    }
    if (odd !== null && rate.txt > 0 && this.#rates.isTxtOdd(rate, odd))
      out.push(noticed('odd-type', identity, 'TXT', 'TXT', HOUR, rate.txt));
  }

  /** What time brings; to be called every second or so. */
  pass(now: EpochMilliseconds, out: Noticed[]): void {
    out.push(...this.#late.splice(0));
    for (const attempt of this.#attempts.pending) out.push(this.#attemptOf(attempt));
    const limits = this.#limits.sweep;
    if (limits !== null) {
      for (const identity of this.#clients.sweptTogether(now, limits))
        out.push(noticed('sweep', identity, 'together', 'several clients', HOUR, 1));
    }
  }

  /** Forgets what is over; to be called every few minutes. */
  tidy(now: EpochMilliseconds): void {
    this.#attempts.sweep(now);
    this.endings.tidy(now);
  }

  /** What the next run has to know, since the last call: sums of days and hours, and what is told and not over. */
  changes(now: EpochMilliseconds, all: boolean, out: KeptChanges): void {
    this.#attempts.changes(out);
    this.#failures.changes(out);
    this.endings.changes(out);
    this.#rates.changes(now, all, out);
  }

  /** Takes up what `changes` gave. `kept`: what is kept under keys that begin so. */
  restore(kept: (prefix: string) => Iterable<readonly [key: string, text: string]>): void {
    this.#attempts.restore(kept(ATTEMPT_KEY));
    this.#failures.restore(kept);
    this.endings.restore(kept(ENDING_KEY));
    this.#rates.restore(kept(RATE_KEY));
  }

  /** How much it remembers. */
  get counts(): { readonly attempts: number; readonly clients: number; readonly names: number } {
    return {
      attempts: this.#attempts.count,
      clients: this.#clients.count,
      names: this.#failures.count,
    };
  }

  #limitsOf<K extends Detected>(kind: K, terms: DetectTerms): Thresholds[K] {
    return terms.off.has(kind) ? (null as Thresholds[K]) : this.#limits[kind];
  }

  /** Denied or not, expected or not. */
  #takeService(asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    if (this.#limitsOf('out-of-band', terms) === null) return;
    const found = this.#outOfBand.find(asked.name);
    if (found === null) return;
    const suffix = nameToText(asked.name.subarray(found.start));
    out.push(
      noticed('out-of-band', asked.identity, suffix, `${suffix} (${found.service})`, DAY, asked.count),
    );
  }

  #takeDenied(asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    const { identity, lease, name, count } = asked;
    const client = this.#clients.of(asked);
    if (asked.isInQuarantine || !this.endings.isEmpty) this.#takeLate(client, asked, terms, out);
    if (asked.isOfOtherStage) {
      // It is a slip of the job's, and no attempt to get out.
      if (this.#limitsOf('other-stage', terms) !== null) {
        const text = nameToText(name);
        out.push(
          noticed(
            'other-stage',
            identity,
            `${lease || asked.claim} ${text}`,
            text,
            lease === '' ? DAY : LEASE,
            count,
          ),
        );
      }
      return;
    }
    this.#takeResembling(asked, terms, out);
    const [low, high] = hashesOf(this.#hash, name, asked.domain);
    const limits = this.#limitsOf('attempt', terms);
    const attempt = limits === null ? null : this.#attempts.take(asked, low, high, limits);
    // One sight a second tells of all.
    if (attempt !== null && !this.#attempts.isSighted(attempt, Math.floor(asked.at / SECOND)))
      out.push(this.#attemptOf(attempt));
    const sweep = this.#limitsOf('sweep', terms);
    if (sweep !== null && this.#clients.isSweeping(client, asked, low, sweep)) {
      const claim = this.#clients.claimOf(client, asked);
      out.push(noticed('sweep', identity, claim, claim, HOUR, count));
    }
  }

  /** All questions of an attempt that no sight counts yet. */
  #attemptOf(attempt: DomainAttempt): Noticed {
    const { identity, told, isTogether } = attempt;
    const count = this.#attempts.countOf(attempt);
    const domain = domainOf(attempt);
    if (domain.length === 0 || (isTogether && told < 2))
      return { ...noticed('attempt', identity, 'together', 'several domains', DAY, count), hasDomain: false };
    const base = noticed('attempt', identity, latin1(domain, 0), nameToText(domain), DAY, count);
    return told === 2 ? { ...base, severity: DETECTED.attempt.rises } : base;
  }

  #takeLate(client: number, asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    const after = this.#limitsOf('after-end', terms);
    if (after === null) return;
    const claim = this.#clients.claimOf(client, asked);
    const ending = this.endings.after(claim, asked.at, asked.isInQuarantine, after);
    if (ending === null) return;
    const of = ending.lease || claim;
    out.push(
      noticed(
        'after-end',
        ending.identity || asked.identity,
        of,
        of,
        ending.lease === '' ? DAY : LEASE,
        asked.count,
      ),
    );
  }

  #takeResembling(asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    const { resembles, identity, name, count } = asked;
    if (resembles === '' || this.#limitsOf('near-miss', terms) === null) return;
    const text = nameToText(name);
    out.push({
      ...noticed('near-miss', identity, text, text, DAY, count),
      target: resembles,
      hasDomain: true,
    });
  }

  #takeType(asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    const { type, identity, count } = asked;
    const isPrivate = type >= FIRST_PRIVATE_TYPE && type <= LAST_PRIVATE_TYPE;
    if (!isPrivate && !ODD_TYPES.has(type)) return;
    if (this.#limitsOf('odd-type', terms) === null) return;
    const text = typeToText(type);
    out.push(noticed('odd-type', identity, isPrivate ? 'private' : text, text, HOUR, count));
  }

  #takeFirst(asked: Observed, terms: DetectTerms, out: Noticed[]): void {
    const { identity, name, count } = asked;
    const first = this.#limitsOf('first-contact', terms);
    if (first === null || !this.acquaintance.isFirst(asked, first)) return;
    const text = nameToText(name);
    out.push({ ...noticed('first-contact', identity, text, text, DAY, count), hasDomain: true });
  }

  #isStorm(outcome: UpstreamOutcome, limits: NonNullable<Thresholds['nxdomain-storm']>): boolean {
    return this.#clients.isStorm(this.#clients.of(outcome), outcome, limits);
  }
}

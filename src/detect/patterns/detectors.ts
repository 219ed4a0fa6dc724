import { TYPE, typeToText } from '../../wire/iana.ts';
import { isAtOrUnder, nameToText } from '../../wire/name.ts';
import { Acquaintance } from './acquaintance.ts';
import { ATTEMPT_KEY, Attempts } from './attempts.ts';
import { Clients, isStorm } from './clients.ts';
import { DEPENDENCY_KEY, Dependencies } from './dependencies.ts';
import { ENDING_KEY, Endings } from './endings.ts';
import type { KeptChanges } from './kept-changes.ts';
import { DETECTED, type Detected, type Thresholds } from './kinds.ts';
import type { Noticed, Observed, OctetHash, UpstreamOutcome } from './observed.ts';
import { OutOfBand } from './out-of-band.ts';
import { RATE_KEY, type Rate, Rates } from './rates.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A finding that has no end of its own stays open so long. */
const OUTAGE = 7 * DAY;

/** RFC 6895 §3.1. */
const FIRST_PRIVATE_TYPE = 65_280;
const LAST_PRIVATE_TYPE = 65_534;
/** Types that nobody uses but tunnels. */
const ODD_TYPES: ReadonlySet<number> = new Set([TYPE.NULL, TYPE.KEY, TYPE.WKS]);

/** What an identity's part of the policy says to detectors. */
export interface DetectTerms {
  /** Kinds that are off for it. */
  readonly off: ReadonlySet<Detected>;
  /** Search suffixes of its stubs, as wire names in lower case: what lies under one is noise where it is denied. */
  readonly search: readonly Uint8Array[];
}

const NO_TERMS: DetectTerms = { off: new Set(), search: [] };

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
  readonly #dependencies = new Dependencies();
  readonly #outOfBand = new OutOfBand();
  #limits: Thresholds;
  #terms: ReadonlyMap<string, DetectTerms>;

  /** `hash`: keyed anew each run. `kept`: keyed the same in each run, for what is kept. */
  constructor(
    hash: OctetHash,
    kept: OctetHash,
    limits: Thresholds,
    terms: ReadonlyMap<string, DetectTerms> = new Map(),
  ) {
    this.#attempts = new Attempts(hash);
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
    const { identity, claim, name, count } = outcome;
    const terms = this.#terms.get(identity) ?? NO_TERMS;
    const storm = this.#limitsOf('nxdomain-storm', terms);
    if (storm !== null && this.#isStorm(outcome, storm))
      out.push(noticed('nxdomain-storm', identity, claim, claim, HOUR, count));
    const dependency = this.#limitsOf('dependency', terms);
    if (dependency === null) return;
    const state = this.#dependencies.take(outcome, latin1(name, 0), dependency);
    if (state === null) return;
    const text = nameToText(name);
    const base = noticed('dependency', identity, text, text, OUTAGE, count);
    out.push(state === 'over' ? { ...base, isOver: true } : base);
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
  pass(now: number, out: Noticed[]): void {
    const limits = this.#limits.sweep;
    if (limits !== null) {
      for (const identity of this.#clients.sweptTogether(now, limits))
        out.push(noticed('sweep', identity, 'together', 'several clients', HOUR, 1));
    }
  }

  /** Forgets what is over; to be called every few minutes. */
  tidy(now: number): void {
    this.#attempts.sweep(now);
    this.endings.tidy(now);
  }

  /** What the next run has to know, since the last call: sums of days and hours, and what is told and not over. */
  changes(now: number, all: boolean, out: KeptChanges): void {
    this.#attempts.changes(out);
    this.#dependencies.changes(out);
    this.endings.changes(out);
    this.#rates.changes(now, all, out);
  }

  /** Takes up what `changes` gave. `kept`: what is kept under keys that begin so. */
  restore(kept: (prefix: string) => Iterable<readonly [key: string, text: string]>): void {
    this.#attempts.restore(kept(ATTEMPT_KEY));
    this.#dependencies.restore(kept(DEPENDENCY_KEY));
    this.endings.restore(kept(ENDING_KEY));
    this.#rates.restore(kept(RATE_KEY));
  }

  /** How much it remembers. */
  get counts(): { readonly attempts: number; readonly clients: number; readonly names: number } {
    return {
      attempts: this.#attempts.count,
      clients: this.#clients.count,
      names: this.#dependencies.count,
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
    const { identity, claim, lease, name, domain, count, at } = asked;
    const after = this.#limitsOf('after-end', terms);
    if (after !== null) {
      const ending = this.endings.after(claim, at, asked.isInQuarantine, after);
      if (ending !== null) {
        const of = ending.lease || claim;
        out.push(noticed('after-end', ending.identity || identity, of, of, DAY, count));
      }
    }
    if (asked.isOfOtherStage) {
      // It is a slip of the job's, and no attempt to get out.
      if (this.#limitsOf('other-stage', terms) !== null) {
        const text = nameToText(name);
        out.push(noticed('other-stage', identity, `${lease || claim} ${text}`, text, DAY, count));
      }
      return;
    }
    this.#takeResembling(asked, terms, out);
    const attempt = this.#limitsOf('attempt', terms);
    if (attempt !== null) {
      const key = latin1(name, domain);
      const told = this.#attempts.take(asked, key, attempt);
      if (told > 0) {
        const base = noticed('attempt', identity, key, nameToText(name.subarray(domain)), DAY, count);
        out.push(told === 2 ? { ...base, severity: DETECTED.attempt.rises } : base);
      }
    }
    const sweep = this.#limitsOf('sweep', terms);
    if (sweep !== null && this.#clients.isSweeping(this.#clients.of(identity, claim), asked, sweep))
      out.push(noticed('sweep', identity, claim, claim, HOUR, count));
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
    return isStorm(this.#clients.of(outcome.identity, outcome.claim), outcome, limits);
  }
}

function noticed(
  finding: Detected,
  identity: string,
  place: string,
  key: string,
  window: number,
  count: number,
): Noticed {
  const { severity } = DETECTED[finding];
  const hasDomain = finding === 'attempt' || finding === 'other-stage';
  return { finding, severity, place, key, window, identity, count, hasDomain };
}

/** A stub appends its search suffixes to each name: what is denied under one says nothing. */
function isNoise({ name }: Observed, { search }: DetectTerms): boolean {
  return search.some((suffix) => name.length > suffix.length && isAtOrUnder(name, suffix));
}

function latin1(name: Uint8Array, from: number): string {
  return Buffer.from(name.buffer, name.byteOffset + from, name.length - from).toString('latin1');
}

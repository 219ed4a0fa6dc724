import { Histogram } from '../metric/histogram.ts';
import { byLabel, counter, histogram, type Samples, single } from '../metric/metric.ts';
import { VERDICT } from '../policy/decide/decision.ts';
import { EXIT, EXITS } from '../resolve/exit.ts';
import type { Client } from '../resolve/ports.ts';
import { COURSE, type Turn } from '../resolve/story/turn.ts';
import { RCODE } from '../wire/iana.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

const TRANSPORTS: readonly Client['transport'][] = ['udp', 'tcp', 'tls'];

/** By the numbers of `VERDICT`; then what only the ledger and a message that is no question lead to. */
const VERDICTS = [...Object.keys(VERDICT).map((name) => name.toLowerCase()), 'contain', 'none'];
const CONTAIN = VERDICTS.length - 2;
const NONE = VERDICTS.length - 1;

/** By number; what has none comes last. */
const RCODES = Object.keys(RCODE);
const RCODE_SLOT = new Uint8Array(256).fill(RCODES.length);
Object.values(RCODE).forEach((rcode, slot) => {
  RCODE_SLOT[rcode] = slot;
});
const SLOTS = RCODES.length + 1;

/** What a query's time is told under. */
const KINDS = ['hit', 'local', 'denied', 'forwarded'] as const;
const FORWARDED = KINDS.indexOf('forwarded');
const NO_KIND = KINDS.length;

/** Kind of a query that waited for nobody; a message that was refused has none. */
const KIND_BY_EXIT: Readonly<Record<keyof typeof EXIT, (typeof KINDS)[number] | null>> = {
  drop: null,
  formerr: null,
  notimp: null,
  badvers: null,
  refused: null,
  deny: 'denied',
  deny_unproven: 'denied',
  deny_expected: 'denied',
  empty: 'denied',
  contained: 'denied',
  local: 'local',
  hit: 'hit',
  stale: 'hit',
  forwarded: null,
  servfail: 'hit',
  withheld: 'hit',
  limited: null,
  unproven: null,
  ungranted: 'hit',
};
const KIND_OF = Uint8Array.from(EXITS, (name) => {
  const kind = KIND_BY_EXIT[name];
  return kind === null ? NO_KIND : KINDS.indexOf(kind);
});

/** Queries whose time is read together, and milliseconds after which one is read by itself: reading a clock is dear. */
const TOGETHER = 8;
const ALONE_MS: Milliseconds = 100;

/** Counts queries by how they ended and by how long they took. Nothing here allocates while queries come. */
export class QueryCounts {
  readonly #exits = new Float64Array(EXITS.length);
  readonly #queries = new Float64Array(TRANSPORTS.length * VERDICTS.length * SLOTS);
  readonly #times = KINDS.map(() => new Histogram());
  /** Queries of each kind whose time is not read yet, and of all. */
  readonly #untimed = new Float64Array(KINDS.length + 1);
  #waiting = 0;
  #timedAt: Monotonic = Number.NEGATIVE_INFINITY;
  #lastTook: Milliseconds = 0;

  ended(turn: Turn): void {
    const { end, asker, course, fetched } = turn;
    const { exit } = end;
    this.#exits[exit]!++;
    const verdict =
      exit === EXIT.contained ? CONTAIN : course.kind === COURSE.NONE ? NONE : turn.decision.verdict;
    const { transport } = asker.client;
    const way = transport === 'udp' ? 0 : transport === 'tcp' ? 1 : 2;
    const rcode = end.rcode === null ? RCODES.length : RCODE_SLOT[end.rcode]!;
    this.#queries[(way * VERDICTS.length + verdict) * SLOTS + rcode]!++;
    const { underway } = asker.standing;
    underway.queries++;
    if (exit === EXIT.deny) underway.denied++;
    else if (exit === EXIT.contained) underway.contained++;
    else if (exit === EXIT.limited) underway.limited++;
    if (course.isAudited) underway.audited++;
    if (fetched.round > 0) {
      this.#times[FORWARDED]!.add(turn.now - fetched.since);
      return;
    }
    const kind = KIND_OF[exit]!;
    if (kind === NO_KIND) return;
    this.#untimed[kind]!++;
    this.#waiting++;
  }

  /**
   * What ended since the last call came at `began` and leaves now. `clock` is read for eight queries together, or for one that
   * comes alone: time is what a query spends here, and most of it is what its batch does.
   */
  left(began: Monotonic, clock: () => Monotonic): void {
    if (this.#waiting === 0 || (this.#waiting < TOGETHER && began - this.#timedAt < ALONE_MS)) return;
    this.#timedAt = began;
    this.#lastTook = clock() - began;
    this.#settle();
  }

  #settle(): void {
    for (let kind = 0; kind < KINDS.length; kind++) {
      const times = this.#untimed[kind]!;
      if (times === 0) continue;
      this.#times[kind]!.add(this.#lastTook, times);
      this.#untimed[kind] = 0;
    }
    this.#waiting = 0;
  }

  /** Queries by exit. */
  exits(): Record<string, number> {
    return Object.fromEntries(EXITS.map((name, exit) => [name, this.#exits[exit]!]));
  }

  *samples(): Generator<Samples> {
    // Those that wait for company took about as long as the last.
    this.#settle();
    yield { metric: QUERIES, values: this.#byOutcome() };
    yield byLabel(QUERY_EXITS, Object.entries(this.exits()));
    yield byLabel(
      QUERY_TIME,
      this.#times.map((times, kind) => [KINDS[kind]!, times]),
    );
    const given = this.#exits[EXIT.hit]! + this.#exits[EXIT.stale]!;
    yield single(CACHE_HITS, given);
  }

  *#byOutcome(): Generator<{ labels: string[]; value: number }> {
    for (const [way, transport] of TRANSPORTS.entries()) {
      for (const [verdict, said] of VERDICTS.entries()) {
        for (let slot = 0; slot < SLOTS; slot++) {
          const value = this.#queries[(way * VERDICTS.length + verdict) * SLOTS + slot]!;
          if (value > 0) yield { labels: [transport, said, RCODES[slot] ?? 'none'], value };
        }
      }
    }
  }
}

const QUERIES = counter(
  'namegate_queries_total',
  'Queries that ended, by transport, verdict and RCODE; none where there was no verdict or no reply.',
  'transport',
  'verdict',
  'rcode',
);
const QUERY_EXITS = counter('namegate_query_exits_total', 'Queries that ended, by their exit.', 'exit');
const QUERY_TIME = histogram(
  'namegate_query_duration_seconds',
  'Time from reading a query to writing its reply, by what was done.',
  'kind',
);
const CACHE_HITS = counter(
  'namegate_cache_hits_total',
  'Queries that were answered from the cache, stale ones too.',
);

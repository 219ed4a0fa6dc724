import { byLabel, counter, type Samples, single } from '../metric/metric.ts';
import { seenAs, unclaimedBecause } from '../resolve/client/unclaimed.ts';
import type { Observer } from '../resolve/story/story-ports.ts';
import type { Turn } from '../resolve/story/turn.ts';
import { typeToText } from '../wire/iana.ts';
import { nameToText } from '../wire/name.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { factsOf } from './finding-facts.ts';
import { FindingTable, FoldedFindings } from './finding-table.ts';
import { findingsOf, type StoryFinding } from './findings.ts';
import type { Log } from './log.ts';
import { QueryCounts } from './query-counts.ts';
import { UnknownClients } from './unknown-clients.ts';

/** Milliseconds between two lines about bugs. */
const BUG_PACE: Milliseconds = 60_000;

/**
 * Counts every exit of the story, and tells findings to the log: each once an hour. What has no room, and what a forged
 * source may have sent, is counted by identity and told by `tellFolded`.
 */
export class StoryObserver implements Observer {
  readonly #log: Log;
  readonly #now: () => Monotonic;
  readonly #counts = new QueryCounts();
  readonly #table = new FindingTable();
  readonly #folded = new FoldedFindings();
  readonly #unknown = new UnknownClients();
  /** What became of findings. */
  readonly #findings = { told: 0, known: 0, folded: 0, unproven: 0 };
  #bugs = 0;
  #nextBug: Monotonic = Number.NEGATIVE_INFINITY;

  /** `now`: monotonic milliseconds. */
  constructor(log: Log, now: () => Monotonic) {
    this.#log = log;
    this.#now = now;
  }

  decided(turn: Turn): void {
    if (!turn.asker.isKnown && this.#unknown.isNew(turn.asker.client, this.#now())) this.#tellUnknown(turn);
    for (const finding of findingsOf(turn, 'decided')) this.#tell(finding, turn);
  }

  /** The ledger tells it, once a key. */
  overspent(): void {}

  ended(turn: Turn): void {
    this.#counts.ended(turn);
    for (const finding of findingsOf(turn, 'ended')) this.#tell(finding, turn);
  }

  left(began: Monotonic): void {
    this.#counts.left(began, this.#now);
  }

  #tellUnknown(turn: Turn): void {
    const { asker } = turn;
    const { suppressed } = this.#unknown;
    this.#unknown.suppressed = 0;
    this.#log.warn('client-unknown', unclaimedBecause(turn), {
      client: seenAs(asker.client),
      transport: asker.client.transport,
      ...(asker.proven ? {} : { unproven: true }),
      ...(suppressed === 0 ? {} : { suppressed }),
      remedy: 'write its address or its certificate under from: of an identity, or open a lease on it',
    });
  }

  #tell(finding: StoryFinding, turn: Turn): void {
    const { kind, identity } = finding;
    // Whoever forges a source could have any name written to the log, at any rate.
    if (finding.unproven) {
      this.#findings.unproven++;
      this.#folded.count(identity, 'unproven');
      return;
    }
    const name = nameToText(finding.name);
    const type = typeToText(finding.type);
    const strange = kind === 'certificate-of-nobody' || kind === 'certificate-of-two';
    const of = strange ? finding.certificate[0] : `${type} ${name}`;
    const judged = this.#table.judge(identity, `${kind} ${of}`, this.#now());
    this.#findings[JUDGED[judged]]++;
    if (judged === 'fold') this.#folded.count(identity, 'folded');
    if (judged !== 'tell') return;
    this.#log.warn(strange ? 'client-certificate' : 'finding', TEXTS[kind], {
      [strange ? 'rule' : 'finding']: kind,
      identity,
      name,
      type,
      ...(finding.certificate.length === 0 ? {} : { certificate: finding.certificate }),
      ...(finding.other === null ? {} : { other: finding.other }),
      ...factsOf(turn, kind),
    });
  }

  /** Tells how many findings were not told one by one since the last call. To be called once a minute. */
  tellFolded(): void {
    for (const { identity, folded, unproven } of this.#folded.take()) {
      this.#log.warn('finding', 'findings were counted and not told one by one', {
        finding: 'folded',
        ...(identity === '' ? {} : { identity }),
        ...(folded === 0 ? {} : { folded }),
        ...(unproven === 0 ? {} : { unproven }),
      });
    }
  }

  bug(error: unknown): void {
    this.#bugs++;
    const now = this.#now();
    if (now < this.#nextBug) return;
    this.#nextBug = now + BUG_PACE;
    this.#log.error('fault', 'a query met a bug and got SERVFAIL', { error, count: this.#bugs });
  }

  /** Queries by exit since the start, and bugs. */
  report(): Record<string, number> {
    return { bugs: this.#bugs, ...this.#counts.exits() };
  }

  *samples(): Generator<Samples> {
    yield* this.#counts.samples();
    yield single(BUGS, this.#bugs);
    yield byLabel(FINDINGS, Object.entries(this.#findings));
  }
}

const JUDGED = { tell: 'told', known: 'known', fold: 'folded' } as const;

const BUGS = counter(
  'namegate_bugs_total',
  'Bugs that were met: a query got SERVFAIL, or a chore was not done.',
);
const FINDINGS = counter(
  'namegate_findings_total',
  'Findings about answers and certificates: told to the log, known since the last hour, or only counted.',
  'outcome',
);

const TEXTS: Record<StoryFinding['kind'], string> = {
  'private-address': 'an answer held an address that the rule does not grant, and was withheld',
  'unapproved-target': 'an answer led to a name that is not approved, and was withheld',
  'identity-disagreement': "a certificate is shown from an address of another identity's",
  'certificate-of-nobody': "a client's certificate is that of no identity: its holder is unknown",
  'certificate-of-two': "a client's certificate is that of two identities: its holder is unknown",
  would_deny: 'in audit mode: this question would be denied',
};

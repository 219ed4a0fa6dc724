import { EXITS } from '../resolve/exit.ts';
import type { Observer } from '../resolve/story/story-ports.ts';
import type { Turn } from '../resolve/story/turn.ts';
import { typeToText } from '../wire/iana.ts';
import { nameToText } from '../wire/name.ts';
import { type Finding, findingsOf } from './findings.ts';
import type { Log } from './log.ts';

/** Findings that are remembered so as to be told once. */
const MAX_TOLD = 4096;
/** Milliseconds after which a finding is told again. */
const TELL_AGAIN = 3_600_000;
/** Milliseconds between two lines about bugs. */
const BUG_PACE = 60_000;

/** Counts every exit of the story, and tells findings to the log: each once an hour, whatever clients send. */
export class StoryObserver implements Observer {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #counts = new Float64Array(EXITS.length);
  readonly #told = new Map<string, number>();
  #suppressed = 0;
  #bugs = 0;
  #nextBug = Number.NEGATIVE_INFINITY;

  /** `now`: monotonic milliseconds. */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  decided(turn: Turn): void {
    for (const finding of findingsOf(turn, 'decided')) this.#tell(finding);
  }

  ended(turn: Turn): void {
    this.#counts[turn.end.exit]!++;
    for (const finding of findingsOf(turn, 'ended')) this.#tell(finding);
  }

  #tell(finding: Finding): void {
    const now = this.#now();
    const name = nameToText(finding.name);
    const type = typeToText(finding.type);
    const strange = finding.kind === 'certificate-of-nobody' || finding.kind === 'certificate-of-two';
    const of = strange ? finding.certificate[0] : `${type} ${name}`;
    const key = `${finding.kind} ${finding.identity} ${of}`;
    const told = this.#told.get(key);
    if (told !== undefined && now - told < TELL_AGAIN) return;
    if (told === undefined && this.#told.size >= MAX_TOLD && !this.#makeRoom(now)) {
      this.#suppressed++;
      return;
    }
    this.#told.delete(key);
    this.#told.set(key, now);
    const suppressed = this.#suppressed === 0 ? {} : { suppressed: this.#suppressed };
    this.#suppressed = 0;
    this.#log.warn(strange ? 'client-certificate' : 'finding', TEXTS[finding.kind], {
      [strange ? 'rule' : 'finding']: finding.kind,
      identity: finding.identity,
      name,
      type,
      ...(finding.certificate.length === 0 ? {} : { certificate: finding.certificate }),
      ...(finding.other === null ? {} : { other: finding.other }),
      ...(finding.unproven ? { unproven: true } : {}),
      ...suppressed,
    });
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
    const counts: Record<string, number> = { bugs: this.#bugs };
    EXITS.forEach((name, index) => {
      counts[name] = this.#counts[index]!;
    });
    return counts;
  }

  /** The oldest stands first: insertion order is time order. */
  #makeRoom(now: number): boolean {
    const oldest = this.#told.entries().next().value;
    if (oldest === undefined || now - oldest[1] < TELL_AGAIN) return false;
    this.#told.delete(oldest[0]);
    return true;
  }
}

const TEXTS: Record<Finding['kind'], string> = {
  'private-address': 'an answer held an address that the rule does not grant, and was withheld',
  'unapproved-target': 'an answer led to a name that is not approved, and was withheld',
  'identity-disagreement': "a certificate is shown from an address of another identity's",
  'certificate-of-nobody': "a client's certificate is that of no identity: its holder is unknown",
  'certificate-of-two': "a client's certificate is that of two identities: its holder is unknown",
  would_deny: 'in audit mode: this question would be denied',
};

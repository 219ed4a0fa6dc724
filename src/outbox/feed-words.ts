import { explainRule, ruleHash } from '../policy/explain/rule-text.ts';
import type { Bound } from '../policy/lease/bound.ts';
import type { RuleIndex, Snapshot, View } from '../policy/snapshot.ts';
import type { Credential } from '../resolve/client/credential.ts';
import type { RingWriter } from './ring-writer.ts';

/** Words that have a number at once; beyond them all begin anew. Leases and certificates come and go. */
const MOST_WORDS = 16_384;

/** The words of a lease: its id, and its job in JSON. */
interface LeaseWords {
  readonly lease: number;
  readonly job: number;
}

/**
 * Numbers for the texts of events: an identity, a file of the policy, a lease. Each is written into the ring before the
 * first slot that names it, so that the ring tells all by itself, at the next start too. A number is looked up by the object
 * that has the text, for a query must not make strings.
 */
export class FeedWords {
  readonly #ring: RingWriter;
  readonly #numbers = new Map<string, number>();
  #snapshot: Snapshot | null = null;
  /** By identity's index + 1: name, owner. 0 is not known yet. */
  #identities = new Uint32Array(0);
  /** By index of terms. */
  #files = new Uint32Array(0);
  #destinations = new Uint32Array(0);
  /** By rule. */
  #patterns = new Uint32Array(0);
  readonly #views = new Map<View, number>();
  /** The view that was asked for last: most questions are of one of few. */
  #view: View | null = null;
  #viewNumber = 0;
  #leases = new WeakMap<Bound, LeaseWords>();
  #certificates = new WeakMap<Credential, number>();

  constructor(ring: RingWriter) {
    this.#ring = ring;
  }

  /** To be called before an event's words are asked for, once `ring.hasRoom`. */
  begin(snapshot: Snapshot): void {
    if (this.#numbers.size > MOST_WORDS) {
      this.#ring.forget();
      this.#numbers.clear();
      this.#leases = new WeakMap();
      this.#certificates = new WeakMap();
      this.#snapshot = null;
    }
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    this.#identities = new Uint32Array(2 * (snapshot.identities.length + 1));
    this.#files = new Uint32Array(snapshot.rules.terms.length);
    this.#destinations = new Uint32Array(snapshot.rules.terms.length);
    this.#patterns = new Uint32Array(snapshot.rules.count);
    this.#views.clear();
    this.#view = null;
  }

  /** The number of a text, 0 for an empty one. */
  of(text: string): number {
    if (text === '') return 0;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(text, number);
      this.#ring.word(number, text);
    }
    return number;
  }

  identity(index: number, name: string): number {
    const at = 2 * (index + 1);
    if (this.#identities[at] === 0) this.#identities[at] = this.of(name);
    return this.#identities[at]!;
  }

  owner(index: number, owner: string): number {
    const at = 2 * (index + 1) + 1;
    if (this.#identities[at] === 0) this.#identities[at] = this.of(owner);
    return this.#identities[at]!;
  }

  /** The file of a rule's terms. */
  file(term: number, file: string): number {
    if (this.#files[term] === 0) this.#files[term] = this.of(file);
    return this.#files[term]!;
  }

  /** Who answers for a rule, and what people do while its names fail, in JSON. */
  destination({ rules }: Snapshot, rule: RuleIndex): number {
    const term = rules.term[rule]!;
    if (this.#destinations[term] === 0) {
      const { owner, destination, fallback } = rules.terms[term]!;
      this.#destinations[term] = this.of(
        JSON.stringify({ owner, destination, fallback: fallback?.text ?? null }),
      );
    }
    return this.#destinations[term]!;
  }

  /** The pattern of a rule, a tab, and the hash of its content; 0 for none. */
  pattern(snapshot: Snapshot, rule: RuleIndex): number {
    if (rule < 0) return 0;
    if (this.#patterns[rule] === 0) {
      const { pattern } = explainRule(snapshot, rule);
      this.#patterns[rule] = this.of(`${pattern}\t${ruleHash(snapshot, rule)}`);
    }
    return this.#patterns[rule]!;
  }

  view(view: View): number {
    if (view === this.#view) return this.#viewNumber;
    let number = this.#views.get(view);
    if (number === undefined) {
      number = this.of(view.id);
      this.#views.set(view, number);
    }
    this.#view = view;
    this.#viewNumber = number;
    return number;
  }

  lease(bound: Bound): LeaseWords {
    let words = this.#leases.get(bound);
    if (words === undefined) {
      words = {
        lease: this.of(bound.lease),
        job: bound.job === null ? 0 : this.of(JSON.stringify(bound.job)),
      };
      this.#leases.set(bound, words);
    }
    return words;
  }

  certificate(credential: Credential): number {
    let number = this.#certificates.get(credential);
    if (number === undefined) {
      number = this.of(JSON.stringify(credential.names.slice(0, SHOWN_NAMES)));
      this.#certificates.set(credential, number);
    }
    return number;
  }
}

/** Of a certificate, in an event. */
const SHOWN_NAMES = 4;

import type { Observed, ObservedVerdict, Who } from '../detect/patterns/observed.ts';
import { GROUND } from '../policy/decide/decision.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { certificateOf, type QuestionRecord } from './slot-question.ts';

/** Certificates whose claims are remembered. */
const MOST_CERTIFICATES = 4_096;

interface Claim extends Who {
  readonly text: string;
}

/** A question as detectors want it: one object for all, good until the next is read. Texts are made when they are asked for. */
export class ObservedQuestion implements Observed {
  at: EpochMilliseconds = 0;
  identity = '';
  name: Uint8Array = new Uint8Array(1);
  domain = 0;
  type = 0;
  verdict: ObservedVerdict = 'deny';
  count = 1;
  proven = false;
  expected = false;
  isOfOtherStage = false;
  isInQuarantine = false;
  isOfPattern = false;
  readonly who = { low: 0, high: 0 };
  /** Questions that a slot stood for besides, of which nobody can say under which registered domain they were. */
  unplaced = 0;
  #question: QuestionRecord | null = null;
  #claim: Claim | null = null;
  readonly #registered: (name: Uint8Array) => number;
  readonly #secret: Int32Array;
  readonly #certificates = new Map<string, Claim>();

  /** `registered`: where the registered domain of a wire name starts. `secret`: 16 octets. */
  constructor(registered: (name: Uint8Array) => number, secret: Uint8Array) {
    this.#registered = registered;
    this.#secret = new Int32Array(Uint8Array.from(secret).buffer);
  }

  read(question: QuestionRecord, isOfPattern: boolean): this {
    const { name, certificate } = question;
    this.#question = question;
    this.at = question.at;
    this.identity = question.identity;
    this.name = name;
    this.domain = this.#registered(name);
    this.type = question.type;
    this.verdict = question.kind as ObservedVerdict;
    this.proven = question.proven;
    this.expected = question.expected;
    this.isOfOtherStage = question.ground === GROUND.OTHER_STAGE;
    this.isInQuarantine = question.isInQuarantine;
    this.isOfPattern = isOfPattern;
    this.count = 1 + this.#moreOf(question.more);
    this.#claim = certificate === '' ? null : this.#claimOf(certificate, question);
    if (this.#claim === null) this.#mix(question.networkHigh, question.networkLow);
    else {
      this.who.low = this.#claim.low;
      this.who.high = this.#claim.high;
    }
    return this;
  }

  get claim(): string {
    return this.#claim?.text ?? this.#question?.network ?? '';
  }

  get lease(): string {
    return this.#question?.lease ?? '';
  }

  get resembles(): string {
    return this.#question?.resembles ?? '';
  }

  /** A slot stands for questions with the same two last labels: where the registered domain has three, these may be others. */
  #moreOf(more: number): number {
    const { name, domain } = this;
    const second = domain + 1 + name[domain]!;
    if (more === 0 || name[second] === 0 || name[second + 1 + name[second]!] === 0) return more;
    this.unplaced += more;
    return 0;
  }

  /** The name of a certificate, or its fingerprint. */
  #claimOf(certificate: string, question: QuestionRecord): Claim {
    const known = this.#certificates.get(certificate);
    if (known !== undefined) return known;
    const { san, fingerprint } = certificateOf(certificate).certificate ?? {};
    const text = san ?? fingerprint ?? question.network;
    const octets = Buffer.from(text);
    this.#mix(octets.length, 0);
    for (let i = 0; i < octets.length; i += 4) {
      let word = 0;
      for (let j = i; j < Math.min(i + 4, octets.length); j++) word |= octets[j]! << (8 * (j - i));
      this.#mix(this.who.high ^ word, this.who.low);
    }
    const claim = { text, ...this.who };
    if (this.#certificates.size >= MOST_CERTIFICATES) this.#certificates.clear();
    this.#certificates.set(certificate, claim);
    return claim;
  }

  #mix(high: number, low: number): void {
    const [a, b, c, d] = this.#secret as unknown as [number, number, number, number];
    const { who } = this;
    who.low = mixed(high ^ a, low ^ b);
    who.high = mixed(low ^ c, high ^ d ^ who.low);
  }
}

function mixed(first: number, second: number): number {
  let hash = Math.imul(
    first ^ (first >>> 16) ^ Math.imul(second ^ (second >>> 15), 0x9e37_79b1),
    0x85eb_ca6b,
  );
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

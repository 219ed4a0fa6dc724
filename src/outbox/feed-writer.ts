import { type EXIT, EXITS } from '../resolve/exit.ts';
import { COURSE, type Turn } from '../resolve/story/turn.ts';
import { RCODE } from '../wire/iana.ts';
import { nameFromText } from '../wire/name.ts';
import type { ClockOffset, Monotonic } from '../wire/quantity.ts';
import { KINDS, type Kind } from './event.ts';
import { FloodGate } from './flood-gate.ts';
import { copyAddresses } from './given-addresses.ts';
import { QuestionSlots } from './question-slots.ts';
import type { RingWriter } from './ring-writer.ts';
import { AT, EXTRA_SIZE, FLAG_BIT, MAX_ADDRESSES, RECORD, SLOT_FINDINGS, type SlotFinding } from './slot.ts';

const kindIndex = (kind: Kind): number => KINDS.indexOf(kind);
const DENY = kindIndex('deny');
const EMPTY = kindIndex('empty');
const CONTAIN = kindIndex('contain');
const WOULD_DENY = kindIndex('would_deny');
const WOULD_CONTAIN = kindIndex('would_contain');
const ALLOW = kindIndex('allow');
const FINDING = kindIndex('finding');

/** The kind of the event that a query ends in; -1 for none: it was no question, or its client was sent to TCP. */
const KIND_BY_EXIT: Readonly<Record<keyof typeof EXIT, number>> = {
  drop: -1,
  formerr: -1,
  notimp: -1,
  badvers: -1,
  refused: -1,
  deny: DENY,
  deny_unproven: DENY,
  deny_expected: DENY,
  empty: EMPTY,
  contained: CONTAIN,
  local: ALLOW,
  hit: ALLOW,
  stale: ALLOW,
  forwarded: ALLOW,
  servfail: ALLOW,
  withheld: ALLOW,
  limited: ALLOW,
  unproven: -1,
  ungranted: ALLOW,
};
const KIND_OF_EXIT = Int8Array.from(EXITS, (name) => KIND_BY_EXIT[name]);

/** Puts what the story tells into the ring: numbers and one copied name. Nothing here waits; where nobody wants a kind it costs a comparison. */
export class FeedWriter {
  readonly slots: QuestionSlots;
  readonly #ring: RingWriter;
  /** One bit for each kind, by its index. */
  #wanted = 1 << FINDING;
  /** Kinds of which each question is told, flood or not. */
  #taken = 0;
  /** Kinds that detectors hear: of a flood a part. */
  #heard = 0;
  /** Until then somebody looks on, and each has a slot. */
  #wholeUntil: Monotonic = Number.NEGATIVE_INFINITY;
  readonly gate: FloodGate;

  /** `origin`: see `setOrigin`. */
  constructor(ring: RingWriter, origin: ClockOffset) {
    this.#ring = ring;
    this.slots = new QuestionSlots(ring, origin);
    this.gate = new FloodGate(crypto.getRandomValues(new Uint32Array(1))[0]!);
  }

  /** The kinds that sinks take, and those that detectors hear. Findings are always kept. */
  want(taken: Iterable<Kind>, heard: Iterable<Kind> = []): void {
    this.#taken = bitsOf(taken);
    this.#heard = bitsOf(heard);
    this.#wanted = (1 << FINDING) | this.#taken | this.#heard;
  }

  /** Somebody looks on until then: what he would not see of a flood has slots too. */
  showAll(until: Monotonic): void {
    this.#wholeUntil = until;
  }

  /** The machine's clock may be set while the other goes on: to be called every second or so. */
  setOrigin(origin: ClockOffset): void {
    this.slots.origin = origin;
  }

  /** Events that the ring could not take since the start, and how many wait in it. */
  get counts(): { readonly lost: number; readonly depth: number } {
    return { lost: this.#ring.lost, depth: this.#ring.depth };
  }

  decided(turn: Turn): void {
    if (turn.course.isAudited && (this.#wanted & (1 << WOULD_DENY)) !== 0)
      this.#decision(turn, WOULD_DENY, 0);
    if (turn.asker.doubt !== null && turn.fetched.round === 0) this.#finding(turn, turn.asker.doubt);
  }

  /** An audited question leaves, though its budget is spent. */
  overspent(turn: Turn): void {
    if ((this.#wanted & (1 << WOULD_CONTAIN)) !== 0) this.#decision(turn, WOULD_CONTAIN, 0);
  }

  ended(turn: Turn, length: number): void {
    const { end, asker, course, fetched } = turn;
    if (end.finding !== null) this.#answerFinding(turn);
    if (asker.doubt !== null && fetched.round !== 0) this.#finding(turn, asker.doubt);
    const kind = KIND_OF_EXIT[end.exit]!;
    if (kind < 0 || (this.#wanted & (1 << kind)) === 0) return;
    // A question is one event: what audit lets through has had its own. What was no question has none.
    if (course.isAudited || fetched.isOverspent || end.finding === 'would_deny') return;
    if (course.kind === COURSE.NONE) return;
    this.#decision(turn, kind, length);
  }

  /**
   * Writes a text in JSON that is not one question; whether it had room. Without that it counts as an event of `identity` that is
   * lost: of this kind, null where it would have been none.
   */
  note(body: object, identity: string, now: Monotonic, kind: Kind | null = 'finding'): boolean {
    const hasRoom = this.#ring.note(JSON.stringify(body));
    if (!hasRoom && kind !== null) this.#ring.lose(identity, kindIndex(kind), this.slots.origin + now);
    return hasRoom;
  }

  #answerFinding(turn: Turn): void {
    const { finding, culprit } = turn.end;
    if (finding !== 'would_deny') this.#finding(turn, finding!);
    else if ((this.#wanted & (1 << WOULD_DENY)) !== 0 && !turn.course.isAudited) {
      const at = this.slots.begin(turn, RECORD.DECISION, WOULD_DENY);
      if (at < 0) return;
      this.#culprit(at, culprit, FLAG_BIT.CULPRIT_NAME);
      this.#ring.publish();
    }
  }

  #decision(turn: Turn, kind: number, length: number): void {
    const stands = this.#standsFor(turn, kind);
    if (stands === 0 && (this.#taken & (1 << kind)) === 0 && turn.now >= this.#wholeUntil) return;
    const at = this.slots.begin(turn, RECORD.DECISION, kind);
    if (at < 0) {
      this.gate.unheard += Math.max(0, stands - 1);
      return;
    }
    const { bytes, halves } = this.#ring;
    if (stands > 0) halves[(at + AT.MORE) >>> 1] = stands - 1;
    else bytes[at + AT.UNHEARD] = 1;
    if (turn.decision.resembles !== '')
      this.#culprit(at, nameOf(turn.decision.resembles), FLAG_BIT.CULPRIT_NAME);
    if (kind === ALLOW && turn.end.rcode === RCODE.NOERROR) {
      const count = copyAddresses(turn.reply.out, length, bytes, at + AT.EXTRA, MAX_ADDRESSES);
      bytes[at + AT.EXTRA_COUNT] = count;
      if (count > 0) bytes[at + AT.FLAGS]! |= FLAG_BIT.ADDRESSES;
    }
    this.#ring.publish();
  }

  /** Questions that this one stands for before detectors; 0 where they do not hear it. */
  #standsFor(turn: Turn, kind: number): number {
    // Detectors make nothing of what a forged source may have sent.
    if ((this.#heard & (1 << kind)) === 0 || !turn.asker.proven) return 0;
    return this.gate.admit(turn);
  }

  #finding(turn: Turn, finding: SlotFinding): void {
    const at = this.slots.begin(turn, RECORD.FINDING, FINDING);
    if (at < 0) return;
    const { bytes, words } = this.#ring;
    bytes[at + AT.KIND] = SLOT_FINDINGS.indexOf(finding);
    words[(at + AT.OTHER) / 4] = this.slots.other;
    const what = finding === 'private-address' ? FLAG_BIT.CULPRIT_ADDRESS : FLAG_BIT.CULPRIT_NAME;
    this.#culprit(at, turn.end.finding === finding ? turn.end.culprit : null, what);
    this.#ring.publish();
  }

  /** What a finding is about: an address, or a wire name, whose first labels are left out where it does not fit. */
  #culprit(at: number, culprit: Uint8Array | null, what: number): void {
    if (culprit === null) return;
    const { bytes } = this.#ring;
    let from = 0;
    while (culprit.length - from > EXTRA_SIZE) from += 1 + culprit[from]!;
    bytes[at + AT.EXTRA_COUNT] = culprit.length - from;
    bytes[at + AT.FLAGS]! |= what | (from > 0 ? FLAG_BIT.CUT : 0);
    bytes.set(culprit.subarray(from), at + AT.EXTRA);
  }
}

function bitsOf(kinds: Iterable<Kind>): number {
  let bits = 0;
  for (const kind of kinds) bits |= 1 << kindIndex(kind);
  return bits;
}

/** Wire form of a name that the policy has. */
function nameOf(text: string): Uint8Array | null {
  const name = nameFromText(text);
  return name instanceof Uint8Array ? name : null;
}

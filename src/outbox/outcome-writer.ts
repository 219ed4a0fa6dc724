import { EXIT } from '../resolve/exit.ts';
import { COURSE, type Turn } from '../resolve/story/turn.ts';
import { RCODE, TYPE } from '../wire/iana.ts';
import type { Milliseconds, Monotonic, Times } from '../wire/quantity.ts';
import { KINDS } from './event.ts';
import type { QuestionSlots } from './question-slots.ts';
import { OUTCOME, OUTCOMES, RECORD } from './slot.ts';

const ALLOW = KINDS.indexOf('allow');
const GOOD = OUTCOMES.indexOf('good');
const MISSING = OUTCOMES.indexOf('missing');
const FAILED = OUTCOMES.indexOf('failed');
const EMPTY = OUTCOMES.indexOf('empty');

/** In a reply its TC bit, and how many records its answer has (RFC 1035 §4.1.1). */
const FLAGS = 2;
const TRUNCATED = 0x02;
const ANCOUNT = 6;
/** Names and clients of which the last outcome is remembered, and clients whose questions are counted. Powers of two. */
const PLACES = 16_384;
const CLIENTS = 16_384;
/** An answer is told again after so long, one out of the cache, and what is no answer: milliseconds. */
const GOOD_MS: Milliseconds = 30_000;
const KEPT_MS: Milliseconds = 1_200_000;
const BAD_MS: Milliseconds = 1_000;
/** Answers out of the cache that are told in a second. */
const KEPT_A_SECOND = 32;
const SECOND: Milliseconds = 1_000;
/** Names of one identity that are told as new in a second: those who hear it remember some 2,000 of each identity. */
const NEW_A_SECOND = 128;
/** In place of a time: the next answer of this name is told whatever else is. */
const OWED = Number.POSITIVE_INFINITY;

/**
 * Tells the detectors what approved questions get upstream: answers seldom, and what is no answer once a second of a client and
 * name. A hit costs a few comparisons and a count: a name that is renewed or asked often is known by its hits alone. Of an
 * identity that asks for ever other names some are told in each second. What has no room in the ring is not told, and is counted.
 */
export class OutcomeWriter {
  /** Outcomes that the ring had no room for, since the start. */
  lost = 0;
  readonly #slots: QuestionSlots;
  /** By a hash: what was told last, when, and how many came since. */
  readonly #tags = new Int32Array(PLACES);
  readonly #times: Times<Monotonic> = new Float64Array(PLACES);
  readonly #counts = new Uint32Array(PLACES);
  readonly #clients = new Int32Array(CLIENTS);
  readonly #questions = new Uint32Array(CLIENTS);
  /** When this second of hits began, and how many more are told in it. */
  #second: Monotonic = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(slots: QuestionSlots) {
    this.#slots = slots;
  }

  /** Of `Observer`. */
  ended(turn: Turn): void {
    const { asker, course, end, query, decision } = turn;
    if (course.kind === COURSE.NONE || !asker.proven) return;
    if (query.type === TYPE.TXT) asker.standing.underway.txt++;
    const { w0, w1, w2, w3 } = asker.client;
    const client = mixed(
      w0 ^ Math.imul(w1 ^ Math.imul(w2 ^ w3, 0x85eb_ca6b), 0xc2b2_ae35),
      asker.standing.underway.id,
    );
    const place = client & (CLIENTS - 1);
    if (this.#clients[place] !== client) {
      this.#clients[place] = client;
      this.#questions[place] = 0;
    }
    this.#questions[place]!++;
    const { exit, rcode } = end;
    const isKept = exit === EXIT.hit && rcode === RCODE.NOERROR;
    if (isKept && !this.#mayTellKept(turn.now)) return;
    if (course.kind !== COURSE.FETCH || course.isAudited || course.trust !== null || decision.rule < 0)
      return;
    if (isKept) this.#good(turn, KEPT_MS);
    else if (exit === EXIT.forwarded && rcode === RCODE.NOERROR) this.#good(turn, GOOD_MS);
    else if (exit === EXIT.stale || exit === EXIT.servfail) this.#bad(turn, FAILED, client, place);
    else if (rcode === RCODE.NXDOMAIN && (exit === EXIT.forwarded || exit === EXIT.hit))
      this.#bad(turn, MISSING, client, place);
  }

  #mayTellKept(now: Monotonic): boolean {
    if (this.#left > 0) return true;
    if (now - this.#second < SECOND) return false;
    this.#second = now;
    this.#left = KEPT_A_SECOND;
    return true;
  }

  /** An answer with data or without, which is told again after `pace`. */
  #good(turn: Turn, pace: Milliseconds): void {
    const key = turn.wanted.key;
    if (key === null) return;
    const tag = mixed(key.hash, turn.asker.standing.underway.id);
    const place = tag & (PLACES - 1);
    const { out } = turn.reply;
    // What had no room in it is asked for again over TCP.
    if ((out[FLAGS]! & TRUNCATED) !== 0) return;
    const isEmpty = out[ANCOUNT] === 0 && out[ANCOUNT + 1] === 0;
    // The sign says which of the two was told: the other is told at once.
    const told = isEmpty ? -1 - turn.now : turn.now;
    const before = this.#times[place]!;
    if (this.#tags[place] !== tag) {
      if (pace !== KEPT_MS && !mayTellNew(turn)) return;
    } else if (before < 0 === isEmpty && before !== OWED) {
      if (turn.now - (isEmpty ? -1 - before : before) < (isEmpty ? GOOD_MS : pace)) return;
    }
    if (pace === KEPT_MS) this.#left--;
    this.#tags[place] = tag;
    this.#times[place] = told;
    this.#tell(turn, isEmpty ? EMPTY : GOOD, 1, 0);
  }

  #bad(turn: Turn, state: number, client: number, clientPlace: number): void {
    const key = turn.wanted.key;
    if (key === null) return;
    const good = mixed(key.hash, turn.asker.standing.underway.id);
    if (this.#tags[good & (PLACES - 1)] === good) this.#times[good & (PLACES - 1)] = OWED;
    const tag = mixed(key.hash ^ client, state);
    const place = tag & (PLACES - 1);
    if (this.#tags[place] !== tag) {
      this.#tags[place] = tag;
      this.#counts[place] = 0;
    } else if (turn.now - this.#times[place]! < BAD_MS) {
      this.#counts[place]!++;
      return;
    }
    this.#times[place] = turn.now;
    this.#tell(turn, state, 1 + this.#counts[place]!, this.#questions[clientPlace]!);
    this.#counts[place] = 0;
    this.#questions[clientPlace] = 0;
  }

  #tell(turn: Turn, state: number, count: number, questions: number): void {
    const { ring, words } = this.#slots;
    if (!ring.hasRoom()) {
      this.lost++;
      return;
    }
    const { snapshot } = turn.inForce;
    words.begin(snapshot);
    const destination = state === GOOD ? 0 : words.destination(snapshot, turn.decision.rule);
    const at = this.#slots.begin(turn, RECORD.OUTCOME, ALLOW);
    if (at < 0) return;
    ring.bytes[at + OUTCOME.STATE] = state;
    ring.bytes[at + OUTCOME.GROUP] = turn.inForce.groupIds[turn.wanted.group]! & 0xff;
    ring.bytes[at + OUTCOME.FRESH] = turn.end.exit === EXIT.forwarded ? 1 : 0;
    ring.words[(at + OUTCOME.COUNT) >>> 2] = count;
    ring.words[(at + OUTCOME.QUESTIONS) >>> 2] = questions;
    ring.words[(at + OUTCOME.DESTINATION) >>> 2] = destination;
    ring.publish();
  }
}

/** Whether one more name of the asker's identity is told that was not told lately. */
function mayTellNew({ asker, now }: Turn): boolean {
  const { underway } = asker.standing;
  if (now - underway.answersSince >= SECOND) {
    underway.answersSince = now;
    underway.answers = 0;
  }
  return underway.answers++ < NEW_A_SECOND;
}

function mixed(first: number, second: number): number {
  let hash = Math.imul(first ^ (first >>> 16) ^ Math.imul(second + 1, 0x9e37_79b1), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

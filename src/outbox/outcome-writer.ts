import { EXIT } from '../resolve/exit.ts';
import { COURSE, type Turn } from '../resolve/story/turn.ts';
import { RCODE, TYPE } from '../wire/iana.ts';
import { KINDS } from './event.ts';
import type { QuestionSlots } from './question-slots.ts';
import { OUTCOME, OUTCOMES, RECORD } from './slot.ts';

const ALLOW = KINDS.indexOf('allow');
const GOOD = OUTCOMES.indexOf('good');
const MISSING = OUTCOMES.indexOf('missing');
const FAILED = OUTCOMES.indexOf('failed');

/** Names and clients of which the last outcome is remembered, and clients whose questions are counted. Powers of two. */
const PLACES = 16_384;
const CLIENTS = 16_384;
/** An answer is told again after so long, and what is no answer: milliseconds. */
const GOOD_MS = 30_000;
const BAD_MS = 1_000;

/**
 * Tells the detectors what approved questions get upstream: answers seldom, and what is no answer once a second of a client and
 * name. A hit costs a comparison and a count. What has no room in the ring is not told: it is no event, and nobody's account.
 */
export class OutcomeWriter {
  readonly #slots: QuestionSlots;
  /** By a hash: what was told last, when, and how many came since. */
  readonly #tags = new Int32Array(PLACES);
  readonly #times = new Float64Array(PLACES);
  readonly #counts = new Uint32Array(PLACES);
  readonly #clients = new Int32Array(CLIENTS);
  readonly #questions = new Uint32Array(CLIENTS);

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
    if (exit === EXIT.hit && rcode === RCODE.NOERROR) return;
    if (course.kind !== COURSE.FETCH || course.isAudited || course.trust !== null || decision.rule < 0)
      return;
    if (exit === EXIT.forwarded && rcode === RCODE.NOERROR) this.#good(turn);
    else if (exit === EXIT.stale || exit === EXIT.servfail) this.#bad(turn, FAILED, client, place);
    else if (rcode === RCODE.NXDOMAIN && (exit === EXIT.forwarded || exit === EXIT.hit))
      this.#bad(turn, MISSING, client, place);
  }

  #good(turn: Turn): void {
    const key = turn.wanted.key;
    if (key === null) return;
    const tag = mixed(key.hash, turn.asker.standing.underway.id);
    const place = tag & (PLACES - 1);
    if (this.#tags[place] === tag && turn.now - this.#times[place]! < GOOD_MS) return;
    this.#tags[place] = tag;
    this.#times[place] = turn.now;
    this.#tell(turn, GOOD, 1, 0);
  }

  #bad(turn: Turn, state: number, client: number, clientPlace: number): void {
    const key = turn.wanted.key;
    if (key === null) return;
    const good = mixed(key.hash, turn.asker.standing.underway.id);
    // The next answer is told at once.
    if (this.#tags[good & (PLACES - 1)] === good) this.#tags[good & (PLACES - 1)] = 0;
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
    if (!ring.hasRoom()) return;
    const { snapshot } = turn.inForce;
    words.begin(snapshot);
    const destination = state === GOOD ? 0 : words.destination(snapshot, turn.decision.rule);
    const at = this.#slots.begin(turn, RECORD.OUTCOME, ALLOW);
    if (at < 0) return;
    ring.bytes[at + OUTCOME.STATE] = state;
    ring.words[(at + OUTCOME.COUNT) >>> 2] = count;
    ring.words[(at + OUTCOME.QUESTIONS) >>> 2] = questions;
    ring.words[(at + OUTCOME.DESTINATION) >>> 2] = destination;
    ring.publish();
  }
}

function mixed(first: number, second: number): number {
  let hash = Math.imul(first ^ (first >>> 16) ^ Math.imul(second + 1, 0x9e37_79b1), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

import { REASON } from '../../policy/explain/reason.ts';
import { EDE, isTrustType } from '../../wire/iana.ts';
import { edeText } from '../client/ede-text.ts';
import { EXIT } from '../exit.ts';
import type { Flights } from '../flights/flights.ts';
import type { Charges } from '../ledger/charges.ts';
import type { PaidNames } from '../ledger/paid-names.ts';
import { failureText } from '../local/failure-text.ts';
import { LATER } from '../ports.ts';
import { contain, limited, servfail, truncate } from './end.ts';
import type { Resumption } from './resume.ts';
import { LAST_ROUND, type Turn } from './turn.ts';

/** Seconds that an answer to a written-out name is kept at least: else a TTL of 0 would let a client tell time by asking. */
const LEAST_LIFE = 5;
/** And what a validator asks about. */
const LEAST_TRUST_LIFE = 300;

/**
 * Asks an upstream for `turn.wanted`, and puts the query by; or says why it may not be asked. Returns LATER, or the
 * reply's length. What would begin a flight because of a wildcard is charged first, behind proof and share.
 */
export function forward(
  turn: Turn,
  flights: Flights,
  resumption: Resumption,
  charges: Charges | null,
  paid: PaidNames,
): number {
  const { asker, wanted, fetched, inForce } = turn;
  const { underway, share } = asker.standing;
  // A forged source must not make us ask (RFC 7873 §1); on TCP it cannot be forged.
  if (!asker.proven) return truncate(turn, EXIT.unproven);
  if (fetched.round === LAST_ROUND) return servfail(turn, EXIT.servfail, EDE.OTHER, CHANGED);
  if (resumption.waiting >= inForce.limits.inFlight || underway.inFlight >= share)
    return limited(turn, REASON.SHARE);
  const key = wanted.key!;
  const charged = charges?.isCharged(turn) ?? false;
  let departs = false;
  // What was asked and paid for, and has to be asked again, is the same message.
  if (charged && !flights.isUnderWay(key) && !fetched.isFor(key)) {
    if (!charges!.charge(turn)) return contain(turn);
    turn.course.isOverspent = charges!.ledger.refusedBy !== null;
    departs = charges!.isBounded;
  }
  const question = {
    group: wanted.group,
    name: copyOf(wanted.name, wanted.nameLength),
    type: turn.query.type,
    checkingDisabled: wanted.checkingDisabled,
  };
  const life = isTrustType(question.type) ? LEAST_TRUST_LIFE : charged ? 0 : LEAST_LIFE;
  resumption.putBy(turn, (pending) => {
    if (!departs) {
      flights.join(key, question, life, pending);
      return;
    }
    const { text } = key;
    const { departures, order, payer } = charges!;
    const kept =
      turn.course.trust === null && paid.add(text, question, payer, asker.standing.identity.name, turn.now);
    const then = kept ? (until: number) => paid.landed(text, until) : null;
    flights.depart(key, question, life, pending, departures, order, then);
  });
  return LATER;
}

const CHANGED = edeText('the policy changed while it waited', '');

/** The upstream failed, now or a moment ago. */
export function failed(turn: Turn): number {
  const { wanted, inForce } = turn;
  const { ede, failure } = wanted.entry!;
  const text = edeText(failureText(failure!), inForce.replies.contact);
  return servfail(turn, EXIT.servfail, ede, text, wanted.waited ? null : EDE.CACHED_ERROR);
}

/** Out of Buffer's pool: an array with octets of its own takes more than twice as much of the heap. */
function copyOf(octets: Uint8Array, length: number): Uint8Array {
  const copy = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) copy[i] = octets[i]!;
  return copy;
}

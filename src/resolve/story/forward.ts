import { GROUND } from '../../policy/decide/decision.ts';
import { REASON } from '../../policy/explain/reason.ts';
import { EDE, isTrustType } from '../../wire/iana.ts';
import type { Monotonic, RrType, Seconds } from '../../wire/quantity.ts';
import { edeText } from '../client/ede-text.ts';
import { EXIT } from '../exit.ts';
import type { Flights } from '../flights/flights.ts';
import type { Charges } from '../ledger/charges.ts';
import type { PaidNames } from '../ledger/paid-names.ts';
import { failureText } from '../local/failure-text.ts';
import { LATER, type UpstreamQuestion } from '../ports.ts';
import { contain, limited, servfail, truncate } from './end.ts';
import type { Pending, Resumption } from './resume.ts';
import { LAST_ROUND, type Turn } from './turn.ts';

/** Seconds that an answer to a written-out name is kept at least: else a TTL of 0 would let a client tell time by asking. */
const LEAST_LIFE: Seconds = 5;
/** And what a validator asks about. */
const LEAST_TRUST_LIFE: Seconds = 300;

/**
 * Asks an upstream for `turn.wanted`, and puts the query by; or says why it may not be asked. Returns LATER, or the
 * reply's length. What would begin a flight because of a wildcard is charged first, behind proof and share. Writes
 * `turn.departure`.
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
    turn.departure.isOverspent = charges!.ledger.refusedBy !== null;
    departs = charges!.isBounded;
  }
  const life = isTrustType(turn.query.type) ? LEAST_TRUST_LIFE : charged ? 0 : LEAST_LIFE;
  const pending = resumption.take(turn);
  if (departs) depart(turn, flights, pending, life, charges!, paid);
  else {
    if (turn.decision.ground === GROUND.CHAIN_OF_TRUST && turn.decision.rule < 0)
      keepFresh(turn, flights, paid);
    flights.join(key, wanted.group, life, pending);
  }
  resumption.wait(pending);
  return LATER;
}

/**
 * Begins a validator's question for a name above an approved one, which is kept fresh from then on: the zone of a wildcard is
 * its owner's, who would be told by the moments of such questions.
 */
function keepFresh({ wanted, asker, query, now }: Turn, flights: Flights, paid: PaidNames): void {
  const { text } = wanted.key!;
  const { identity } = asker.standing;
  const question = questionOf(wanted, query.type);
  const by = { client: -1 - identity.index, payers: 0, identity: identity.name };
  if (!flights.isUnderWay(wanted.key!) && paid.add(text, question, by, query.type, now))
    flights.renew(text, question, 'paid', (until) => paid.landed(text, until));
}

function questionOf(
  { group, name, nameLength, checkingDisabled }: Turn['wanted'],
  type: RrType,
): UpstreamQuestion {
  return { group, name: Uint8Array.from(name.subarray(0, nameLength)), type, checkingDisabled };
}

/** Begins a question that a bound stands over: it leaves at its tick, and its name is kept fresh from then on. */
function depart(
  turn: Turn,
  flights: Flights,
  pending: Pending,
  life: Seconds,
  charges: Charges,
  paid: PaidNames,
): void {
  const { wanted, query } = turn;
  const key = wanted.key!;
  const { text } = key;
  const { departures, by } = charges;
  const order = charges.orderOf(query.type);
  const question = questionOf(wanted, query.type);
  const isPlain = turn.course.trust === null;
  const kept = isPlain && paid.add(text, question, by, order, turn.now);
  const then = kept ? (until: Monotonic) => paid.landed(text, until) : null;
  flights.depart(key, wanted.group, life, pending, departures, order, then);
}

const CHANGED = edeText('the policy changed while it waited', '');

/** The upstream failed, now or a moment ago. */
export function failed(turn: Turn): number {
  const { wanted, inForce } = turn;
  const { ede, failure } = wanted.entry!;
  const text = edeText(failureText(failure!), inForce.replies.contact);
  return servfail(turn, EXIT.servfail, ede, text, wanted.waited ? null : EDE.CACHED_ERROR);
}

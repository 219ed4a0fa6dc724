import { FLAG } from '../../wire/header.ts';
import type { Entry } from '../answer/answer.ts';
import type { Flights } from '../flights/flights.ts';
import { KEY_ROOM, keyOf } from '../flights/key.ts';
import type { Turn } from './turn.ts';

/** What there is of what is wanted. */
export const HELD = {
  /** Nothing that may be given: an upstream has to be asked. */
  NOTHING: 0,
  /** An answer, and it is fresh. */
  FRESH: 1,
  /** An answer that is no longer fresh and may be given since nobody has a better one (RFC 8767). */
  STALE: 2,
  /** A failure: nobody is asked again yet, or this query has just waited for it. */
  FAILED: 3,
} as const;

export type Held = (typeof HELD)[keyof typeof HELD];

/** A redirect's target, with the spare octets that a key is finished in. Not re-entrant: one query is in hand. */
const target = Buffer.alloc(KEY_ROOM);

/**
 * Looks in what this query has waited for, then in the store, for the question or for what its redirect leads to. Writes
 * `turn.wanted`.
 */
export function lookUp(turn: Turn, flights: Flights): Held {
  const { query, wanted, course, fetched, inForce, now } = turn;
  if (course.redirect === null) {
    wanted.name = query.name;
    wanted.nameLength = query.nameLength;
  } else {
    const { to } = course.redirect.last;
    target.set(to);
    wanted.name = target;
    wanted.nameLength = to.length;
  }
  wanted.group = inForce.groupOf(wanted.name, wanted.nameLength);
  wanted.key = storeKey(turn, flights);
  const waited = fetched.under(wanted.key);
  if (waited !== null) {
    wanted.entry = waited;
    wanted.waited = true;
    if (fetched.stale && flights.mayServeStale(waited, now)) return HELD.STALE;
    if (waited.failure !== null) return HELD.FAILED;
    return waited.answer !== null && !fetched.stale ? HELD.FRESH : HELD.NOTHING;
  }
  const entry = flights.lookup(wanted.key);
  if (entry === undefined) return HELD.NOTHING;
  wanted.entry = entry;
  return heldIn(entry, turn, flights);
}

function heldIn(entry: Entry, { wanted, now }: Turn, flights: Flights): Held {
  if (entry.answer !== null && flights.isFresh(entry, now)) return HELD.FRESH;
  const failing = flights.isFailing(entry, now);
  if ((failing || flights.isSlow(wanted.key)) && flights.mayServeStale(entry, now)) return HELD.STALE;
  return failing ? HELD.FAILED : HELD.NOTHING;
}

export function isCheckingDisabled({ query }: Turn): boolean {
  return (query.flags & FLAG.CD) !== 0;
}

function storeKey(turn: Turn, flights: Flights): string {
  const cd = isCheckingDisabled(turn);
  let key = keyFor(turn, cd, 0);
  // A renewed answer serves everyone, CD or not: nothing that a client sends may cause a question.
  if (flights.renewing && cd) {
    const renewed = keyFor(turn, false, 0);
    if (flights.isRenewed(renewed)) key = renewed;
  }
  if (turn.inForce.cache.share === 'identity' && !flights.isRenewed(key))
    key = keyFor(turn, cd, turn.asker.standing.running.id);
  return key;
}

function keyFor({ wanted, query, inForce }: Turn, cd: boolean, identity: number): string {
  return keyOf(wanted.name, wanted.nameLength, query.type, inForce.groupIds[wanted.group]!, cd, identity);
}

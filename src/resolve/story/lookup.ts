import { FLAG } from '../../wire/header.ts';
import { MAX_NAME } from '../../wire/name.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';
import type { Flights } from '../flights/flights.ts';
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

/** A redirect's target. Not re-entrant: one query is in hand. */
const target = Buffer.alloc(MAX_NAME);

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
  const key = storeKey(turn, flights);
  wanted.key = key;
  const waited = fetched.under(key);
  if (waited !== null) {
    wanted.entry = waited;
    wanted.waited = true;
    if (fetched.stale && flights.mayServeStale(waited, now)) return HELD.STALE;
    if (waited.isFailed) return HELD.FAILED;
    return waited.hasAnswer && !fetched.stale ? HELD.FRESH : HELD.NOTHING;
  }
  const entry = flights.lookup(key);
  if (entry === null) return HELD.NOTHING;
  wanted.entry = entry;
  return heldIn(entry, key, now, flights);
}

function heldIn(entry: Entry, key: Key, now: Milliseconds, flights: Flights): Held {
  if (flights.isFresh(entry, now)) return HELD.FRESH;
  const failing = flights.isFailing(entry, now);
  if ((failing || flights.isSlow(key)) && flights.mayServeStale(entry, now)) return HELD.STALE;
  return failing ? HELD.FAILED : HELD.NOTHING;
}

/** CD as it goes upstream. Keys and signatures are the same with and without, so that a validator's questions go without. */
export function isCheckingDisabled({ query, course }: Turn): boolean {
  return course.trust === null && (query.flags & FLAG.CD) !== 0;
}

function storeKey(turn: Turn, flights: Flights): Key {
  // A renewed answer serves everyone, CD or not: nothing that a client sends may cause a question.
  const identity = turn.inForce.cache.share === 'identity' ? turn.asker.standing.underway.id : 0;
  const cd = isCheckingDisabled(turn);
  if (flights.renewing && (cd || identity !== 0)) {
    const renewed = keyFor(turn, flights, false, 0);
    if (flights.isRenewed(renewed)) return renewed;
  }
  return keyFor(turn, flights, cd, identity);
}

function keyFor({ wanted, query, inForce }: Turn, flights: Flights, cd: boolean, identity: number): Key {
  const { name, nameLength, group } = wanted;
  return flights.key(name, nameLength, query.type, inForce.groupIds[group]!, cd, identity);
}

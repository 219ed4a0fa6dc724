import { KIND } from '../../policy/snapshot.ts';
import { FLAG } from '../../wire/header.ts';
import { isTrustType } from '../../wire/iana.ts';
import { MAX_NAME } from '../../wire/name.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';
import type { Flights } from '../flights/flights.ts';
import { HELD, type Held } from './held.ts';
import type { Turn } from './turn.ts';

/** A redirect's target. Not re-entrant: one query is in hand. */
const target = Buffer.alloc(MAX_NAME);

/**
 * Looks in what this query has waited for, then in the store, for the question or for what its redirect leads to. Writes
 * `turn.wanted`.
 */
export function lookUp(turn: Turn, flights: Flights): Held {
  const { query, wanted, course, fetched, inForce } = turn;
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
  if (!mayDisableChecking(turn)) return heldUnder(turn, flights, false);
  if (!isUnderWildcard(turn) || fetched.isFor(keyFor(turn, flights, true, identityOf(turn))))
    return heldUnder(turn, flights, true);
  const held = heldUnder(turn, flights, false);
  return held === HELD.FAILED && isForChecking(wanted.entry!) ? heldUnder(turn, flights, true) : held;
}

/** DS and DNSKEY never leave with CD: keys and signatures are the same with and without it. */
function mayDisableChecking({ query, course }: Turn): boolean {
  return (query.flags & FLAG.CD) !== 0 && course.trust === null && !isTrustType(query.type);
}

/**
 * Under a wildcard CD leaves only for what the upstream has just refused, for that may be what it checked: any other answer
 * is the same without. So it tells nobody anything but there, where it is charged.
 */
function isUnderWildcard({ decision, inForce }: Turn): boolean {
  const { rule } = decision;
  return rule >= 0 && inForce.snapshot.rules.kind[rule]! >= KIND.STAR;
}

/** What is renewed serves everyone, CD or not: nothing that a client sends may cause a question. */
function isForChecking({ renewed, failure }: Entry): boolean {
  return !renewed && failure?.reason === 'refused';
}

function heldUnder(turn: Turn, flights: Flights, checkingDisabled: boolean): Held {
  const { wanted, fetched, now } = turn;
  wanted.checkingDisabled = checkingDisabled;
  const key = storeKey(turn, flights, checkingDisabled);
  wanted.key = key;
  const waited = fetched.under(key);
  wanted.waited = waited !== null && fetched.wasAsked;
  wanted.entry = waited;
  if (waited !== null) {
    if (fetched.held !== null) return fetched.held;
    if (fetched.stale && flights.mayServeStale(waited, now)) return HELD.STALE;
    if (waited.isFailed) return HELD.FAILED;
    return waited.hasAnswer && !fetched.stale ? HELD.FRESH : HELD.NOTHING;
  }
  const entry = flights.lookup(key);
  if (entry === null) return HELD.NOTHING;
  wanted.entry = entry;
  return heldIn(entry, key, now, flights);
}

function heldIn(entry: Entry, key: Key, now: Monotonic, flights: Flights): Held {
  if (flights.isFresh(entry, now)) return HELD.FRESH;
  const failing = flights.isFailing(entry, now);
  if ((failing || flights.isSlow(key)) && flights.mayServeStale(entry, now)) return HELD.STALE;
  return failing ? HELD.FAILED : HELD.NOTHING;
}

function storeKey(turn: Turn, flights: Flights, checkingDisabled: boolean): Key {
  const identity = identityOf(turn);
  if (flights.renewing && (checkingDisabled || identity !== 0)) {
    const renewed = keyFor(turn, flights, false, 0);
    if (flights.isRenewed(renewed)) {
      turn.wanted.checkingDisabled = false;
      return renewed;
    }
  }
  return keyFor(turn, flights, checkingDisabled, identity);
}

/** 0 where all share. */
function identityOf({ inForce, asker }: Turn): number {
  return inForce.cache.share === 'identity' ? asker.standing.underway.id : 0;
}

function keyFor({ wanted, query, inForce }: Turn, flights: Flights, cd: boolean, identity: number): Key {
  const { name, nameLength, group } = wanted;
  return flights.key(name, nameLength, query.type, inForce.groupIds[group]!, cd, identity);
}

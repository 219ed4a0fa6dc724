import { REASON } from '../../policy/explain/reason.ts';
import { EDE } from '../../wire/iana.ts';
import { unreachable } from '../../wire/quantity.ts';
import { copyOfEntry } from '../answer/entry.ts';
import { edeText } from '../client/ede-text.ts';
import { EXIT } from '../exit.ts';
import type { Flights } from '../flights/flights.ts';
import { type Gate, PASS } from '../grants/gate.ts';
import { LATER } from '../ports.ts';
import { limited, servfail, truncate } from './end.ts';
import { HELD } from './held.ts';
import type { Resumption } from './resume.ts';
import { COURSE, LAST_ROUND, type Turn } from './turn.ts';

/**
 * Lets a reply of `length` octets leave once its client may connect to what it holds: returns its length, LATER where its
 * grants are on their way, or the length of the reply that is sent in its place.
 */
export function grant(
  turn: Turn,
  length: number,
  gate: Gate,
  flights: Flights,
  resumption: Resumption,
): number {
  const pass = gate.pass(turn, length);
  switch (pass) {
    case PASS.GIVE:
      return length;
    case PASS.PROVE:
      // A forged source must not have anything opened in its name.
      return truncate(turn, EXIT.unproven);
    case PASS.REFUSE:
      return servfail(turn, EXIT.ungranted, EDE.NOT_READY, LATE);
    case PASS.WAIT:
      return wait(turn, gate, flights, resumption);
    default:
      return unreachable(pass);
  }
}

const LATE = edeText('the firewall has not taken what the answer would open', '');

function wait(turn: Turn, gate: Gate, flights: Flights, resumption: Resumption): number {
  const { asker, fetched, inForce, course, wanted, end } = turn;
  const { underway, share } = asker.standing;
  if (fetched.round === LAST_ROUND) return servfail(turn, EXIT.ungranted, EDE.NOT_READY, LATE);
  if (resumption.waiting >= inForce.limits.inFlight || underway.inFlight >= share)
    return limited(turn, REASON.SHARE);
  const pending = resumption.take(turn);
  const { key, entry } = wanted;
  if (course.kind === COURSE.FETCH && key !== null && entry !== null) {
    const again = fetched.held !== null && fetched.entry === entry;
    const held = end.exit === EXIT.stale ? HELD.STALE : HELD.FRESH;
    pending.keep(
      again ? fetched.key! : flights.copyOf(key),
      again ? entry : copyOfEntry(entry),
      held,
      wanted.waited,
    );
  }
  gate.ask(turn, (good) => pending.granted(good));
  resumption.wait(pending);
  return LATER;
}

import type { Tick } from '../wire/quantity.ts';
import type { Bill } from './bill.ts';
import { knownNameCost, newNameCost, occasionCost, trustNameCost } from './charge.ts';
import { HOLDER, type HolderKind, LONGEST_WAIT } from './holder.ts';

/** Units of a question for one key: `place` is where it remembers the name, `last` the tick of its last charge; or -1. */
export function costOf(
  bill: Bill,
  base: number,
  kind: HolderKind,
  place: number,
  last: Tick,
  tick: Tick,
): number {
  const wait = last < 0 ? LONGEST_WAIT : Math.max(0, tick - last);
  const occasion = occasionCost(wait, bill.types);
  if (place >= 0) return occasion + knownNameCost();
  if (bill.trust) return occasion + trustNameCost(bill.nameLength);
  // All wildcards lie under the root.
  return occasion + newNameCost(kind === HOLDER.IDENTITY ? bill.nameLength - 1 : bill.frontOctets[base]!);
}

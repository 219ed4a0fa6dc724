import { TABLE } from './kernel/elements.ts';
import { PROBE_TABLE } from './kernel/kernel-probe.ts';
import type { NetfilterExchange } from './kernel/netlink-exchange.ts';
import { shapeOf } from './kernel/table-shape.ts';
import { type SkeletonTerms, skeleton } from './table-skeleton.ts';

/** `asleep`: the table is dormant, and judges nothing. */
export type RulesState = 'good' | 'gone' | 'changed' | 'asleep';

/**
 * Compares the rules that are in force with those that the server file asks for. These are written into a dormant table for
 * a moment. Throws with what is wrong where that cannot be.
 */
export function inspectRules(
  exchange: NetfilterExchange,
  nft: (script: string) => string | null,
  terms: SkeletonTerms,
): RulesState {
  const found = shapeOf(exchange, TABLE);
  if (found === null) return 'gone';
  if (found.isDormant) return 'asleep';
  const remove = `table inet ${PROBE_TABLE} {\n}\ndelete table inet ${PROBE_TABLE}\n`;
  const wrong = nft(`${remove}${skeleton(terms, PROBE_TABLE)}`);
  if (wrong !== null) throw new Error(wrong);
  try {
    return shapeOf(exchange, PROBE_TABLE)?.hash === found.hash ? 'good' : 'changed';
  } finally {
    nft(remove);
  }
}

import { END, newNameCost, occasionCost, TICK_MS, UNITS_A_BIT } from './charge.ts';

const DAY_TICKS = 86_400_000 / TICK_MS;
/** Types of a wildcard's rule unless it says otherwise: A, AAAA and CNAME. */
const TYPES = 3;
/** Octets of the names that estimates speak of. */
export const USUAL_NAME = 20;

/**
 * About how many new names of `length` octets, one label each, `octets` octets of budget pay for where they are asked evenly
 * over a day: what a budget means for whoever reads it. A burst gets a few more, for shorter waits cost less.
 */
export function newNames(octets: number, length = USUAL_NAME): number {
  const units = octets * 8 * UNITS_A_BIT - END;
  const name = newNameCost(length + 1);
  let low = 0;
  let high = Math.max(0, Math.ceil(units / name));
  while (low < high) {
    const names = Math.ceil((low + high) / 2);
    const cost = names * (name + occasionCost(Math.floor(DAY_TICKS / names), TYPES));
    if (cost <= units) low = names;
    else high = names - 1;
  }
  return low;
}

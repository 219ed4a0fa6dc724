import type { Postings, View } from '../snapshot.ts';

/** Where `joinView` found a posting's set in the view. */
export class Joined {
  position = 0;
}

/**
 * The first posting from `at` on, below `end`, whose set is in the view, or `end`. Writes the set's position in the
 * view to `joined`. Both sides ascend, so each steps over what the other lacks by binary search: the cost is
 * that of the shorter side.
 */
export function joinView(postings: Postings, view: View, at: number, end: number, joined: Joined): number {
  const mine = view.sets;
  let i = at;
  let j = 0;
  while (i < end && j < mine.length) {
    const set = postings.set[i]!;
    j = seek(mine, j, mine.length, set);
    if (j === mine.length) break;
    const wanted = mine[j]!;
    if (wanted === set) {
      joined.position = j;
      return i;
    }
    i = seek(postings.set, i, end, wanted);
  }
  return end;
}

/** The first index from `from` on, below `to`, whose value is at least `wanted`, or `to`. */
function seek(values: Uint32Array, from: number, to: number, wanted: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

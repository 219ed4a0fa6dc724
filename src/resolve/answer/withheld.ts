import { mayHold } from '../../policy/address.ts';
import { approvesName } from '../../policy/decide/beside.ts';
import type { RestrictedRanges } from '../../policy/input.ts';
import type { Snapshot, View } from '../../policy/snapshot.ts';
import { labelOffsets } from '../../wire/name.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { Entry } from './entry.ts';

/** The first address of an answer that is restricted and in none of the ranges, copied; null without one. */
export function outOfRanges(entry: Entry, ranges: RestrictedRanges): Uint8Array | null {
  const { restrictedStart, restrictedEnd } = entry;
  const { octets } = entry.slab;
  for (let at = restrictedStart; at < restrictedEnd; at += 1 + octets[at]!) {
    const size = octets[at] as 4 | 16;
    if (!mayHold(ranges, octets, at + 1, size))
      return Uint8Array.from(octets.subarray(at + 1, at + 1 + size));
  }
  return null;
}

/** The first target of an answer's records that a view does not approve, or null. */
export function unapproved(
  entry: Entry,
  snapshot: Snapshot,
  view: View,
  epoch: EpochSeconds,
): Uint8Array | null {
  for (const name of entry.targets()) {
    const subject = { name, labels: scratch, labelCount: labelOffsets(name, scratch) };
    if (!approvesName(snapshot, view, subject, epoch)) return name;
  }
  return null;
}

/** Labels of one target. Not re-entrant. */
const scratch = new Uint8Array(128);

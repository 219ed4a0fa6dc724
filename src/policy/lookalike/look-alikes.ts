import { isOneEdit } from './one-edit.ts';
import { labelText } from './punycode.ts';
import { skeletonOf } from './skeleton.ts';

/** Domains of one policy that names are compared with; of a policy with more, those written first. */
export const MOST_COMPARED = 20_000;
/** Domains that one variant is compared with. */
const MOST_OF_ONE = 64;

/** A registered domain under which some set approves a name. */
export interface ApprovedDomain {
  /** In lower case. */
  readonly label: string;
  /** Its public suffix, private ones included. */
  readonly suffix: string;
  /** Sets of the snapshot. */
  readonly sets: readonly number[];
}

/** What `findLookAlike` looks into. Flat, for it crosses from the thread that compiles. */
export interface LookAlikes {
  /** Per domain: its label, the number of its suffix, and where its sets start in `sets`; one more start at the end. */
  readonly labels: readonly string[];
  readonly suffixOf: Uint16Array;
  readonly setsAt: Uint32Array;
  readonly sets: Uint32Array;
  /** Numbers of public suffixes. */
  readonly suffixes: ReadonlyMap<string, number>;
  /** Hashes of variants, ascending, and the domain of each. */
  readonly hashes: Uint32Array;
  readonly domains: Uint32Array;
}

/**
 * Makes the index. Two texts that are one edit apart have a text in common among themselves and what each is without one of
 * its letters; so each domain stands under all of these, and under what it looks like.
 */
export function indexLookAlikes(approved: readonly ApprovedDomain[]): LookAlikes {
  const suffixes = new Map<string, number>();
  const setsAt = new Uint32Array(approved.length + 1);
  const entries: number[] = [];
  approved.forEach(({ label, suffix, sets }, index) => {
    if (!suffixes.has(suffix)) suffixes.set(suffix, suffixes.size);
    setsAt[index + 1] = setsAt[index]! + sets.length;
    for (const hash of hashesOf(label, suffix)) entries.push(hash * DOMAINS + index);
  });
  // Both parts are in one number below 2^53, so that sorting keeps them together.
  const sorted = Float64Array.from(entries).sort();
  return {
    labels: approved.map(({ label }) => label),
    suffixOf: Uint16Array.from(approved, ({ suffix }) => suffixes.get(suffix)!),
    setsAt,
    sets: Uint32Array.from(approved.flatMap(({ sets }) => sets)),
    suffixes,
    hashes: Uint32Array.from(sorted, (entry) => Math.floor(entry / DOMAINS)),
    domains: Uint32Array.from(sorted, (entry) => entry % DOMAINS),
  };
}

/** More than there can be. */
const DOMAINS = 2 ** 15;

/**
 * The registered domain, as text, of a name that the identity approves and that this one can be taken for: one edit, one swap
 * or look-alike characters away, under the same public suffix; the longer label has `length` letters or more. Empty for none.
 * `own`: the sets of the identity, ascending. `name`: a wire name in lower case. Costs some microseconds, and is bounded whatever the name is.
 */
export function findLookAlike(index: LookAlikes, own: Uint32Array, name: Uint8Array, length: number): string {
  const { hashes, domains, labels, suffixOf, setsAt, sets } = index;
  const place = hashes.length === 0 ? null : placeOf(index.suffixes, name);
  if (place === null) return '';
  const { label, suffix, number } = place;
  const letters = [...labelText(label)];
  const skeleton = skeletonOf(letters.join(''));
  let found = '';
  for (const hash of hashesOf(label, suffix)) {
    const first = firstOf(hashes, hash);
    for (let at = first; at < first + MOST_OF_ONE && hashes[at] === hash; at++) {
      const domain = domains[at]!;
      if (suffixOf[domain] !== number || !meets(own, sets.subarray(setsAt[domain]!, setsAt[domain + 1]!)))
        continue;
      // The domain itself is approved: only the name under it is not.
      if (labels[domain] === label) return '';
      const other = [...labelText(labels[domain]!)];
      if (found !== '' || Math.max(letters.length, other.length) < length) continue;
      if (isOneEdit(letters, other) || skeletonOf(other.join('')) === skeleton)
        found = `${labels[domain]}.${suffix}`;
    }
  }
  return found;
}

/** The label in front of the longest suffix of the name that some approved domain has. */
function placeOf(
  suffixes: ReadonlyMap<string, number>,
  name: Uint8Array,
): { readonly label: string; readonly suffix: string; readonly number: number } | null {
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
    labels.push(String.fromCharCode(...name.subarray(at + 1, at + 1 + name[at]!)));
  }
  const least = Math.max(1, labels.length - MOST_LABELS);
  for (let start = least; start < labels.length; start++) {
    const suffix = labels.slice(start).join('.');
    const number = suffixes.get(suffix);
    if (number !== undefined) return { label: labels[start - 1]!, suffix, number };
  }
  return null;
}

/** No suffix has so many labels. */
const MOST_LABELS = 6;

/** Under what a label stands. */
function hashesOf(label: string, suffix: string): Set<number> {
  const text = labelText(label);
  const letters = [...text];
  const hashes = new Set([hashOf(text, suffix), hashOf(`~${skeletonOf(text)}`, suffix)]);
  for (let i = 0; i < letters.length; i++)
    hashes.add(hashOf(letters.slice(0, i).join('') + letters.slice(i + 1).join(''), suffix));
  return hashes;
}

function hashOf(text: string, suffix: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  for (let i = 0; i < suffix.length; i++) hash = Math.imul(hash ^ suffix.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Where a value stands first in ascending ones, or would. */
function firstOf(values: Uint32Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `own`: ascending. */
function meets(own: Uint32Array, sets: Uint32Array): boolean {
  for (const set of sets) if (own[firstOf(own, set)] === set) return true;
  return false;
}

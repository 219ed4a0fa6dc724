import { nameFromText } from '../../wire/name.ts';
import { SuffixIndex } from '../../wire/suffix-index.ts';
import { isSame, Letters, type Span } from './letters.ts';
import { type Comparable, filterBits, NearFilter } from './near-filter.ts';
import { isOneEdit } from './one-edit.ts';
import { writeSkeleton } from './skeleton.ts';
import { Variants } from './variants.ts';
import { isWellKnown } from './well-known.ts';

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
  /** Of the hash of variants. */
  readonly salt: number;
  /** Per domain: its text, the number of its suffix, and where the others start; one more start at the end. */
  readonly names: readonly string[];
  readonly suffixOf: Uint16Array;
  readonly setsAt: Uint32Array;
  readonly lettersAt: Uint32Array;
  readonly skeletonsAt: Uint32Array;
  /** Ascending for each domain. */
  readonly sets: Uint32Array;
  readonly letters: Int32Array;
  readonly skeletons: Int32Array;
  /** Public suffixes, by their numbers. */
  readonly suffixes: readonly string[];
  /** Hashes of variants, ascending, and the domain of each. */
  readonly hashes: Uint32Array;
  readonly domains: Uint32Array;
  /** Where a hash stands first, + 1, by its low bits: open addressing, at most half full. */
  readonly slots: Uint32Array;
  /** Of the filter that most names do not pass. */
  readonly near: Uint32Array;
}

/**
 * Makes the index. Two texts that are one edit apart have a text in common among themselves and what each is without one of
 * its letters; so each domain stands under all of these, and under what it looks like. `salt`: 32 random bits, so that nobody
 * finds names that meet by their hashes alone.
 */
export function indexLookAlikes(approved: readonly ApprovedDomain[], salt: number): LookAlikes {
  const suffixes = new Map<string, number>();
  const variants = new Variants(salt);
  const entries: number[] = [];
  const letters: number[] = [];
  const skeletons: number[] = [];
  const sets: number[] = [];
  const starts = { letters: [0], skeletons: [0], sets: [0] };
  approved.forEach((domain, index) => {
    if (!suffixes.has(domain.suffix)) suffixes.set(domain.suffix, suffixes.size);
    asked.read(Buffer.from(domain.label, 'latin1'), 0, domain.label.length);
    writeSkeleton(asked, likeness);
    const count = variants.of(asked, likeness, suffixes.get(domain.suffix)!);
    for (const hash of new Set(variants.hashes.subarray(0, count))) entries.push(hash * DOMAINS + index);
    letters.push(...asked.codes.subarray(0, asked.length));
    skeletons.push(...likeness.codes.subarray(0, likeness.length));
    // One by one: of a name that everybody has there may be more than a call takes.
    for (const set of [...domain.sets].sort((a, b) => a - b)) sets.push(set);
    starts.letters.push(letters.length);
    starts.skeletons.push(skeletons.length);
    starts.sets.push(sets.length);
  });
  // Both parts are in one number below 2^53, so that sorting keeps them together.
  const sorted = Float64Array.from(entries).sort();
  const hashes = Uint32Array.from(sorted, (entry) => Math.floor(entry / DOMAINS));
  const compared = approved.map(
    ({ suffix }, index): Comparable => ({
      letters: spanOf(letters, starts.letters, index),
      skeleton: spanOf(skeletons, starts.skeletons, index),
      suffix: suffixes.get(suffix)! + 1,
    }),
  );
  return {
    salt,
    names: approved.map(({ label, suffix }) => `${label}.${suffix}`),
    suffixOf: Uint16Array.from(approved, ({ suffix }) => suffixes.get(suffix)!),
    setsAt: Uint32Array.from(starts.sets),
    lettersAt: Uint32Array.from(starts.letters),
    skeletonsAt: Uint32Array.from(starts.skeletons),
    sets: Uint32Array.from(sets),
    letters: Int32Array.from(letters),
    skeletons: Int32Array.from(skeletons),
    suffixes: [...suffixes.keys()],
    hashes,
    domains: Uint32Array.from(sorted, (entry) => entry % DOMAINS),
    slots: slotsOf(hashes),
    near: filterBits(compared, salt),
  };
}

function spanOf(codes: readonly number[], starts: readonly number[], index: number): Span {
  const own = Int32Array.from(codes.slice(starts[index]!, starts[index + 1]!));
  return { codes: own, at: 0, length: own.length };
}

/** More than there can be. */
const DOMAINS = 2 ** 15;

/**
 * The registered domain, as text, of a name that the identity approves and that this one can be taken for: one edit, one swap
 * or look-alike characters away, under the same public suffix; the longer label has `length` letters or more. Empty for none,
 * and where the name's own registered domain is approved or well known.
 * `own`: the sets of the identity, ascending. `name`: a wire name in lower case. Costs some hundred nanoseconds, and of nearly
 * every name that is near nothing half of that. Allocates nothing where nothing is found, whatever the name is. So no flood of
 * names needs a bound.
 */
export function findLookAlike(index: LookAlikes, own: Uint32Array, name: Uint8Array, length: number): string {
  if (index.hashes.length === 0) return '';
  const { suffixes, variants, longest, near } = toolsOf(index);
  const labels = suffixes.look(name);
  let suffix = labels - 2;
  while (suffix >= 0 && suffixes.values[suffix] === 0) suffix--;
  if (suffix < 0) return '';
  const start = suffixes.starts[suffix + 1]!;
  if (!near.mayBeNear(name, start + 1, name[start]!, suffixes.values[suffix]!)) return '';
  asked.read(name, start + 1, name[start]!);
  writeSkeleton(asked, likeness);
  if (asked.length > longest + 1 && likeness.length > longest) return '';
  const number = suffixes.values[suffix]! - 1;
  const count = variants.of(asked, likeness, number);
  let found = -1;
  for (let i = 0; i < count; i++) {
    const hash = variants.hashes[i]!;
    const first = firstOf(index, hash);
    if (first < 0) continue;
    const end = Math.min(first + MOST_OF_ONE, index.hashes.length);
    for (let at = first; at < end && index.hashes[at] === hash; at++) {
      const domain = index.domains[at]!;
      if (index.suffixOf[domain] !== number || !isOf(index, domain, own)) continue;
      other.show(index.letters, index.lettersAt, domain);
      // The domain itself is approved: only the name under it is not.
      if (isSame(asked, other)) return '';
      if (found >= 0 || Math.max(asked.length, other.length) < length) continue;
      if (isOneEdit(asked, other) || hasLikeness(index, domain)) found = domain;
    }
  }
  return found < 0 || isWellKnown(name, start) ? '' : index.names[found]!;
}

/** The label that is asked about, what it looks like, and that of a domain. Not re-entrant. */
const asked = new Letters();
const likeness = new Letters();

class Shown implements Span {
  codes = new Int32Array(0);
  at = 0;
  length = 0;

  show(codes: Int32Array, starts: Uint32Array, domain: number): void {
    this.codes = codes as Int32Array<ArrayBuffer>;
    this.at = starts[domain]!;
    this.length = starts[domain + 1]! - this.at;
  }
}

const other = new Shown();

function hasLikeness({ skeletons, skeletonsAt }: LookAlikes, domain: number): boolean {
  other.show(skeletons, skeletonsAt, domain);
  return isSame(likeness, other);
}

interface Tools {
  readonly suffixes: SuffixIndex;
  readonly variants: Variants;
  /** Letters of the longest label or skeleton that is approved. */
  readonly longest: number;
  readonly near: NearFilter;
}

const made = new WeakMap<LookAlikes, Tools>();
let last: LookAlikes | null = null;
let lastTools: Tools | null = null;

/** What does not cross from another thread, made once for an index. */
function toolsOf(index: LookAlikes): Tools {
  if (index === last && lastTools !== null) return lastTools;
  let tools = made.get(index);
  if (tools === undefined) {
    const names = index.suffixes.flatMap((text, number) => {
      const name = nameFromText(text);
      return name instanceof Uint8Array ? [[name, number + 1] as const] : [];
    });
    const longest = Math.max(longestOf(index.lettersAt), longestOf(index.skeletonsAt));
    tools = {
      suffixes: new SuffixIndex(names, 1),
      variants: new Variants(index.salt),
      longest,
      near: new NearFilter(index.near, index.salt),
    };
    made.set(index, tools);
  }
  last = index;
  lastTools = tools;
  return tools;
}

/** `starts`: of each, and of one more. */
function longestOf(starts: Uint32Array): number {
  let longest = 0;
  for (let i = 1; i < starts.length; i++) longest = Math.max(longest, starts[i]! - starts[i - 1]!);
  return longest;
}

/** `hashes`: ascending. */
function slotsOf(hashes: Uint32Array): Uint32Array {
  let size = 16;
  while (size < 2 * hashes.length) size *= 2;
  const slots = new Uint32Array(size);
  for (let i = 0; i < hashes.length; i++) {
    if (i > 0 && hashes[i] === hashes[i - 1]) continue;
    let at = hashes[i]! & (size - 1);
    while (slots[at] !== 0) at = (at + 1) & (size - 1);
    slots[at] = i + 1;
  }
  return slots;
}

/** Where a hash stands first, or -1. */
function firstOf({ hashes, slots }: LookAlikes, hash: number): number {
  const mask = slots.length - 1;
  for (let at = hash & mask; slots[at] !== 0; at = (at + 1) & mask) {
    const first = slots[at]! - 1;
    if (hashes[first] === hash) return first;
  }
  return -1;
}

/** Whether one of the sets `own` approves something of the domain: both ascend, and the longer may be very long. */
function isOf({ sets, setsAt }: LookAlikes, domain: number, own: Uint32Array): boolean {
  const from = setsAt[domain]!;
  const to = setsAt[domain + 1]!;
  if (own.length < to - from) {
    for (let i = 0; i < own.length; i++) if (has(sets, from, to, own[i]!)) return true;
    return false;
  }
  for (let i = from; i < to; i++) if (has(own, 0, own.length, sets[i]!)) return true;
  return false;
}

/** Whether a value stands among ascending ones. */
function has(values: Uint32Array, from: number, to: number, value: number): boolean {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low < to && values[low] === value;
}

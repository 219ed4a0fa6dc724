import { isHostOctet } from '../decide/host-octet.ts';
import { MAX_FAMILY, type Pattern } from '../pattern/pattern.ts';

/** Different numbers of one label from which on hosts are taken to be numbered. */
const LEAST_NUMBERS = 3;
/** Digits of the largest family, {0..9999}. */
const MOST_DIGITS = String(MAX_FAMILY - 1).length;

/** Names, or hosts that differ in one number of their first label alone. */
export interface HostGroup<Item> {
  readonly pattern: Pattern;
  /** What was asked of it. */
  readonly items: readonly Item[];
  /** Different names among them. */
  readonly names: number;
}

/**
 * Finds numbered hosts: three names or more that differ in one number of their first label. The family runs from 0 to the
 * highest number that was asked, so that the next job may get another host. Numbers with leading zeros keep their width. What
 * is in no family stays a name. `nameOf`: the wire name in lower case. `domainStart`: where its registered domain begins, for
 * hosts of one owner alone are numbered.
 */
export function groupNumbered<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => Uint8Array,
  domainStart: (name: Uint8Array) => number,
): HostGroup<Item>[] {
  const byName = Map.groupBy(items, (item) => latin1(nameOf(item)));
  const shapes = new Map<string, { readonly shape: Shape; readonly members: Set<string> }>();
  for (const [key, [item]] of byName) {
    const name = nameOf(item!);
    for (const shape of domainStart(name) === 0 ? [] : shapesOf(name)) {
      const text = `${latin1(shape.prefix)} ${latin1(shape.suffix)} ${latin1(shape.base)}`;
      const known = shapes.get(text);
      if (known === undefined) shapes.set(text, { shape, members: new Set([key]) });
      else known.members.add(key);
    }
  }
  const grouped: HostGroup<Item>[] = [];
  const taken = new Set<string>();
  // The shape that explains most names comes first: `node1-zone2` may be numbered in either place.
  const order = [...shapes.values()].sort((a, b) => b.members.size - a.members.size);
  for (const { shape, members } of order) {
    const free = [...members].filter((key) => !taken.has(key));
    const pattern = familyOf(shape, free.map(fromLatin1));
    if (pattern === null) continue;
    for (const key of free) taken.add(key);
    grouped.push({ pattern, items: free.flatMap((key) => byName.get(key)!), names: free.length });
  }
  for (const [key, of] of byName) {
    if (!taken.has(key))
      grouped.push({ pattern: { kind: 'exact', name: nameOf(of[0]!) }, items: of, names: 1 });
  }
  return grouped;
}

/** A first label with a number in it, and what follows. */
interface Shape {
  readonly prefix: Uint8Array;
  readonly suffix: Uint8Array;
  readonly base: Uint8Array;
}

/** The ways to see a number in the first label of a name. */
function shapesOf(name: Uint8Array): Shape[] {
  const size = name[0]!;
  const label = name.subarray(1, 1 + size);
  const base = name.subarray(1 + size);
  if (base.length < 2 || !label.every(isHostOctet)) return [];
  const shapes: Shape[] = [];
  for (let from = 0; from < size; from++) {
    if (!isDigit(label[from]!)) continue;
    let to = from;
    while (to < size && isDigit(label[to]!)) to++;
    if (to - from <= MOST_DIGITS)
      shapes.push({ prefix: label.subarray(0, from), suffix: label.subarray(to), base });
    from = to;
  }
  return shapes;
}

function familyOf({ prefix, suffix, base }: Shape, names: readonly Uint8Array[]): Pattern | null {
  if (names.length < LEAST_NUMBERS) return null;
  const texts = names.map((name) => latin1(name.subarray(1 + prefix.length, 1 + name[0]! - suffix.length)));
  const padded = texts.some((text) => text.length > 1 && text.startsWith('0'));
  const width = padded ? texts[0]!.length : 1;
  // Numbers of one width, or numbers that nothing pads: what is neither is no family.
  if (padded && texts.some((text) => text.length !== width)) return null;
  const high = Math.max(...texts.map(Number));
  return { kind: 'family', front: new Uint8Array(0), prefix, suffix, low: 0, high, width, base };
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function latin1(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

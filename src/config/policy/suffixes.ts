import { createRequire } from 'node:module';
import { domainToASCII, domainToUnicode } from 'node:url';
import { SUFFIX, type SuffixTable } from '../../policy/pattern/suffix.ts';
import { rentedZones } from './rented-zones.ts';

type Table = ReadonlyMap<string, number>;

let list: SuffixList | null = null;
const lazy: SuffixTable = {
  get: (name) => {
    list ??= new SuffixList(loadTrie(), rentedZones());
    return list.get(name);
  },
  entries: () => new SuffixList(loadTrie(), rentedZones()).entries(),
};

/**
 * The public suffix list that tldts brings, with the rented zones, as `policy/` wants it. It is read when it is first looked
 * into, and of each top-level domain's part a table is made when a name under it is first looked up: all of them take 35 ms.
 */
export function suffixTable(): SuffixTable {
  return lazy;
}

/**
 * tldts keeps the list as a trie in flat arrays (`dist/cjs/src/data/trie.js`, read with `suffix-trie.js` beside it):
 * node n has the edges `edgeStart[n]` to `edgeStart[n + 1]`; edge e leads to `edgeChild[e]` by the next
 * `edgeLength[e]` characters of `labelText`. Flags of a node: 1 an ICANN rule ends here, 2 a private one. Nodes are
 * shared between names.
 */
export interface Trie {
  readonly nodeFlags: Uint8Array;
  readonly edgeStart: ArrayLike<number>;
  readonly edgeLength: ArrayLike<number>;
  readonly edgeChild: ArrayLike<number>;
  readonly labelText: string;
  readonly rulesRoot: number;
  readonly exceptionsRoot: number;
}

const ICANN = 1;
const PRIVATE = 2;
const NONE: Table = new Map();

/** The list, in one table for each top-level domain that somebody asked for. What a client asks adds at most the list. */
export class SuffixList implements SuffixTable {
  readonly #trie: Trie;
  readonly #rented: readonly string[];
  readonly #offsets: Uint32Array;
  /** Edges from the two roots, by their label as the list writes it. */
  readonly #roots = new Map<string, Root[]>();
  readonly #tables = new Map<string, Table>();

  /** `rented`: zones that the list does not have, as private suffixes; what lies above one is above a private suffix. */
  constructor(trie: Trie, rented: readonly string[]) {
    this.#trie = trie;
    this.#rented = rented;
    this.#offsets = new Uint32Array(trie.edgeLength.length);
    for (let edge = 0, at = 0; edge < this.#offsets.length; edge++) {
      this.#offsets[edge] = at;
      at += trie.edgeLength[edge]!;
    }
    for (const [root, isException] of [
      [trie.rulesRoot, false],
      [trie.exceptionsRoot, true],
    ] as const) {
      for (let edge = trie.edgeStart[root]!; edge < trie.edgeStart[root + 1]!; edge++) {
        const label = this.#labelOf(edge);
        const roots = this.#roots.get(label);
        if (roots === undefined) this.#roots.set(label, [{ edge, isException }]);
        else roots.push({ edge, isException });
      }
    }
    for (const zone of rented) if (!this.#roots.has(topOf(zone))) this.#roots.set(topOf(zone), []);
  }

  get(name: string): number | undefined {
    return this.#tableOf(topOf(name)).get(name);
  }

  /** All of it. */
  *entries(): Generator<[name: string, flags: number]> {
    for (const label of this.#roots.keys()) yield* this.#tableOf(toAscii(label));
  }

  #tableOf(top: string): Table {
    const made = this.#tables.get(top);
    if (made !== undefined) return made;
    const roots = this.#roots.get(top.startsWith('xn--') ? domainToUnicode(top) : top);
    if (roots === undefined) return NONE;
    const table = new Map<string, number>();
    for (const { edge, isException } of roots) this.#walk(edge, '', isException, table);
    for (const zone of this.#rented) if (topOf(zone) === top) markRented(table, zone);
    this.#tables.set(top, table);
    return table;
  }

  /** Marks what `edge` leads to, under `above`, and all below it. Returns whether a private rule ends there or below. */
  #walk(edge: number, above: string, isException: boolean, table: Map<string, number>): boolean {
    const { nodeFlags, edgeStart, edgeChild } = this.#trie;
    const label = this.#labelOf(edge);
    const node = edgeChild[edge]!;
    const flags = nodeFlags[node]!;
    const isPrivate = (flags & PRIVATE) !== 0;
    if (label === '*') {
      mark(table, above, (flags & ICANN ? SUFFIX.ICANN_BELOW : 0) | (isPrivate ? SUFFIX.PRIVATE_BELOW : 0));
      return isPrivate;
    }
    const name = above === '' ? toAscii(label) : `${toAscii(label)}.${above}`;
    if (isException) mark(table, name, flags === 0 ? 0 : SUFFIX.EXCEPTION);
    else mark(table, name, (flags & ICANN ? SUFFIX.ICANN : 0) | (isPrivate ? SUFFIX.PRIVATE : 0));
    let below = false;
    for (let next = edgeStart[node]!; next < edgeStart[node + 1]!; next++) {
      below = this.#walk(next, name, isException, table) || below;
    }
    if (below) mark(table, name, SUFFIX.ABOVE_PRIVATE);
    return below || isPrivate;
  }

  #labelOf(edge: number): string {
    const start = this.#offsets[edge]!;
    return this.#trie.labelText.slice(start, start + this.#trie.edgeLength[edge]!);
  }
}

interface Root {
  readonly edge: number;
  readonly isException: boolean;
}

function mark(table: Map<string, number>, name: string, flags: number): void {
  if (flags !== 0) table.set(name, (table.get(name) ?? 0) | flags);
}

function markRented(table: Map<string, number>, zone: string): void {
  mark(table, zone, SUFFIX.PRIVATE);
  for (let dot = zone.indexOf('.'); dot >= 0; dot = zone.indexOf('.', dot + 1))
    mark(table, zone.slice(dot + 1), SUFFIX.ABOVE_PRIVATE);
}

function topOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function toAscii(label: string): string {
  return /[^\u0000-\u007f]/.test(label) ? domainToASCII(label) : label;
}

function loadTrie(): Trie {
  const load = createRequire(import.meta.url);
  return checkTrie(load('tldts/dist/cjs/src/data/trie.js'));
}

/** Throws where a new version of tldts keeps its list in another way: then this file has to follow. */
export function checkTrie(data: unknown): Trie {
  const trie = data as Partial<Record<keyof Trie, unknown>>;
  const arrays = [trie.nodeFlags, trie.edgeStart, trie.edgeLength, trie.edgeChild];
  const good =
    arrays.every((array) => ArrayBuffer.isView(array)) &&
    typeof trie.labelText === 'string' &&
    typeof trie.rulesRoot === 'number' &&
    typeof trie.exceptionsRoot === 'number';
  if (!good)
    throw new Error('tldts keeps the public suffix list in another form than this version of namegate reads');
  const known = data as Trie;
  const { nodeFlags, edgeStart, edgeLength, edgeChild, labelText } = known;
  const edges = edgeLength.length;
  let text = 0;
  for (let edge = 0; edge < edges; edge++) text += edgeLength[edge]!;
  const whole =
    edgeStart.length === nodeFlags.length + 1 &&
    edgeStart[nodeFlags.length] === edges &&
    edgeChild.length === edges &&
    text === labelText.length;
  if (!whole)
    throw new Error(
      'the public suffix list in tldts is not whole, or is laid out in another way than expected',
    );
  return known;
}

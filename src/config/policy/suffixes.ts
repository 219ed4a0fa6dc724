import { createRequire } from 'node:module';
import { domainToASCII } from 'node:url';
import { SUFFIX, type SuffixTable } from '../../policy/pattern/suffix.ts';
import { rentedZones } from './rented-zones.ts';

type Table = ReadonlyMap<string, number>;

let built: Table | null = null;
const lazy: SuffixTable = { get: (name) => wholeTable().get(name) };

/**
 * The public suffix list that tldts brings, as `policy/` wants it. Built once, in some 35 ms, when it is first looked into:
 * a policy without wildcards has no need of it.
 */
export function suffixTable(): SuffixTable {
  return lazy;
}

/** All of it. */
export function wholeTable(): Table {
  built ??= withRented(buildTable(loadTrie()));
  return built;
}

/** Adds zones that the list does not have, as private suffixes; what lies above one is above a private suffix. */
function withRented(table: Map<string, number>): Table {
  const mark = (name: string, flag: number): void => void table.set(name, (table.get(name) ?? 0) | flag);
  for (const zone of rentedZones()) {
    mark(zone, SUFFIX.PRIVATE);
    for (let dot = zone.indexOf('.'); dot >= 0; dot = zone.indexOf('.', dot + 1))
      mark(zone.slice(dot + 1), SUFFIX.ABOVE_PRIVATE);
  }
  return table;
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

export function buildTable(trie: Trie): Map<string, number> {
  const offsets = new Uint32Array(trie.edgeLength.length);
  for (let edge = 0, at = 0; edge < offsets.length; edge++) {
    offsets[edge] = at;
    at += trie.edgeLength[edge]!;
  }
  const table = new Map<string, number>();
  const mark = (name: string, flags: number): void => {
    if (flags !== 0) table.set(name, (table.get(name) ?? 0) | flags);
  };
  /** Returns whether a private rule ends at `node` or below. */
  const walk = (node: number, name: string, exceptions: boolean): boolean => {
    let below = false;
    for (let edge = trie.edgeStart[node]!; edge < trie.edgeStart[node + 1]!; edge++) {
      const start = offsets[edge]!;
      const label = trie.labelText.slice(start, start + trie.edgeLength[edge]!);
      const child = trie.edgeChild[edge]!;
      const flags = trie.nodeFlags[child]!;
      const isPrivate = (flags & PRIVATE) !== 0;
      if (label === '*') {
        mark(name, (flags & ICANN ? SUFFIX.ICANN_BELOW : 0) | (isPrivate ? SUFFIX.PRIVATE_BELOW : 0));
        below ||= isPrivate;
        continue;
      }
      const full = name === '' ? toAscii(label) : `${toAscii(label)}.${name}`;
      if (exceptions) mark(full, flags === 0 ? 0 : SUFFIX.EXCEPTION);
      else mark(full, (flags & ICANN ? SUFFIX.ICANN : 0) | (isPrivate ? SUFFIX.PRIVATE : 0));
      const deeper = walk(child, full, exceptions);
      if (deeper) mark(full, SUFFIX.ABOVE_PRIVATE);
      below ||= deeper || isPrivate;
    }
    return below;
  };
  walk(trie.rulesRoot, '', false);
  walk(trie.exceptionsRoot, '', true);
  return table;
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

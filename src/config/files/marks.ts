import { isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Position } from '../../policy/problem.ts';

/** Where data that was read from one YAML text stands in it. Containers are known by identity, scalars by their container and key. */
export class Marks {
  readonly file: string;
  readonly text: string;
  readonly #lines: readonly number[];
  readonly #places = new Map<object, Place>();

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#lines = lineStarts(text);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#lines.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#lines[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { file: this.file, line: low + 1, column: offset - this.#lines[low]! + 1 };
  }

  /** Remembers that `data` was read from `node`, as the value of `key` (where it has one) that starts at `home`. */
  place(data: object, node: YAMLMap | YAMLSeq, home: number): void {
    this.#places.set(data, { node, home, keys: null });
  }

  /** The value of `key`; the key itself where the value is empty. */
  value(container: object, key: string | number): Position {
    return this.position(this.#valueOffset(container, key));
  }

  /** Character `offset` of the text that is the value of `key`: quotes and escapes are counted in. */
  inside(container: object, key: string | number, offset: number): Position {
    const node = this.#node(container, key);
    const start = this.#valueOffset(container, key);
    return this.position(isScalar(node) && node.range ? start + rawOffset(this.text, node, offset) : start);
  }

  key(container: object, key: string): Position {
    return this.position(this.#keyOffset(container, key) ?? this.#home(container));
  }

  /** Where something that a container lacks is missed: at the key that holds it, else at its start. */
  container(container: object): Position {
    return this.position(this.#home(container));
  }

  /** What was written for a scalar, and whether without quotes; null for anything else. */
  written(
    container: object,
    key: string | number,
  ): { readonly source: string; readonly plain: boolean } | null {
    const node = this.#node(container, key);
    if (!isScalar(node) || node.source === undefined) return null;
    return { source: node.source, plain: node.type === 'PLAIN' };
  }

  /** Whether a key was written, also where its value was refused. */
  has(container: object, key: string): boolean {
    return this.#keyOffset(container, key) !== null;
  }

  #valueOffset(container: object, key: string | number): number {
    const node = this.#node(container, key);
    const range = node?.range;
    const empty = range && range[0] === range[1] && typeof key === 'string';
    if (!range || empty)
      return (typeof key === 'string' ? this.#keyOffset(container, key) : null) ?? this.#home(container);
    return range[0];
  }

  #node(container: object, key: string | number): Node | null {
    const place = this.#places.get(container);
    if (place === undefined) return null;
    if (typeof key === 'number')
      return (isSeq(place.node) ? (place.node.items[key] as Node | undefined) : null) ?? null;
    return this.#keys(place).get(key)?.value ?? null;
  }

  #keyOffset(container: object, key: string): number | null {
    const place = this.#places.get(container);
    return place === undefined ? null : (this.#keys(place).get(key)?.offset ?? null);
  }

  #home(container: object): number {
    return this.#places.get(container)?.home ?? 0;
  }

  #keys(place: Place): NonNullable<Place['keys']> {
    if (place.keys !== null) return place.keys;
    place.keys = new Map();
    if (isMap(place.node)) {
      for (const { key, value } of place.node.items) {
        const name = keyText(key);
        if (name === null || place.keys.has(name)) continue;
        place.keys.set(name, { offset: (key as Node).range?.[0] ?? place.home, value: value as Node | null });
      }
    }
    return place.keys;
  }
}

interface Place {
  readonly node: YAMLMap | YAMLSeq;
  readonly home: number;
  keys: Map<string, { readonly offset: number; readonly value: Node | null }> | null;
}

/** The text of a map's key, or null where it is no scalar. */
export function keyText(key: unknown): string | null {
  return isScalar(key) && typeof key.value === 'string' ? key.value : null;
}

/** Offsets at which lines begin. LF and CRLF end a line. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** How far behind the start of a scalar its character `offset` stands; 0 where it spans lines. */
function rawOffset(text: string, node: Node & { type?: string }, offset: number): number {
  const [start, end] = node.range!;
  const raw = text.slice(start, end);
  if (raw.includes('\n')) return 0;
  if (node.type === 'PLAIN') return Math.min(offset, raw.length);
  if (node.type !== 'QUOTE_SINGLE' && node.type !== 'QUOTE_DOUBLE') return 0;
  let at = 1;
  for (let seen = 0; seen < offset && at < raw.length - 1; ) {
    const [length, units] = node.type === 'QUOTE_SINGLE' ? singleQuoted(raw, at) : doubleQuoted(raw, at);
    at += length;
    seen += units;
  }
  return at;
}

/** Characters written, and UTF-16 units meant. */
function singleQuoted(raw: string, at: number): readonly [number, number] {
  return raw.startsWith("''", at) ? [2, 1] : [1, 1];
}

function doubleQuoted(raw: string, at: number): readonly [number, number] {
  if (raw[at] !== '\\') return [1, 1];
  switch (raw[at + 1]) {
    case 'x':
      return [4, 1];
    case 'u':
      return [6, 1];
    case 'U':
      return [10, Number.parseInt(raw.slice(at + 2, at + 10), 16) > 0xffff ? 2 : 1];
    default:
      return [2, 1];
  }
}

import type { Prefix } from '../../wire/prefix.ts';

/**
 * Values by prefixes of which none lies in another: a path-compressed binary tree for each family. Finding what a prefix has an
 * address in common with costs one step a bit at most, however many there are.
 */
export class PrefixTree<Value> {
  #four: Node<Value> | null = null;
  #six: Node<Value> | null = null;

  /** A value whose prefix has an address in common with this one, or null. */
  overlapping(prefix: Prefix): Value | null {
    let node = prefix.family === 4 ? this.#four : this.#six;
    while (node !== null) {
      const common = commonBits(node, prefix);
      if (common === prefix.length) return anyOf(node);
      if (common < node.length) return null;
      if (node.children === null) return node.value;
      node = node.children[bitAt(prefix.words, node.length)];
    }
    return null;
  }

  /** Puts a value where no other overlaps. */
  set(prefix: Prefix, value: Value): void {
    if (prefix.family === 4) this.#four = insert(this.#four, prefix, value);
    else this.#six = insert(this.#six, prefix, value);
  }

  delete(prefix: Prefix): void {
    if (prefix.family === 4) this.#four = remove(this.#four, prefix);
    else this.#six = remove(this.#six, prefix);
  }
}

/** A leaf has a value, an inner node two children; `words` hold `length` bits in common to all below. */
interface Node<Value> {
  readonly words: readonly number[];
  readonly length: number;
  readonly value: Value | null;
  readonly children: [Node<Value>, Node<Value>] | null;
}

function insert<Value>(root: Node<Value> | null, prefix: Prefix, value: Value): Node<Value> {
  const leaf: Node<Value> = { words: prefix.words, length: prefix.length, value, children: null };
  let parent: Node<Value> | null = null;
  let node = root;
  while (node?.children && commonBits(node, prefix) === node.length) {
    parent = node;
    node = node.children[bitAt(prefix.words, node.length)];
  }
  if (node === null) return leaf;
  const length = commonBits(node, prefix);
  const first = bitAt(prefix.words, length) === 0;
  const children: [Node<Value>, Node<Value>] = first ? [leaf, node] : [node, leaf];
  const made: Node<Value> = { words: prefix.words, length, value: null, children };
  if (parent === null) return made;
  parent.children![bitAt(prefix.words, parent.length)] = made;
  return root!;
}

function remove<Value>(root: Node<Value> | null, prefix: Prefix): Node<Value> | null {
  let above: Node<Value> | null = null;
  let parent: Node<Value> | null = null;
  let node = root;
  while (node?.children) {
    above = parent;
    parent = node;
    node = node.children[bitAt(prefix.words, node.length)];
  }
  if (node === null || node.length !== prefix.length || commonBits(node, prefix) !== prefix.length)
    return root;
  if (parent === null) return null;
  const other = parent.children![1 - bitAt(prefix.words, parent.length)]!;
  if (above === null) return other;
  above.children![bitAt(prefix.words, above.length)] = other;
  return root;
}

function anyOf<Value>(from: Node<Value>): Value | null {
  let node = from;
  while (node.children !== null) node = node.children[0];
  return node.value;
}

/** How many leading bits two prefixes have in common: at most the length of the shorter. */
function commonBits<Value>(one: Pick<Node<Value>, 'words' | 'length'>, other: Prefix): number {
  const most = Math.min(one.length, other.length);
  for (let i = 0; 32 * i < most; i++) {
    const differ = one.words[i]! ^ other.words[i]!;
    if (differ !== 0) return Math.min(most, 32 * i + Math.clz32(differ));
  }
  return most;
}

function bitAt(words: readonly number[], bit: number): 0 | 1 {
  return ((words[bit >>> 5]! >>> (31 - (bit & 31))) & 1) as 0 | 1;
}

import type { Quantity } from '../wire/quantity.ts';
import { resized } from './compile/growing.ts';

/**
 * The name tree: every name that a policy writes out, with its ancestors, as flat arrays. A node is an integer,
 * the root is 0. Children are found by one hash table over (parent, label), salted, so that a lookup costs the
 * same with ten names and with a million. Labels are in lower case.
 */
export interface Tree {
  readonly salt: number;
  /** Per node: its parent, and where its label (length octet first) starts in `labels`. */
  readonly parents: Uint32Array;
  readonly labelAt: Uint32Array;
  readonly labels: Uint8Array;
  /** Open addressing, a power of two, at most half full; node + 1, or 0. */
  readonly slots: Uint32Array;
}

/**
 * A key space beside the children of a node: `parent | FAMILY` leads to pseudo-nodes, whose label is the prefix
 * of a finite family. No node number reaches this bit.
 */
export const FAMILY = 0x8000_0000;

/** A node of the tree by its number, or NO_NODE. */
export type Node = Quantity<'node'>;

export const NO_NODE = -1;

/** The child of `parent` whose label is the `size` octets at `at`, or NO_NODE. */
export function findChild(tree: Tree, parent: number, octets: Uint8Array, at: number, size: number): number {
  let hash = hashStart(tree.salt, parent, size);
  for (let i = 0; i < size; i++) hash = hashOctet(hash, octets[at + i]!);
  const mask = tree.slots.length - 1;
  for (let slot = hashEnd(hash) & mask; ; slot = (slot + 1) & mask) {
    const entry = tree.slots[slot]!;
    if (entry === 0) return NO_NODE;
    const node = entry - 1;
    if (
      tree.parents[node] === parent >>> 0 &&
      sameLabel(tree.labels, tree.labelAt[node]!, octets, at, size)
    ) {
      return node;
    }
  }
}

function sameLabel(
  labels: Uint8Array,
  labelAt: number,
  octets: Uint8Array,
  at: number,
  size: number,
): boolean {
  if (labels[labelAt] !== size) return false;
  for (let i = 0; i < size; i++) if (labels[labelAt + 1 + i] !== octets[at + i]) return false;
  return true;
}

function hashStart(salt: number, parent: number, size: number): number {
  return Math.imul(salt ^ Math.imul(parent + 1, 0x9e3779b1), 0x85ebca6b) ^ size;
}

function hashOctet(hash: number, octet: number): number {
  return Math.imul(hash ^ octet, 0x01000193);
}

function hashEnd(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** The wire name of a node. */
export function nameOfNode(tree: Tree, node: number): Uint8Array {
  const octets: number[] = [];
  for (let at = node; at !== 0; at = tree.parents[at]!) {
    const label = tree.labelAt[at]!;
    octets.push(...tree.labels.subarray(label, label + 1 + tree.labels[label]!));
  }
  octets.push(0);
  return Uint8Array.from(octets);
}

/** Grows a tree; `done` gives it with arrays of the right size. */
export class TreeBuilder {
  count = 1;
  #parents = new Uint32Array(1024);
  #labelAt = new Uint32Array(1024);
  #labels = new Uint8Array(16_384);
  #labelEnd = 0;
  #slots = new Uint32Array(4096);
  readonly #salt: number;

  constructor(salt: number) {
    this.#salt = salt >>> 0;
  }

  /** The node of a wire name in lower case, made with its ancestors where it is missing. */
  insert(name: Uint8Array): number {
    let depth = 0;
    for (let at = 0; name[at] !== 0; at += 1 + name[at]!) starts[depth++] = at;
    let node = 0;
    for (let i = depth - 1; i >= 0; i--) node = this.child(node, name, starts[i]! + 1, name[starts[i]!]!);
    return node;
  }

  /** The child of `parent` (or of `parent | FAMILY`) with this label, made where it is missing. */
  child(parent: number, octets: Uint8Array, at: number, size: number): number {
    const found = findChild(this.#view(), parent, octets, at, size);
    if (found !== NO_NODE) return found;
    this.#reserve(size);
    const node = this.count++;
    this.#parents[node] = parent;
    this.#labelAt[node] = this.#labelEnd;
    this.#labels[this.#labelEnd++] = size;
    for (let i = 0; i < size; i++) this.#labels[this.#labelEnd++] = octets[at + i]!;
    this.#place(node);
    return node;
  }

  parentOf(node: number): number {
    return this.#parents[node]!;
  }

  /** The tree. Nothing can be added afterwards. */
  done(): Tree {
    return {
      salt: this.#salt,
      parents: resized(this.#parents, this.count),
      labelAt: resized(this.#labelAt, this.count),
      labels: new Uint8Array(this.#labels.buffer.transfer(this.#labelEnd)),
      slots: this.#slots,
    };
  }

  #current: Tree | null = null;

  #view(): Tree {
    this.#current ??= {
      salt: this.#salt,
      parents: this.#parents,
      labelAt: this.#labelAt,
      labels: this.#labels,
      slots: this.#slots,
    };
    return this.#current;
  }

  #reserve(size: number): void {
    if (this.count + 1 > this.#parents.length) {
      this.#parents = resized(this.#parents, this.#parents.length * 2);
      this.#labelAt = resized(this.#labelAt, this.#labelAt.length * 2);
      this.#current = null;
    }
    if (this.#labelEnd + 1 + size > this.#labels.length) {
      this.#labels = new Uint8Array(this.#labels.buffer.transfer(this.#labels.length * 2));
      this.#current = null;
    }
    if ((this.count + 1) * 2 > this.#slots.length) {
      const slots = this.#slots.length * 2;
      resized(this.#slots, 0);
      this.#slots = new Uint32Array(slots);
      this.#current = null;
      for (let node = 1; node < this.count; node++) this.#place(node);
    }
  }

  #place(node: number): void {
    const label = this.#labelAt[node]!;
    const size = this.#labels[label]!;
    let hash = hashStart(this.#salt, this.#parents[node]!, size);
    for (let i = 1; i <= size; i++) hash = hashOctet(hash, this.#labels[label + i]!);
    const mask = this.#slots.length - 1;
    let slot = hashEnd(hash) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = node + 1;
  }
}

const starts = new Uint8Array(128);

import type { Snapshot } from '../snapshot.ts';

type Large = Pick<Snapshot, 'tree' | 'nodeFlags' | 'postings' | 'rules'>;

/** Elements of a snapshot's large arrays. */
export type LargeArray = Uint8Array | Uint32Array;

/** The large arrays of a snapshot, each with a buffer of its own, of those parts that are given. */
export function largeArrays({ tree, nodeFlags, postings, rules }: Partial<Large>): LargeArray[] {
  const arrays: LargeArray[] = [];
  if (tree !== undefined) arrays.push(tree.parents, tree.labelAt, tree.labels, tree.slots);
  if (nodeFlags !== undefined) arrays.push(nodeFlags);
  if (postings !== undefined) arrays.push(postings.start, postings.set, postings.rule, postings.below);
  if (rules !== undefined) arrays.push(rules.kind, rules.term, rules.line, rules.next, rules.node);
  return arrays;
}

/**
 * The same parts with their large arrays in shared memory. What is shared crosses from thread to thread without a copy. V8
 * does not count it to the heap of the thread that receives it: a million names would start a collection there. The arrays
 * that were given are empty afterwards.
 */
export function shared<T extends Partial<Large>>(parts: T): T {
  const large = new Set(largeArrays(parts));
  return replaced(parts, (array) => (large.has(array) ? inSharedMemory(array) : array));
}

function replaced<T extends object>(parts: T, move: (array: LargeArray) => LargeArray): T {
  const entries = Object.entries(parts).map(([key, part]) => {
    if (part instanceof Uint8Array || part instanceof Uint32Array) return [key, move(part)];
    const holds = key === 'tree' || key === 'postings' || key === 'rules';
    return [key, holds ? replaced(part as object, move) : part];
  });
  return Object.fromEntries(entries) as T;
}

function inSharedMemory(array: LargeArray): LargeArray {
  const buffer = new SharedArrayBuffer(array.byteLength);
  const copy = array instanceof Uint8Array ? new Uint8Array(buffer) : new Uint32Array(buffer);
  copy.set(array);
  (array.buffer as ArrayBuffer).transfer(0);
  return copy;
}

/**
 * Gives back the memory of a snapshot that nobody will read again, without waiting for the garbage collector: `giveBack`
 * gets the arrays, each in a turn of its own of `later`.
 */
export function release(
  snapshot: Snapshot,
  giveBack: (array: LargeArray) => void,
  later: (step: () => void) => void,
): void {
  const arrays = largeArrays(snapshot);
  const step = (): void => {
    const array = arrays.pop();
    if (array === undefined) return;
    giveBack(array);
    later(step);
  };
  later(step);
}

import type { Snapshot } from '../snapshot.ts';

type Large = Pick<Snapshot, 'tree' | 'nodeFlags' | 'postings' | 'rules'>;

/**
 * The buffers of a snapshot's large arrays, each of its own, of those that are given: what crosses from thread to thread
 * without a copy.
 */
export function largeBuffers({ tree, nodeFlags, postings, rules }: Partial<Large>): ArrayBuffer[] {
  const arrays: (Uint8Array | Uint32Array)[] = [];
  if (tree !== undefined) arrays.push(tree.parents, tree.labelAt, tree.labels, tree.slots);
  if (nodeFlags !== undefined) arrays.push(nodeFlags);
  if (postings !== undefined) arrays.push(postings.start, postings.set, postings.rule, postings.below);
  if (rules !== undefined) arrays.push(rules.kind, rules.term, rules.line, rules.next, rules.node);
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}

/**
 * Gives back the memory of a snapshot that nobody will read again, without waiting for the garbage collector. A million
 * names take the system some milliseconds: `later` may run each of the steps in a turn of its own.
 */
export function release(snapshot: Snapshot, later: (step: () => void) => void = (step) => step()): void {
  const buffers = largeBuffers(snapshot);
  const step = (): void => {
    buffers.pop()?.transfer(0);
    if (buffers.length > 0) later(step);
  };
  later(step);
}

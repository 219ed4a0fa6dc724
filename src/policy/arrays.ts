import type { Snapshot } from './snapshot.ts';

/** The buffers of a snapshot's large arrays, each of its own: what crosses from thread to thread without a copy. */
export function largeBuffers({ tree, nodeFlags, postings, rules }: Snapshot): ArrayBuffer[] {
  const arrays = [
    tree.parents,
    tree.labelAt,
    tree.labels,
    tree.slots,
    nodeFlags,
    postings.start,
    postings.set,
    postings.rule,
    postings.below,
    rules.kind,
    rules.term,
    rules.line,
    rules.next,
    rules.node,
  ];
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}

/** Gives back the memory of a snapshot that nobody will read again, without waiting for the garbage collector. */
export function release(snapshot: Snapshot): void {
  for (const buffer of largeBuffers(snapshot)) buffer.transfer(0);
}

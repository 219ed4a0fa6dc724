import type { RuleTerms } from '../input.ts';
import type { Snapshot } from '../snapshot.ts';

/** Two independent 32-bit hashes of a sequence. Operators' text alone goes in, so nobody gains from a collision. */
export class ContentHash {
  a = 0x811c9dc5;
  b = 0x2545f491;

  octets(octets: Uint8Array): void {
    const size = octets.length;
    let at = 0;
    for (; at + 4 <= size; at += 4) {
      this.#word(octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24));
    }
    for (; at < size; at++) this.#word(octets[at]!);
    this.#word(size);
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#word(text.charCodeAt(i));
    this.#word(text.length);
  }

  #word(word: number): void {
    this.a = Math.imul(this.a ^ word, 0x01000193);
    this.a ^= this.a >>> 15;
    this.b = Math.imul(((this.b << 5) | (this.b >>> 27)) ^ word, 0x9e3779b1);
  }
}

/** What terms grant, as text: not where they are written. */
export function termsText(terms: RuleTerms): string {
  const {
    types,
    until,
    private: grant,
    maxLabels,
    maxLabelLength,
    budget,
    destination,
    owner,
    reason,
    fallback,
    ports,
    keep,
  } = terms;
  const content: unknown[] = [
    types,
    until,
    grant,
    maxLabels,
    maxLabelLength,
    budget,
    destination,
    owner,
    reason,
  ];
  if (fallback !== null) content.push(fallback.text);
  if (ports !== null || keep !== null) content.push(ports, keep);
  return JSON.stringify(content);
}

/** 16 hexadecimal digits for the content of a view: its sets' sums, dynamic ones weighed apart. */
export function viewId(hashes: readonly [number, number][], sets: Uint32Array, dynamic: Uint8Array): string {
  // What the sums of no sets are: a view without rules has a content too.
  let a = 0x6e61_6d65;
  let b = 0x6761_7465;
  sets.forEach((set, i) => {
    const factor = dynamic[i] === 1 ? 0x9e3779b1 : 1;
    a = (a + Math.imul(hashes[set]![0], factor)) >>> 0;
    b = (b + Math.imul(hashes[set]![1], factor)) >>> 0;
  });
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}

/** 16 hexadecimal digits for a whole policy: who is governed, and by which rules at which stage. */
export function policyId({ identities }: Pick<Snapshot, 'identities'>): string {
  const hash = new ContentHash();
  for (const { name, owner, view, stages } of identities) {
    for (const text of [name, owner, view.id]) hash.text(text);
    for (const stage of stages) for (const text of [stage.name, stage.view.id]) hash.text(text);
  }
  return [hash.a, hash.b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

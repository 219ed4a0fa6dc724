import { type ApprovedDomain, MOST_COMPARED } from '../lookalike/look-alikes.ts';
import { SUFFIX, type SuffixTable } from '../pattern/suffix.ts';
import type { Postings } from '../snapshot.ts';
import { FAMILY, type Tree } from '../tree.ts';

/** Where a node lies: at or above a public suffix, or in a registered domain by its number. */
const ABOVE = -1;

/**
 * The registered domains at or under which a policy approves names, by the public suffix list with its private part and without
 * it: whoever looks like `github.io` can be taken for it as much as whoever looks like `store.github.io`.
 */
export function approvedDomains(tree: Tree, postings: Postings, suffixes: SuffixTable): ApprovedDomain[] {
  const found = new Map<string, Found>();
  for (const isPrivate of [false, true]) collect(tree, postings, suffixes, isPrivate, found);
  return [...found.values()]
    .filter(({ sets }) => sets.size > 0)
    .slice(0, MOST_COMPARED)
    .map((each) => ({ ...each, sets: [...each.sets] }));
}

interface Found {
  readonly label: string;
  readonly suffix: string;
  readonly sets: Set<number>;
}

/** One pass over the tree, parents first; the list is asked only where a suffix may lie. */
function collect(
  { parents, labelAt, labels }: Tree,
  { start, set }: Postings,
  suffixes: SuffixTable,
  isPrivate: boolean,
  found: Map<string, Found>,
): void {
  const listed = SUFFIX.ICANN | (isPrivate ? SUFFIX.PRIVATE : 0);
  const below = SUFFIX.ICANN_BELOW | (isPrivate ? SUFFIX.PRIVATE_BELOW : 0);
  const domains: Found[] = [];
  const domainOf = new Int32Array(parents.length).fill(ABOVE);
  /** Texts of nodes below which a suffix may lie. */
  const texts = new Map<number, string>([[0, '']]);
  for (let node = 1; node < parents.length; node++) {
    const parent = parents[node]! & ~FAMILY;
    domainOf[node] = domainOf[parent]!;
    const above = parents[node]! >= FAMILY ? undefined : texts.get(parent);
    if (above !== undefined) {
      const label = latin1(labels, labelAt[node]!);
      const text = above === '' ? label : `${label}.${above}`;
      const flags = suffixes.get(text) ?? 0;
      const isListed = above === '' || (flags & listed) !== 0 || ((suffixes.get(above) ?? 0) & below) !== 0;
      const isSuffix = isListed && (flags & SUFFIX.EXCEPTION) === 0;
      // Another suffix may lie further below, as s3.amazonaws.com does below amazonaws.com.
      if (isSuffix || (isPrivate && (flags & (SUFFIX.ABOVE_PRIVATE | SUFFIX.PRIVATE_BELOW)) !== 0))
        texts.set(node, text);
      if (isSuffix) domainOf[node] = ABOVE;
      else if (domainOf[parent] === ABOVE && domains.length < MOST_COMPARED) {
        const domain = found.get(text) ?? { label, suffix: above, sets: new Set() };
        found.set(text, domain);
        domainOf[node] = domains.push(domain) - 1;
      }
    }
    const domain = domains[domainOf[node]!];
    if (domain === undefined) continue;
    for (let at = start[node]!; at < start[node + 1]!; at++) domain.sets.add(set[at]!);
  }
}

function latin1(labels: Uint8Array, at: number): string {
  return String.fromCharCode(...labels.subarray(at + 1, at + 1 + labels[at]!));
}

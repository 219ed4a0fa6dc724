import { typeFromText } from '../../wire/iana.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { KIND, type Snapshot, type Terms } from '../snapshot.ts';
import { FAMILY, nameOfNode } from '../tree.ts';
import { specialAt } from './vet.ts';

/** A name that can be renewed. */
export interface Renewable {
  /** Wire name in lower case. */
  readonly name: Uint8Array;
  /** The types that are approved for it, each with the second (since 1970) at which that ends, or FOREVER. */
  readonly types: ReadonlyMap<number, number>;
}

const DEFAULT_TYPES = ['A', 'AAAA', 'CNAME', 'HTTPS'].map((text) => typeFromText(text)!);

/**
 * The names that rules write out, exact ones and families, in live rules of the destinations named (`all`: of every set)
 * that some identity has in force, each once. Local and special names are not fetched, so they are not renewed. Stops after
 * `max` + 1 names: the caller tells too many from enough. `now` is seconds since 1970.
 */
export function renewable(
  snapshot: Snapshot,
  destinations: 'all' | readonly string[],
  max: number,
  now: EpochSeconds,
): Renewable[] {
  const { postings, rules, sets, tree } = snapshot;
  const held = new Set(snapshot.identities.flatMap(({ view }) => [...view.sets]));
  const local = new Set([...snapshot.locals.values()].map(({ name }) => keyOf(name)));
  const found = new Map<string, { name: Uint8Array; types: Map<number, number> }>();
  const add = (name: Uint8Array, terms: Terms): void => {
    const key = keyOf(name);
    if (local.has(key) || specialAt(name) !== null) return;
    const known = found.get(key) ?? { name, types: new Map<number, number>() };
    for (const type of terms.types ?? DEFAULT_TYPES)
      known.types.set(type, Math.max(terms.until, known.types.get(type) ?? 0));
    found.set(key, known);
  };
  for (let node = 0; node < postings.start.length - 1; node++) {
    for (let at = postings.start[node]!; at < postings.start[node + 1]!; at++) {
      if (!held.has(postings.set[at]!)) continue;
      const destination = sets[postings.set[at]!] ?? null;
      if (destinations !== 'all' && (destination === null || !destinations.includes(destination))) continue;
      for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
        const terms = rules.terms[rules.term[rule]!]!;
        if (found.size > max || terms.until <= now) continue;
        if (rules.kind[rule]! <= KIND.MEMBER) add(nameOfNode(tree, node), terms);
        else if (rules.kind[rule] === KIND.FAMILY) {
          for (const name of members(snapshot, rule, node, max)) add(name, terms);
        }
      }
    }
  }
  return [...found.values()];
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1');
}

function* members(snapshot: Snapshot, rule: number, node: number, max: number): Generator<Uint8Array> {
  const { tree, rules } = snapshot;
  const { low, high, width, suffix } = rules.families.get(rule)!;
  const at = tree.labelAt[node]!;
  const prefix = tree.labels.subarray(at + 1, at + 1 + tree.labels[at]!);
  const base = nameOfNode(tree, (tree.parents[node]! & ~FAMILY) >>> 0);
  for (let value = low; value <= high && value - low <= max; value++) {
    const label = [...prefix, ...Buffer.from(String(value).padStart(width, '0')), ...suffix];
    yield Uint8Array.from([label.length, ...label, ...base]);
  }
}

import { isAtOrUnder } from '../../wire/name.ts';
import { type EpochSeconds, type Seconds, unreachable } from '../../wire/quantity.ts';
import { isHostOctet } from '../decide/host-octet.ts';
import type { RuleTerms } from '../input.ts';
import { type Pattern, patternText } from '../pattern/pattern.ts';
import { type FamilyRange, KIND, NODE, type Postings, type Rules, type Terms } from '../snapshot.ts';
import { FAMILY, TreeBuilder } from '../tree.ts';
import { ContentHash, termsText } from './content-hash.ts';
import { ByteList, WordList } from './growing.ts';
import { familyNames, namesWrittenOut } from './written-out.ts';

/**
 * Takes rules, set by set, and lays them out as the flat arrays of a Snapshot. Sets are filled one after the other:
 * `openSet`, `add` for each of its rules, `closeSet`.
 */
export class Rulebook {
  readonly tree: TreeBuilder;
  readonly sets: (string | null)[] = [];
  /** Per set: two 32-bit sums over its rules, the same in whatever order they come. */
  readonly hashes: [number, number][] = [];
  readonly #terms: Terms[] = [];
  readonly #termsOf = new Map<RuleTerms, number>();
  readonly #families = new Map<number, FamilyRange>();
  readonly #written = new Map<number, string>();
  readonly #wildcards: { readonly pattern: Wildcard; readonly terms: RuleTerms }[] = [];
  readonly #kind = new ByteList();
  readonly #term = new WordList();
  readonly #line = new WordList();
  readonly #next = new WordList();
  readonly #node = new WordList();
  readonly #flags = new ByteList();
  readonly #postingNode = new WordList();
  readonly #postingSet = new WordList();
  readonly #postingRule = new WordList();
  readonly #postingBelow = new WordList();
  /** Per node: the posting made last + 1. It is this set's, or of an earlier one. */
  readonly #lastPosting = new WordList();

  constructor(salt: number) {
    this.tree = new TreeBuilder(salt);
  }

  get ruleCount(): number {
    return this.#kind.length;
  }

  /** Rules that are names of families, written out. */
  get writtenOut(): number {
    return this.#written.size;
  }

  openSet(destination: string | null): number {
    this.hashes.push([0, 0]);
    return this.sets.push(destination) - 1;
  }

  /** Adds a rule to the open set; returns its number. `file` and `line` say where its pattern is written. */
  add(pattern: Pattern, terms: RuleTerms, file: string, line: number): Seconds {
    const rule = this.#kind.length;
    const termIndex = this.#termIndex(terms, file);
    this.#mix(pattern, terms);
    switch (pattern.kind) {
      case 'exact': {
        const node = this.tree.insert(pattern.name);
        this.#put(rule, node, KIND.EXACT, termIndex, line);
        this.#markAbove(node, terms.until);
        break;
      }
      case 'star':
      case 'globstar': {
        const base = this.tree.insert(pattern.base);
        this.flag(base, pattern.kind === 'star' ? NODE.STAR : NODE.GLOBSTAR);
        this.#put(rule, base, pattern.kind === 'star' ? KIND.STAR : KIND.GLOBSTAR, termIndex, line);
        this.#markFrom(base, terms.until);
        this.#wildcards.push({ pattern, terms });
        break;
      }
      case 'family':
        this.#addFamily(pattern, rule, termIndex, line, terms.until);
        break;
      default:
        unreachable(pattern);
    }
    return rule;
  }

  #addFamily(
    pattern: Pattern & { kind: 'family' },
    rule: number,
    term: number,
    line: number,
    until: EpochSeconds,
  ): void {
    const base = this.tree.insert(pattern.base);
    if (namesWrittenOut(pattern) > 0) {
      // With labels in front of the number, the names are written out: the tree has no node for a range.
      const text = patternText(pattern);
      for (const name of familyNames(pattern)) {
        const node = this.tree.insert(name);
        this.#written.set(this.#kind.length, text);
        this.flag(this.tree.parentOf(node), NODE.FAMILY);
        this.#put(this.#kind.length, node, KIND.MEMBER, term, line);
        this.#markAbove(node, until);
      }
      return;
    }
    this.flag(base, NODE.FAMILY);
    const node = this.tree.child((base | FAMILY) >>> 0, pattern.prefix, 0, pattern.prefix.length);
    this.#families.set(rule, {
      suffix: pattern.suffix,
      low: pattern.low,
      high: pattern.high,
      width: pattern.width,
    });
    this.#put(rule, node, KIND.FAMILY, term, line);
    this.#markFrom(base, until);
  }

  /** Sets bits of a node that are true for everyone. */
  flag(node: number, bits: number): void {
    this.#flags.reach(node);
    this.#flags.at[node] = this.#flags.at[node]! | bits;
  }

  /**
   * Ends the open set. A local name that one of its wildcards approves is written out too: what lies between the
   * wildcard's base and the name is then an empty non-terminal.
   */
  closeSet(locals: readonly Uint8Array[]): void {
    for (const { pattern, terms } of this.#wildcards) {
      for (const name of locals) {
        if (covers(pattern, terms, name)) this.#markAbove(this.tree.insert(name), terms.until);
      }
    }
    this.#wildcards.length = 0;
  }

  /** The open set has something written out below every ancestor of `node`, until `until`. */
  #markAbove(node: number, until: EpochSeconds): void {
    if (node !== 0) this.#markFrom(this.tree.parentOf(node), until);
  }

  /** The same for `node` and its ancestors. */
  #markFrom(node: number, until: EpochSeconds): void {
    for (let at = node; ; at = this.tree.parentOf(at)) {
      const posting = this.#posting(at);
      // Ancestors have at least what their descendants have.
      if (this.#postingBelow.at[posting]! >= until) return;
      this.#postingBelow.at[posting] = until;
      if (at === 0) return;
    }
  }

  #put(rule: number, node: number, kind: number, term: number, line: number): void {
    const posting = this.#posting(node);
    this.#kind.push(kind);
    this.#term.push(term);
    this.#line.push(line);
    this.#node.push(node);
    this.#next.push(this.#postingRule.at[posting]!);
    this.#postingRule.at[posting] = rule + 1;
  }

  /** The open set's posting at a node, made where it is missing. */
  #posting(node: number): number {
    const set = this.sets.length - 1;
    this.#lastPosting.reach(node);
    const last = this.#lastPosting.at[node]! - 1;
    if (last >= 0 && this.#postingSet.at[last] === set) return last;
    const posting = this.#postingNode.push(node);
    this.#postingSet.push(set);
    this.#postingRule.push(0);
    this.#postingBelow.push(0);
    this.#lastPosting.at[node] = posting + 1;
    return posting;
  }

  #termIndex(terms: RuleTerms, file: string): number {
    const known = this.#termsOf.get(terms);
    if (known !== undefined && this.#terms[known]!.file === file) return known;
    const typeBits = terms.types === null ? null : new Uint32Array(8);
    for (const type of terms.types ?? []) if (type < 256) typeBits![type >>> 5]! |= 1 << (type & 31);
    const highTypes = (terms.types ?? []).filter((type) => type >= 256);
    const index = this.#terms.push({ ...terms, file, typeBits, highTypes }) - 1;
    this.#termsOf.set(terms, index);
    return index;
  }

  /** Adds the rule to the set's content hash: what it matches and grants, not where it is written. */
  #mix(pattern: Pattern, terms: RuleTerms): void {
    const hash = this.#termsHash(terms);
    hash.text(pattern.kind);
    if (pattern.kind === 'exact') hash.octets(pattern.name);
    else hash.octets(pattern.base);
    if (pattern.kind === 'family') {
      for (const part of [pattern.front, pattern.prefix, pattern.suffix]) hash.octets(part);
      hash.text(`${pattern.low} ${pattern.high} ${pattern.width}`);
    }
    const sums = this.hashes.at(-1)!;
    sums[0] = (sums[0] + hash.a) >>> 0;
    sums[1] = (sums[1] + hash.b) >>> 0;
  }

  readonly #hashes = new Map<RuleTerms, ContentHash>();

  /** A hash that has taken in the terms already: a list's rules share them. */
  #termsHash(terms: RuleTerms): ContentHash {
    let known = this.#hashes.get(terms);
    if (known === undefined) {
      known = new ContentHash();
      known.text(termsText(terms));
      this.#hashes.set(terms, known);
    }
    const hash = new ContentHash();
    hash.a = known.a;
    hash.b = known.b;
    return hash;
  }

  /** Lays everything out. Postings are sorted by node; within a node they already ascend by set. */
  done(): { nodeFlags: Uint8Array; postings: Postings; rules: Rules } {
    const nodes = this.tree.count;
    const start = new Uint32Array(nodes + 1);
    const total = this.#postingNode.length;
    for (let i = 0; i < total; i++) start[this.#postingNode.at[i]! + 1]!++;
    for (let node = 0; node < nodes; node++) start[node + 1]! += start[node]!;
    const fill = start.slice(0, nodes);
    const set = new Uint32Array(total);
    const rule = new Uint32Array(total);
    const below = new Uint32Array(total);
    for (let i = 0; i < total; i++) {
      const at = fill[this.#postingNode.at[i]!]!++;
      set[at] = this.#postingSet.at[i]!;
      rule[at] = this.#postingRule.at[i]!;
      below[at] = this.#postingBelow.at[i]!;
    }
    for (const list of [
      this.#postingNode,
      this.#postingSet,
      this.#postingRule,
      this.#postingBelow,
      this.#lastPosting,
    ]) {
      list.cut();
    }
    const nodeFlags = new Uint8Array(nodes);
    nodeFlags.set(this.#flags.at.subarray(0, Math.min(nodes, this.#flags.length)));
    return {
      nodeFlags,
      postings: { start, set, rule, below },
      rules: {
        count: this.ruleCount,
        kind: this.#kind.cut(),
        term: this.#term.cut(),
        line: this.#line.cut(),
        next: this.#next.cut(),
        node: this.#node.cut(),
        terms: this.#terms,
        families: this.#families,
        written: this.#written,
      },
    };
  }
}

type Wildcard = Pattern & { kind: 'star' | 'globstar' };

function covers(pattern: Wildcard, terms: RuleTerms, name: Uint8Array): boolean {
  const { base } = pattern;
  if (name.length === base.length || !isAtOrUnder(name, base)) return false;
  let labels = 0;
  for (let at = 0; at < name.length - base.length; at += 1 + name[at]!) {
    labels++;
    if (name[at]! > terms.maxLabelLength) return false;
    for (let i = 1; i <= name[at]!; i++) if (!isHostOctet(name[at + i]!)) return false;
  }
  return labels <= (pattern.kind === 'star' ? 1 : terms.maxLabels);
}

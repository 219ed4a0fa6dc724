/** Policies for tests, written shortly, and questions about them. */
import { compile } from '../../src/policy/compile/compile.ts';
import { closestAncestor } from '../../src/policy/decide/beside.ts';
import { decide } from '../../src/policy/decide/decide.ts';
import { Decision, GROUND, VERDICT } from '../../src/policy/decide/decision.ts';
import { explainRule } from '../../src/policy/explain/rule-text.ts';
import {
  DEFAULT_TERMS,
  type DestinationInput,
  type EntryInput,
  FOREVER,
  type IdentityInput,
  type ListInput,
  type PolicyInput,
  type RecordInput,
  type RedirectInput,
  type RuleInput,
  type RuleTerms,
  type StageInput,
} from '../../src/policy/input.ts';
import { type Pattern, parsePattern } from '../../src/policy/pattern/pattern.ts';
import { PatternFault } from '../../src/policy/pattern/pattern-fault.ts';
import type { SuffixTable } from '../../src/policy/pattern/suffix.ts';
import type { Position, Problem } from '../../src/policy/problem.ts';
import type { Identity, Snapshot, View } from '../../src/policy/snapshot.ts';
import { WireError } from '../../src/wire/error.ts';
import { typeFromText } from '../../src/wire/iana.ts';
import { labelOffsets, lowerName, nameFromText } from '../../src/wire/name.ts';
import type { Prefix } from '../../src/wire/prefix.ts';

/** A moment for tests, seconds since 1970. */
export const NOW = 1_800_000_000;

export function at(line: number, column = 1, file = 'policy.yaml'): Position {
  return { file, line, column };
}

export function wire(text: string): Uint8Array {
  const name = nameFromText(text);
  if (name instanceof WireError) throw new Error(`bad name in a test: ${text}`);
  return lowerName(name);
}

export function pattern(text: string): Pattern {
  const parsed = parsePattern(text);
  if (parsed instanceof PatternFault) throw new Error(`bad pattern in a test: ${text}: ${parsed.message}`);
  return parsed;
}

export function types(...texts: string[]): number[] {
  return texts.map((text) => typeFromText(text)!).sort((a, b) => a - b);
}

export function terms(some: Partial<RuleTerms> = {}): RuleTerms {
  return {
    destination: null,
    owner: 'owner',
    reason: 'reason',
    types: null,
    until: FOREVER,
    private: false,
    sharedZone: false,
    maxLabels: 127,
    maxLabelLength: 63,
    budget: null,
    fallback: null,
    ports: null,
    keep: null,
    approvedBy: null,
    ...some,
  };
}

export function rule(text: string, some: Partial<RuleTerms> = {}, line = 1): RuleInput {
  return { pattern: pattern(text), terms: terms(some), at: at(line) };
}

export function list(text: string, some: Partial<RuleTerms> = {}, file = 'list.txt'): ListInput {
  return { file, text, terms: terms(some), at: at(1) };
}

/** Rules are texts, or rules. */
export function destination(
  name: string,
  rules: readonly (string | RuleInput)[],
  lists: readonly ListInput[] = [],
  line = 1,
): DestinationInput {
  return {
    name,
    rules: rules.map((each) => (typeof each === 'string' ? rule(each, { destination: name }) : each)),
    lists,
    at: at(line),
  };
}

/** Entries: `=name` is a destination, another text a pattern on the spot. */
export function entries(...each: (string | RuleInput)[]): EntryInput[] {
  return each.map((entry) => {
    if (typeof entry !== 'string') return entry;
    return entry.startsWith('=') ? { destination: entry.slice(1), at: at(1) } : rule(entry);
  });
}

export function stage(name: string, kind: 'allow' | 'only', ...each: (string | RuleInput)[]): StageInput {
  return { name, kind, entries: entries(...each), at: at(1) };
}

let identities = 0;

/** An identity in enforce mode, with an address range of its own. */
export function identity(name: string, some: Partial<IdentityInput> = {}): IdentityInput {
  identities++;
  const range = `10.${identities >> 8}.${identities & 0xff}.0/24`;
  return {
    name,
    owner: `${name}-owner`,
    reviewBy: NOW + 86_400,
    workload: null,
    mode: 'enforce',
    auditUntil: 0,
    limits: { qps: 0, burst: 0, inFlight: 0 },
    search: [],
    addresses: [{ prefix: prefix(range), text: range, at: at(1) }],
    certificates: [],
    terms: DEFAULT_TERMS,
    allow: [],
    stages: [],
    exceptions: [],
    expected: [],
    at: at(1),
    ...some,
  };
}

/** An IPv4 prefix, or an IPv6 prefix of eight groups written out. */
export function prefix(text: string): Prefix {
  const [address, bits] = text.split('/') as [string, string | undefined];
  if (!address.includes(':')) {
    const octets = address.split('.').map(Number);
    const word = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    return { family: 4, words: [word], length: Number(bits ?? 32) };
  }
  const groups = address.split(':').map((group) => Number.parseInt(group, 16));
  if (groups.length !== 8) throw new Error(`write eight groups: ${text}`);
  const words = [0, 2, 4, 6].map((i) => ((groups[i]! << 16) | groups[i + 1]!) >>> 0);
  return { family: 6, words, length: Number(bits ?? 128) };
}

export function aRecord(name: string, some: Partial<RecordInput> = {}): RecordInput {
  return { name: wire(name), type: 1, ttl: 60, rdata: Uint8Array.of(192, 0, 2, 1), at: at(1), ...some };
}

export function redirect(name: string, to: string, line = 1): RedirectInput {
  return { name: wire(name), to: wire(to), private: false, at: at(line) };
}

export function policy(some: Partial<PolicyInput>): PolicyInput {
  return { destinations: [], identities: [], records: [], redirects: [], ...some };
}

export const NO_SUFFIXES: SuffixTable = new Map();

export function build(
  input: Partial<PolicyInput>,
  suffixes: SuffixTable = NO_SUFFIXES,
): { snapshot: Snapshot; problems: Problem[] } {
  return compile(policy(input), suffixes, { now: NOW, salt: 0x5eed });
}

/** The snapshot of a policy without errors. */
export function compiled(input: Partial<PolicyInput>): Snapshot {
  const { snapshot, problems } = build(input);
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join('; '));
  return snapshot;
}

/** One identity with these rules on the spot, and no one else. */
export function single(rules: readonly (string | RuleInput)[], some: Partial<PolicyInput> = {}): Snapshot {
  return compiled({ identities: [identity('one', { allow: entries(...rules) })], ...some });
}

export interface Asked {
  readonly verdict: 'deny' | 'empty' | 'allow' | 'local';
  readonly ground: keyof typeof GROUND;
  /** The pattern of the rule that decided, or null. */
  readonly pattern: string | null;
  /** Its reason. */
  readonly reason: string | null;
  readonly dynamic: boolean;
  readonly until: number;
  readonly privateReverse: boolean;
  /** Labels of the closest ancestor: without and with the question itself. */
  readonly above: number;
  readonly atOrAbove: number;
}

const VERDICTS = ['deny', 'empty', 'allow', 'local'] as const;
const GROUNDS = Object.keys(GROUND) as (keyof typeof GROUND)[];
const decision = new Decision();

/** Decides a question, in words. */
export function ask(
  snapshot: Snapshot,
  view: View,
  name: string | Uint8Array,
  type: string | number = 'A',
  { now = NOW, dnssec = false }: { now?: number; dnssec?: boolean } = {},
): Asked {
  const octets = typeof name === 'string' ? wire(name) : name;
  const labels = new Uint8Array(128);
  const subject = { name: octets, labels, labelCount: labelOffsets(octets, labels) };
  const number = typeof type === 'number' ? type : typeFromText(type)!;
  decide(snapshot, view, subject, number, dnssec, now, decision);
  const explained = decision.rule < 0 ? null : explainRule(snapshot, decision.rule);
  return {
    verdict: VERDICTS[decision.verdict]!,
    ground: GROUNDS[decision.ground]!,
    pattern: explained?.pattern ?? null,
    reason: explained?.reason ?? null,
    dynamic: decision.dynamic,
    until: decision.until,
    privateReverse: decision.privateReverse,
    above: closestAncestor(snapshot, view, decision, false),
    atOrAbove: closestAncestor(snapshot, view, decision, true),
  };
}

/** The verdict for the policy's first identity. */
export function verdict(
  snapshot: Snapshot,
  name: string | Uint8Array,
  type: string | number = 'A',
  options: { now?: number; dnssec?: boolean } = {},
): string {
  return ask(snapshot, snapshot.identities[0]!.view, name, type, options).verdict;
}

export function stageView(who: Identity, name: string): View {
  return who.stages.find((each) => each.name === name)!.view;
}

if (VERDICT.DENY !== 0 || VERDICT.LOCAL !== 3) throw new Error('the verdicts are numbered otherwise');

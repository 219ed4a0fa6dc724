/**
 * What the policy language says of one question, slowly and obviously: strings, lists and loops, and nothing of `src/`. The one
 * reference that tests hold the compiled policy to.
 */
import { FOREVER, inLabels, isUnder, labelsOf, type Name, nameOf, ROOT } from './names.ts';
import type { Entry, Identity, Policy, Rule, Terms } from './policy.ts';

/** Patterns from the most specific kind to the least (docs/policy.md, Patterns). */
const KINDS = ['exact', 'family', 'star', 'globstar'] as const;

/** One rule in force, read from its pattern and terms. */
export interface RuleInForce {
  /** The entry that says it. */
  readonly rule: Rule;
  readonly kind: (typeof KINDS)[number];
  /** The names that an exact pattern or a family writes out; empty for a wildcard. */
  readonly names: readonly Name[];
  /** What stands behind a wildcard's star. */
  readonly base: Name;
  readonly types: readonly string[];
  readonly until: number;
  readonly private: boolean | readonly string[];
  readonly maxLabels: number;
  readonly maxLabelLength: number;
  /** A stage or an exception approves it, and nothing else does. */
  readonly dynamic: boolean;
}

export interface View {
  readonly rules: readonly RuleInForce[];
  /** Names with records or a redirect, whoever approves them. */
  readonly locals: readonly Name[];
}

export interface Verdict {
  readonly verdict: 'deny' | 'empty' | 'allow' | 'local';
  /** The rules any of which may be told as the one that decided; empty for none. */
  readonly deciders: readonly RuleInForce[];
  /** Whether the decider's terms hold for the answer: its expiry, and the short TTL of what is dynamic. */
  readonly bound: boolean;
  /** The closest ancestor in the view, without and with the question itself. */
  readonly above: Name;
  readonly atOrAbove: Name;
}

/** The rules of an identity at a stage (its index, or null for none), or of a client that no identity claims. */
export function viewOf(policy: Policy, identity: Identity | null, stage: number | null): View {
  const locals = [...policy.records, ...policy.redirects].map(({ name }) => nameOf(name));
  if (identity === null) return { rules: [], locals };
  const entered = stage === null ? null : identity.stages[stage]!;
  // `only` drops the identity's own list, `allow` adds to it; exceptions hold at every stage, `only` included.
  const fixed = entered?.kind === 'only' ? [] : rulesIn(policy, identity.allow, false);
  const own = new Set(fixed.map(({ rule }) => rule));
  const dynamic = [
    ...rulesIn(policy, entered?.entries ?? [], true),
    ...identity.exceptions.map((rule) => inForce(rule, {}, true)),
  ];
  // What the identity always has is not approved for a while.
  return { rules: [...fixed, ...dynamic.filter(({ rule }) => !own.has(rule))], locals };
}

function rulesIn(policy: Policy, entries: readonly Entry[], dynamic: boolean): RuleInForce[] {
  return entries.flatMap((entry) => {
    if (typeof entry !== 'string') return [inForce(entry, {}, dynamic)];
    const destination = policy.destinations.find(({ name }) => name === entry)!;
    return [...destination.names, ...destination.list].map((rule) => inForce(rule, destination, dynamic));
  });
}

/** A rule with the defaults of its destination. */
function inForce(rule: Rule, defaults: Terms, dynamic: boolean): RuleInForce {
  const kind = kindOf(rule.pattern);
  const wildcard = kind === 'star' || kind === 'globstar';
  return {
    rule,
    kind,
    names: wildcard ? [] : writtenNames(rule.pattern),
    base: wildcard ? nameOf(rule.pattern.replace(/^\*+\./, '')) : ROOT,
    types:
      rule.types ?? defaults.types ?? (wildcard ? ['A', 'AAAA', 'CNAME'] : ['A', 'AAAA', 'CNAME', 'HTTPS']),
    until: rule.until ?? defaults.until ?? FOREVER,
    private: rule.private ?? defaults.private ?? false,
    maxLabels: rule.maxLabels ?? defaults.maxLabels ?? 127,
    maxLabelLength: rule.maxLabelLength ?? defaults.maxLabelLength ?? 63,
    dynamic,
  };
}

function kindOf(pattern: string): (typeof KINDS)[number] {
  if (pattern.startsWith('**.')) return 'globstar';
  if (pattern.startsWith('*.')) return 'star';
  return /(?<!\\)\{/.test(pattern) ? 'family' : 'exact';
}

/** The names that an exact pattern or a family stands for: width as written, `{000..199}` pads. */
function writtenNames(pattern: string): Name[] {
  const brace = /^(.*?)(?<!\\)\{(\d+)\.\.(\d+)\}(.*)$/.exec(pattern);
  if (brace === null) return [nameOf(pattern)];
  const [, front, low, high, back] = brace as unknown as [string, string, string, string, string];
  const names: Name[] = [];
  for (let n = Number(low); n <= Number(high); n++) {
    names.push(nameOf(`${front}${String(n).padStart(low.length, '0')}${back}`));
  }
  return names;
}

function matches(rule: RuleInForce, name: Name): boolean {
  if (rule.kind === 'exact' || rule.kind === 'family') return rule.names.includes(name);
  if (!isUnder(name, rule.base)) return false;
  const labels = labelsOf(name);
  const free = labels.slice(0, labels.length - labelsOf(rule.base).length);
  if (rule.kind === 'star' && free.length !== 1) return false;
  // Under a wildcard only what host names hold.
  if (!free.every((label) => /^[a-z0-9_-]+$/.test(label))) return false;
  return free.length <= rule.maxLabels && free.every((label) => label.length <= rule.maxLabelLength);
}

function approvesType(rule: RuleInForce, type: string): boolean {
  // ANY asks about the name itself, and is answered with HINFO at an approved name (RFC 8482).
  return type === 'ANY' || rule.types.includes(type);
}

/** Of these rules, those of the most specific kind; among wildcards `**.`, of the longest base. */
function mostSpecific(rules: readonly RuleInForce[]): RuleInForce[] {
  const rank = ({ kind, base }: RuleInForce): number =>
    KINDS.indexOf(kind) * 1000 - (kind === 'globstar' ? labelsOf(base).length : 0);
  const best = Math.min(...rules.map(rank));
  return rules.filter((rule) => rank(rule) === best);
}

const ALWAYS_LOCAL = ['localhost', 'resolver.arpa', '_why.namegate.internal'].map(nameOf);
const CANARY = nameOf('use-application-dns.net');
const OWN_ZONE = nameOf('namegate.internal');

function isAtOrUnder(name: Name, ancestor: Name): boolean {
  return name === ancestor || isUnder(name, ancestor);
}

/** `resolver.arpa`, `localhost` and the like: answered here, whatever the policy says. */
export function isSpecial(name: Name): boolean {
  return ALWAYS_LOCAL.some((special) => isAtOrUnder(name, special)) || isAtOrUnder(name, CANARY);
}

/** What an audit does not let through either: special names, our own zone, reverse zones of private space. */
export function staysInside(name: Name): boolean {
  return isSpecial(name) || isAtOrUnder(name, OWN_ZONE) || isPrivateReverse(name);
}

/** Whether the name lies in a reverse zone of private, loopback or link-local space (RFC 6303 §4, RFC 7793). */
export function isPrivateReverse(name: Name): boolean {
  const [top, family, ...rest] = labelsOf(name).reverse();
  if (top !== 'arpa') return false;
  const [first = '', second = ''] = rest;
  if (family === 'in-addr') {
    const from = (low: number, high: number): boolean =>
      /^\d+$/.test(second) && Number(second) >= low && Number(second) <= high;
    if (['0', '10', '127'].includes(first)) return true;
    if (first === '169') return from(254, 254);
    if (first === '192') return from(168, 168);
    if (first === '172') return from(16, 31);
    return first === '100' && from(64, 127);
  }
  if (family !== 'ip6') return false;
  // ULA fc00::/7, link-local fe80::/10, `::` and `::1`.
  if (first === 'f' && (second === 'c' || second === 'd')) return true;
  if (first === 'f' && second === 'e' && ['8', '9', 'a', 'b'].includes(rest[2]!)) return true;
  return (
    rest.length >= 32 && rest.slice(0, 31).every((label) => label === '0') && ['0', '1'].includes(rest[31]!)
  );
}

function existsAbove(view: View, name: Name, live: readonly RuleInForce[]): boolean {
  return (
    name === ROOT ||
    ALWAYS_LOCAL.some((special) => isUnder(special, name)) ||
    isAboveApproved(view, name, live)
  );
}

/** Something approved or local is written out below the name, or it is the base of a wildcard. */
function isAboveApproved(view: View, name: Name, live: readonly RuleInForce[]): boolean {
  for (const rule of live) {
    if (rule.names.some((written) => isUnder(written, name))) return true;
    const wildcard = rule.kind === 'star' || rule.kind === 'globstar';
    if (wildcard && isAtOrUnder(rule.base, name)) return true;
  }
  return view.locals.some((local) => isUnder(local, name) && live.some((rule) => matches(rule, local)));
}

/** The first of these names, from the longest to the root, that is in the tree. */
function closest(view: View, from: readonly string[], live: readonly RuleInForce[]): Name {
  for (let skip = 0; skip < from.length; skip++) {
    const name = inLabels(from.slice(skip));
    // A special name is one zone with all that is below: its SOA stands at its top. The canary is in nobody's tree.
    if (ALWAYS_LOCAL.some((special) => isUnder(name, special)) || isAtOrUnder(name, CANARY)) continue;
    if (isSpecial(name) || live.some((rule) => matches(rule, name)) || existsAbove(view, name, live))
      return name;
  }
  return ROOT;
}

function inForceAt(view: View, now: number): RuleInForce[] {
  return view.rules.filter(({ until }) => until > now);
}

/** Whether the name is approved, for any type: what a target of MX, SRV, SVCB or HTTPS must be. */
export function approvesName(view: View, name: Name, now: number): boolean {
  return !isSpecial(name) && inForceAt(view, now).some((rule) => matches(rule, name));
}

/** Whether NXDOMAIN may never be said of the name: something of the view lies below it (RFC 8020). */
export function isNonTerminal(view: View, name: Name, now: number): boolean {
  return existsAbove(view, name, inForceAt(view, now));
}

/** `dnssec`: the client sent DO or CD. `now`: seconds since 1970. */
export function decideSlowly(view: View, name: Name, type: string, dnssec: boolean, now: number): Verdict {
  const live = inForceAt(view, now);
  const matching = live.filter((rule) => matches(rule, name));
  const approving = matching.filter((rule) => approvesType(rule, type));
  const ancestors = {
    above: closest(view, labelsOf(name).slice(1), live),
    atOrAbove: closest(view, labelsOf(name), live),
  };
  const nothing = { deciders: [], bound: false, ...ancestors };
  if (isAtOrUnder(name, CANARY)) return { verdict: 'deny', ...nothing };
  if (isSpecial(name)) return { verdict: 'local', ...nothing };
  if (approving.length > 0) {
    const verdict = view.locals.includes(name) ? 'local' : 'allow';
    return { verdict, deciders: decidersOf(approving), bound: true, ...ancestors };
  }
  const chain = dnssec && (type === 'DS' || type === 'DNSKEY');
  if (matching.length > 0) {
    // Records make a name local for every type: nothing about it is asked outside. Else, what decides for the name
    // approves its DS and DNSKEY for a validator.
    if (chain && !view.locals.includes(name))
      return { verdict: 'allow', deciders: decidersOf(matching), bound: true, ...ancestors };
    return { verdict: 'empty', ...nothing, deciders: mostSpecific(matching) };
  }
  if (chain && isAboveApproved(view, name, live)) return { verdict: 'allow', ...nothing };
  return { verdict: existsAbove(view, name, live) ? 'empty' : 'deny', ...nothing };
}

/** The most specific that end last; of those that end together, what the identity always has. */
function decidersOf(rules: readonly RuleInForce[]): RuleInForce[] {
  const best = mostSpecific(rules);
  const until = Math.max(...best.map((rule) => rule.until));
  const last = best.filter((rule) => rule.until === until);
  const fixed = last.filter((rule) => !rule.dynamic);
  return fixed.length > 0 ? fixed : last;
}

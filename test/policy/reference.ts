/**
 * What DESIGN §2 and §3 say of one question, slowly and obviously: strings, lists and loops, and nothing of
 * `src/policy`. Names are dotted, in lower case, of plain labels; the root is ''.
 */

export interface ReferenceRule {
  readonly pattern: string;
  /** Null for the defaults of the pattern's kind. */
  readonly types: readonly string[] | null;
  readonly until: number;
  readonly maxLabels: number;
  readonly maxLabelLength: number;
  /** A stage or an exception approves it, and nothing else does. */
  readonly dynamic: boolean;
  /** Tells it from all others. */
  readonly id: string;
}

export interface ReferenceView {
  readonly rules: readonly ReferenceRule[];
  /** Names with records or a redirect, whoever approves them. */
  readonly locals: readonly string[];
}

export interface ReferenceAnswer {
  readonly verdict: 'deny' | 'empty' | 'allow' | 'local';
  /** Ids of the rules that may be given as the one that decided; empty for none. */
  readonly deciders: readonly string[];
  readonly dynamic: boolean;
  readonly until: number;
  /** The closest ancestor in the view, without and with the question itself. */
  readonly above: string;
  readonly atOrAbove: string;
}

const CLASSES = ['exact', 'family', 'star', 'globstar'] as const;

function labelsOf(name: string): string[] {
  return name === '' ? [] : name.split('.');
}

function isUnder(name: string, ancestor: string): boolean {
  return name !== ancestor && (ancestor === '' || name.endsWith(`.${ancestor}`));
}

/** The names that an exact pattern or a family stands for; null for a wildcard. */
function writtenNames(pattern: string): string[] | null {
  if (pattern.startsWith('*')) return null;
  const brace = /^(.*)\{(\d+)\.\.(\d+)\}(.*)$/.exec(pattern);
  if (brace === null) return [pattern];
  const [, front, low, high, back] = brace as unknown as [string, string, string, string, string];
  const names: string[] = [];
  for (let n = Number(low); n <= Number(high); n++) {
    names.push(`${front}${String(n).padStart(low.length, '0')}${back}`);
  }
  return names;
}

function classOf(pattern: string): (typeof CLASSES)[number] {
  if (pattern.startsWith('**.')) return 'globstar';
  if (pattern.startsWith('*.')) return 'star';
  return pattern.includes('{') ? 'family' : 'exact';
}

function baseOf(pattern: string): string {
  return pattern.replace(/^\*+\./, '');
}

function matches(rule: ReferenceRule, name: string): boolean {
  const written = writtenNames(rule.pattern);
  if (written !== null) return written.includes(name);
  const base = baseOf(rule.pattern);
  if (!isUnder(name, base)) return false;
  const free = labelsOf(name).slice(0, labelsOf(name).length - labelsOf(base).length);
  if (classOf(rule.pattern) === 'star' && free.length !== 1) return false;
  return free.length <= rule.maxLabels && free.every((label) => label.length <= rule.maxLabelLength);
}

function approvesType(rule: ReferenceRule, type: string): boolean {
  // ANY asks about the name itself, and is answered with HINFO at an approved name (RFC 8482).
  if (type === 'ANY') return true;
  const wildcard = writtenNames(rule.pattern) === null;
  return (rule.types ?? (wildcard ? ['A', 'AAAA', 'CNAME'] : ['A', 'AAAA', 'CNAME', 'HTTPS'])).includes(type);
}

/** Of these rules, those of the most specific kind; among wildcards `**.`, of the longest base. */
function mostSpecific(rules: readonly ReferenceRule[]): ReferenceRule[] {
  const rank = (rule: ReferenceRule): number =>
    CLASSES.indexOf(classOf(rule.pattern)) * 1000 -
    (classOf(rule.pattern) === 'globstar' ? labelsOf(baseOf(rule.pattern)).length : 0);
  const best = Math.min(...rules.map(rank));
  return rules.filter((rule) => rank(rule) === best);
}

/** The most specific; then the later expiry; then what the identity has for good. */
function decidedBy(rules: readonly ReferenceRule[]): { deciders: string[]; dynamic: boolean; until: number } {
  const best = mostSpecific(rules);
  const until = Math.max(...best.map((rule) => rule.until));
  const last = best.filter((rule) => rule.until === until);
  const fixed = last.filter((rule) => !rule.dynamic);
  return {
    deciders: (fixed.length > 0 ? fixed : last).map(({ id }) => id),
    dynamic: fixed.length === 0,
    until,
  };
}

const ALWAYS_LOCAL = ['localhost', 'resolver.arpa', '_why.namegate.internal'];
const CANARY = 'use-application-dns.net';

function isSpecial(name: string): boolean {
  return ALWAYS_LOCAL.some((special) => name === special || isUnder(name, special));
}

/** The name exists in the view: it is approved, special, or lies above what is. */
function exists(view: ReferenceView, name: string, live: readonly ReferenceRule[]): boolean {
  if (name === CANARY || isUnder(name, CANARY)) return false;
  return isSpecial(name) || live.some((rule) => matches(rule, name)) || isAbove(view, name, live);
}

/** Something is written out below the name, or it is the base of a wildcard. */
function isAbove(view: ReferenceView, name: string, live: readonly ReferenceRule[]): boolean {
  if (name === '' || ALWAYS_LOCAL.some((special) => isUnder(special, name))) return true;
  return isAboveApproved(view, name, live);
}

function isAboveApproved(view: ReferenceView, name: string, live: readonly ReferenceRule[]): boolean {
  for (const rule of live) {
    const written = writtenNames(rule.pattern);
    if (written?.some((each) => isUnder(each, name))) return true;
    const base = baseOf(rule.pattern);
    if (written === null && (base === name || isUnder(base, name))) return true;
  }
  return view.locals.some((local) => isUnder(local, name) && live.some((rule) => matches(rule, local)));
}

function closest(view: ReferenceView, from: string[], live: readonly ReferenceRule[]): string {
  for (let skip = 0; skip < from.length; skip++) {
    const name = from.slice(skip).join('.');
    // A special name is one zone with all that is below: its SOA stands at its top.
    if (ALWAYS_LOCAL.some((special) => isUnder(name, special))) continue;
    if (exists(view, name, live)) return name;
  }
  return '';
}

export const NEVER_ENDS = 0xffff_ffff;

export function decideSlowly(
  view: ReferenceView,
  name: string,
  type: string,
  dnssec: boolean,
  now: number,
): ReferenceAnswer {
  const live = view.rules.filter(({ until }) => until > now);
  const matching = live.filter((rule) => matches(rule, name));
  const approving = matching.filter((rule) => approvesType(rule, type));
  const ancestors = {
    above: closest(view, labelsOf(name).slice(1), live),
    atOrAbove: closest(view, labelsOf(name), live),
  };
  const nothing = { deciders: [], dynamic: false, until: NEVER_ENDS, ...ancestors };
  if (name === CANARY || isUnder(name, CANARY)) return { verdict: 'deny', ...nothing };
  if (isSpecial(name)) return { verdict: 'local', ...nothing };
  if (approving.length > 0) {
    const verdict = view.locals.includes(name) ? 'local' : 'allow';
    return { verdict, ...decidedBy(approving), ...ancestors };
  }
  const chain = dnssec && (type === 'DS' || type === 'DNSKEY');
  // Records make a name local for every type: nothing about it is asked outside.
  const outside = matching.length > 0 ? !view.locals.includes(name) : isAboveApproved(view, name, live);
  // They are approved with the name, by the rule that decides for it.
  if (chain && outside) {
    return { verdict: 'allow', ...nothing, ...(matching.length === 0 ? {} : decidedBy(matching)) };
  }
  const deciders = matching.length === 0 ? [] : mostSpecific(matching).map(({ id }) => id);
  if (matching.length > 0 || isAbove(view, name, live)) return { verdict: 'empty', ...nothing, deciders };
  return { verdict: 'deny', ...nothing };
}

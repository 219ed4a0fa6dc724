/** Writes a policy down: as the files that the loader reads, and as the input that the loader makes of them. */
import { parsePrefix } from '../../src/config/addresses.ts';
import { parseRdata } from '../../src/config/policy/records.ts';
import { TextFault } from '../../src/config/problems.ts';
import {
  DEFAULT_TERMS,
  type EntryInput,
  type PolicyInput,
  type RuleInput,
  type RuleTerms,
} from '../../src/policy/input.ts';
import { parsePattern } from '../../src/policy/pattern/pattern.ts';
import { PatternFault } from '../../src/policy/pattern/pattern-fault.ts';
import type { Position } from '../../src/policy/problem.ts';
import { typeFromText } from '../../src/wire/iana.ts';
import type { Prefix } from '../../src/wire/prefix.ts';
import { FOREVER, nameOf, toWire } from './names.ts';
import type { Entry, Policy, Rule, Terms } from './policy.ts';

export const POLICY_FILE = 'policy.yaml';

export interface Layout {
  /** `policy.yaml`, and the lists that it names. */
  readonly files: Readonly<Record<string, string>>;
  /** `file:line` of each rule. */
  readonly lines: ReadonlyMap<Rule, string>;
}

export function layOut(policy: Policy): Layout {
  const lists: Record<string, string> = {};
  const lines = new Map<Rule, string>();
  const out: string[] = [];
  const put = (line: string, rule?: Rule): void => {
    out.push(line);
    if (rule !== undefined) lines.set(rule, `${POLICY_FILE}:${out.length}`);
  };
  const entries = (key: string, list: readonly Entry[], indent: string): void => {
    put(`${indent}${key}:${list.length === 0 ? ' []' : ''}`);
    for (const entry of list) {
      if (typeof entry === 'string') put(`${indent}  - ${entry}`);
      else put(`${indent}  - ${ruleText(entry, ['reason: test'])}`, entry);
    }
  };
  put('destinations:');
  if (policy.destinations.length === 0) out[out.length - 1] += ' {}';
  for (const destination of policy.destinations) {
    put(`  ${destination.name}:`);
    put('    owner: net-team');
    put('    reason: test');
    for (const term of termTexts(destination)) put(`    ${term}`);
    put(`    names:${destination.names.length === 0 ? ' []' : ''}`);
    for (const rule of destination.names) {
      put(`      - ${termTexts(rule).length === 0 ? quoted(rule.pattern) : ruleText(rule, [])}`, rule);
    }
    if (destination.list.length === 0) continue;
    const file = `${destination.name}.txt`;
    put(`    names_from: [${file}]`);
    lists[file] = destination.list.map(({ pattern }) => `${pattern}\n`).join('');
    destination.list.forEach((rule, i) => {
      lines.set(rule, `${file}:${i + 1}`);
    });
  }
  put('identities:');
  if (policy.identities.length === 0) out[out.length - 1] += ' []';
  for (const identity of policy.identities) {
    put(`  - name: ${identity.name}`);
    put(`    owner: ${identity.name}-owner`);
    put('    review_by: 2099-01-01');
    put(`    from: { addresses: [${identity.addresses.map(quoted).join(', ')}] }`);
    if (identity.auditUntil !== undefined) {
      put('    mode: audit');
      put(`    audit_until: ${timeText(identity.auditUntil)}`);
    }
    entries('allow', identity.allow, '    ');
    if (identity.stages.length > 0) put('    stages:');
    for (const stage of identity.stages) {
      put(`      ${stage.name}:`);
      entries(stage.kind, stage.entries, '        ');
    }
    if (identity.exceptions.length > 0) put('    exceptions:');
    for (const rule of identity.exceptions) {
      put(`      - ${ruleText(rule, ['reason: test', 'approved_by: oncall'])}`, rule);
    }
  }
  put(`records:${policy.records.length === 0 ? ' []' : ''}`);
  for (const { name, type, data } of policy.records)
    put(`  - { name: ${quoted(name)}, type: ${type}, data: ${quoted(data)} }`);
  put(`redirects:${policy.redirects.length === 0 ? ' []' : ''}`);
  for (const redirect of policy.redirects) {
    const grant = redirect.private === undefined ? [] : termTexts({ private: redirect.private });
    put(`  - { ${[`name: ${quoted(redirect.name)}`, `to: ${quoted(redirect.to)}`, ...grant].join(', ')} }`);
  }
  return { files: { [POLICY_FILE]: `${out.join('\n')}\n`, ...lists }, lines };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function ruleText(rule: Rule, more: readonly string[]): string {
  return `{ ${[`name: ${quoted(rule.pattern)}`, ...termTexts(rule), ...more].join(', ')} }`;
}

function termTexts(terms: Terms): string[] {
  const texts: string[] = [];
  if (terms.types !== undefined) texts.push(`types: [${terms.types.join(', ')}]`);
  if (terms.until !== undefined) texts.push(`until: ${timeText(terms.until)}`);
  if (terms.private !== undefined)
    texts.push(`private: ${terms.private === true ? 'true' : `[${terms.private.map(quoted).join(', ')}]`}`);
  if (terms.maxLabels !== undefined) texts.push(`max_labels: ${terms.maxLabels}`);
  if (terms.maxLabelLength !== undefined) texts.push(`max_label_length: ${terms.maxLabelLength}`);
  return texts;
}

/** What the loader would make of it, without files. */
export function toInput(policy: Policy, { files, lines }: Layout): PolicyInput {
  const rule = (each: Rule, defaults: Terms, destination: string | null): RuleInput => {
    const pattern = parsePattern(each.pattern);
    if (pattern instanceof PatternFault)
      throw new Error(`a bad pattern: ${each.pattern}: ${pattern.message}`);
    return { pattern, terms: termsInput(each, defaults, destination), at: position(lines.get(each)!) };
  };
  const entries = (list: readonly Entry[]): EntryInput[] =>
    list.map((entry) =>
      typeof entry === 'string' ? { destination: entry, at: NOWHERE } : rule(entry, {}, null),
    );
  return {
    destinations: policy.destinations.map((destination) => ({
      name: destination.name,
      rules: destination.names.map((each) => rule(each, destination, destination.name)),
      lists:
        destination.list.length === 0
          ? []
          : [
              {
                file: `${destination.name}.txt`,
                text: files[`${destination.name}.txt`]!,
                terms: termsInput({}, destination, destination.name),
                at: NOWHERE,
              },
            ],
      at: NOWHERE,
    })),
    identities: policy.identities.map((identity) => ({
      name: identity.name,
      owner: `${identity.name}-owner`,
      reviewBy: FOREVER,
      workload: null,
      mode: identity.auditUntil === undefined ? 'enforce' : 'audit',
      auditUntil: identity.auditUntil ?? 0,
      limits: { qps: 0, burst: 0, inFlight: 0 },
      search: [],
      addresses: identity.addresses.map((text) => ({ prefix: prefix(text), text, at: NOWHERE })),
      certificates: [],
      terms: DEFAULT_TERMS,
      allow: entries(identity.allow),
      stages: identity.stages.map(({ name, kind, entries: list }) => ({
        name,
        kind,
        entries: entries(list),
        at: NOWHERE,
      })),
      exceptions: identity.exceptions.map((each) => rule(each, {}, null)),
      expected: [],
      at: NOWHERE,
    })),
    records: policy.records.map(({ name, type, data }) => {
      const rdata = parseRdata(typeFromText(type)!, data);
      if (rdata instanceof TextFault) throw new Error(`a bad record: ${type} ${data}: ${rdata.message}`);
      return { name: toWire(nameOf(name)), type: typeFromText(type)!, ttl: 60, rdata, at: NOWHERE };
    }),
    redirects: policy.redirects.map((redirect) => ({
      name: toWire(nameOf(redirect.name)),
      to: toWire(nameOf(redirect.to)),
      private: grant(redirect.private),
      at: NOWHERE,
    })),
  };
}

const NOWHERE: Position = { file: POLICY_FILE, line: 1, column: 1 };

function position(where: string): Position {
  const [file = '', line] = where.split(':');
  return { file, line: Number(line), column: 1 };
}

function prefix(text: string): Prefix {
  const read = parsePrefix(text);
  if (read instanceof TextFault) throw new Error(`a bad prefix: ${text}: ${read.message}`);
  return read;
}

function grant(written: true | readonly string[] | undefined): RuleTerms['private'] {
  return written === undefined || written === true ? (written ?? false) : written.map(prefix);
}

function termsInput(own: Terms, defaults: Terms, destination: string | null): RuleTerms {
  const types = own.types ?? defaults.types ?? null;
  return {
    destination,
    owner: 'net-team',
    reason: 'test',
    types: types === null ? null : types.map((type) => typeFromText(type)!).sort((a, b) => a - b),
    until: own.until ?? defaults.until ?? FOREVER,
    private: grant(own.private ?? defaults.private),
    sharedZone: false,
    maxLabels: own.maxLabels ?? defaults.maxLabels ?? 127,
    maxLabelLength: own.maxLabelLength ?? defaults.maxLabelLength ?? 63,
    budget: null,
    fallback: null,
    ports: null,
    keep: null,
    approvedBy: null,
  };
}

import type { EntryInput, IdentityInput, IdentityLimits, RuleInput, StageInput } from '../../policy/input.ts';
import { FOREVER } from '../../policy/input.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { PolicyFile } from '../schema/policy-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { quote } from '../units.ts';
import { readTerms } from './identity-terms.ts';
import {
  DEFAULT_GRANTS,
  isIdentifier,
  nameAt,
  oneLine,
  type PolicyContext,
  readPrefixes,
  readRule,
  readTime,
} from './rules.ts';
import { parseCertificate } from './written-certificate.ts';

export type WrittenIdentity = NonNullable<NonNullable<Repaired<PolicyFile>['identities']>[number]>;
type WrittenEntry = NonNullable<WrittenIdentity['allow']>[number];

/** An identity as data. One without a good name keeps what it has, so that the rest of it is checked. */
export function readIdentity(written: WrittenIdentity, context: PolicyContext): IdentityInput {
  const { marks } = context;
  const owner = oneLine(written.owner);
  const mode = written.mode ?? 'enforce';
  // A date that was refused is not a date that is missing.
  const unread = marks.has(written, 'review_by') ? FOREVER : null;
  return {
    name: readName(written, context),
    owner,
    reviewBy: readTime(written, 'review_by', context) ?? unread,
    workload: written.workload === undefined ? null : oneLine(written.workload),
    mode,
    auditUntil: readAudit(written, mode, context),
    limits: readLimits(written, context),
    search: readSearch(written.search, context),
    addresses: readPrefixes(written.from?.addresses ?? [], context),
    certificates: readCertificates(written.from?.certificates ?? [], context),
    terms: readTerms(written, context),
    allow: readEntries(written.allow, owner, context),
    stages: readStages(written.stages, owner, context),
    exceptions: readExceptions(written.exceptions, owner, context),
    expected: readExpected(written.expected, owner, context),
    at: marks.has(written, 'name') ? marks.value(written, 'name') : marks.container(written),
  };
}

function readName(written: WrittenIdentity, { marks, problems }: PolicyContext): string {
  const { name } = written;
  if (name === undefined) return `(line ${marks.container(written).line})`;
  const at = marks.value(written, 'name');
  if (name === 'unknown') {
    const message = 'unknown is the name of every client that no identity claims';
    problems.error('identifier-taken', at, message, 'choose another name');
  } else if (!isIdentifier(name)) {
    problems.error('identifier-form', at, `${quote(name)} cannot name an identity`, IDENTIFIER_FIX);
  }
  return name;
}

export const IDENTIFIER_FIX = 'write letters, digits, - and _, a letter or digit first';

function readAudit(
  written: WrittenIdentity,
  mode: 'enforce' | 'audit',
  context: PolicyContext,
): EpochSeconds {
  const { marks, problems } = context;
  const until = readTime(written, 'audit_until', context);
  if (mode === 'audit') {
    if (written.audit_until === undefined) {
      const fix = 'write audit_until: with the time from which the policy is enforced';
      problems.error('audit-until', marks.key(written, 'mode'), 'an audit has an end', fix);
    }
    return until ?? FOREVER;
  }
  if (written.audit_until !== undefined) {
    const message = 'audit_until changes nothing in enforce mode';
    problems.warn(
      'term-unused',
      marks.key(written, 'audit_until'),
      message,
      'remove it, or write mode: audit',
    );
  }
  return 0;
}

function readLimits(written: WrittenIdentity, { marks, problems }: PolicyContext): IdentityLimits {
  const { qps, burst, in_flight: inFlight } = written.limits ?? {};
  if (burst !== undefined && qps === undefined) {
    problems.error(
      'limit-burst',
      marks.key(written.limits!, 'burst'),
      'burst needs qps',
      'write qps, or remove burst',
    );
  }
  return { qps: qps ?? 0, burst: qps === undefined ? 0 : (burst ?? qps), inFlight: inFlight ?? 0 };
}

function readSearch(list: readonly (string | undefined)[] | undefined, context: PolicyContext): Uint8Array[] {
  return (list ?? []).flatMap((text, index) => nameAt(list!, index, text, 'a search suffix', context) ?? []);
}

function readCertificates(
  list: readonly (string | undefined)[],
  { marks, problems }: PolicyContext,
): IdentityInput['certificates'] {
  return list.flatMap((written, index) => {
    if (written === undefined) return [];
    const text = parseCertificate(written);
    if (typeof text === 'string') return [{ text, at: marks.value(list, index) }];
    problems.fault(text, marks.inside(list, index, text.offset));
    problems.lose();
    return [];
  });
}

function readStages(stages: WrittenIdentity['stages'], owner: string, context: PolicyContext): StageInput[] {
  const { marks, problems } = context;
  return Object.entries(stages ?? {}).flatMap(([name, stage]) => {
    const at = marks.key(stages!, name);
    if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) {
      const fix = 'write letters, digits, - and _, a letter first';
      problems.error('identifier-form', at, `${quote(name)} cannot name a stage`, fix);
    }
    if (stage === undefined) return [];
    const adds = marks.has(stage, 'allow');
    const replaces = marks.has(stage, 'only');
    if (adds === replaces) {
      const message = `stage ${name} has ${adds ? 'both allow and only' : 'neither allow nor only'}`;
      const fix = "write one: allow adds to the identity's own list, only stands in its place";
      problems.error('stage-form', at, message, fix);
    }
    const entries = [...readEntries(stage.allow, owner, context), ...readEntries(stage.only, owner, context)];
    return [{ name, kind: replaces ? 'only' : 'allow', entries, at }] as const;
  });
}

function readEntries(
  list: readonly WrittenEntry[] | undefined,
  owner: string,
  context: PolicyContext,
): EntryInput[] {
  const { marks, problems } = context;
  return (list ?? []).flatMap((entry, index): EntryInput[] => {
    if (entry === undefined) return [];
    if (typeof entry === 'string') {
      const at = marks.value(list!, index);
      if (isIdentifier(entry)) return [{ destination: entry, at }];
      const message = `${quote(entry)} is no name of a destination`;
      const fix = `write { name: ${quote(entry)}, reason: … }, or put it into a destination and name that`;
      problems.error('allow-pattern', at, message, fix);
      problems.lose();
      return [];
    }
    const who = { destination: null, reason: oneLine(entry.reason), approvedBy: null };
    const rule = readRule(entry, { ...who, owner: oneLine(entry.owner ?? owner) }, DEFAULT_GRANTS, context);
    return rule === null ? [] : [rule];
  });
}

function readExceptions(
  list: WrittenIdentity['exceptions'],
  owner: string,
  context: PolicyContext,
): RuleInput[] {
  return (list ?? []).flatMap((entry) => {
    if (entry === undefined) return [];
    const who = {
      destination: null,
      owner: oneLine(entry.owner ?? owner),
      reason: oneLine(entry.reason),
      approvedBy: oneLine(entry.approved_by),
    };
    const rule = readRule(entry, who, DEFAULT_GRANTS, context);
    return rule === null ? [] : [rule];
  });
}

function readExpected(list: WrittenIdentity['expected'], owner: string, context: PolicyContext): RuleInput[] {
  return (list ?? []).flatMap((entry) => {
    if (entry === undefined) return [];
    const who = {
      destination: null,
      owner: oneLine(entry.owner ?? owner),
      reason: oneLine(entry.reason),
      approvedBy: null,
    };
    const rule = readRule(entry, who, DEFAULT_GRANTS, context);
    return rule === null ? [] : [rule];
  });
}

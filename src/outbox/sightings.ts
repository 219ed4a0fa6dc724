import { DETECTED } from '../detect/patterns/kinds.ts';
import { nameToText } from '../wire/name.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Draft } from './draft.ts';
import type { Severity } from './event.ts';
import type { Sighting } from './finding-life.ts';
import { FIREWALL_TELLINGS } from './firewall-sightings.ts';
import type { BudgetNote, OperationsNote } from './notes.ts';
import type { SlotRecord } from './slot-record.ts';

const HOUR: Milliseconds = 3_600_000;
const DAY: Milliseconds = 24 * HOUR;

/** What people are told of a finding, and what they can do. */
interface Telling {
  readonly severity: Severity;
  readonly text: string;
  readonly next: string;
}

/** By the finding's name. The docs have this table. */
export const TELLINGS: Readonly<Record<string, Telling>> = {
  ...DETECTED,
  ...FIREWALL_TELLINGS,
  'private-address': {
    severity: 'medium',
    text: 'an answer held an address that the rule does not grant, and was withheld',
    next: 'where the address is right, write private: on the rule; else find out who changed the name',
  },
  'unapproved-target': {
    severity: 'medium',
    text: 'an answer led to a name that is not approved, and was withheld',
    next: 'approve the target too, where the identity needs it',
  },
  'identity-disagreement': {
    severity: 'high',
    text: "a certificate is shown from an address of another identity's",
    next: 'find out whether the key was taken from its machine',
  },
  'certificate-of-nobody': {
    severity: 'medium',
    text: "a client's certificate is that of no identity: its holder is unknown",
    next: 'write its name under from: of an identity, or take the certificate away',
  },
  'certificate-of-two': {
    severity: 'medium',
    text: "a client's certificate is that of two identities: its holder is unknown",
    next: 'leave one of its names in the policy',
  },
  'budget-alert': {
    severity: 'medium',
    text: 'much has gone upstream through a wildcard',
    next: 'look at the names; where they are right, write a budget: on the rule',
  },
  'budget-contain': {
    severity: 'high',
    text: 'a budget is used up: new names under the wildcard are not sent',
    next: 'look at the names; where they are a tunnel, end the job; else write a budget: on the rule',
  },
  would_contain: {
    severity: 'medium',
    text: 'in audit mode: new names under the wildcard would not be sent',
    next: 'look at the names; where they are right, write a budget: on the rule before the audit ends',
  },
};

type FindingRecord = Extract<SlotRecord, { readonly record: 'finding' }>;

/** The sighting of a finding that a question made. `registered`: where the registered domain of a wire name starts. */
export function sightingOf(record: FindingRecord, registered: (name: Uint8Array) => number): Sighting {
  const { question, finding, culprit, other } = record;
  const { name, identity, proven, at } = question;
  const isOfCertificate = finding === 'certificate-of-nobody' || finding === 'certificate-of-two';
  const certificate = (): string => {
    const { fingerprint, san } = question.draft.certificate ?? {};
    return fingerprint ?? san ?? '';
  };
  return {
    identity,
    proven,
    finding,
    place: isOfCertificate ? certificate() : question.key,
    at,
    window: HOUR,
    key: () => (isOfCertificate ? certificate() : `${question.draft.type} ${question.draft.name}`),
    domain: () => (isOfCertificate ? null : nameToText(name.subarray(registered(name)))),
    draft: () => ({
      ...question.draft,
      kind: 'finding',
      ...TELLINGS[finding],
      ...culpritOf(finding, culprit),
      ...(other === '' ? {} : { other }),
    }),
    names: () => [question.draft.name ?? ''],
  };
}

function culpritOf(finding: string, culprit: string | null): Pick<Draft, 'addresses' | 'target'> {
  if (culprit === null) return {};
  return finding === 'private-address' ? { addresses: [culprit] } : { target: culprit };
}

/** The sighting of a budget's crossing; its end has none. */
export function budgetSighting(note: BudgetNote): Sighting {
  const { at, what, audited, identity, owner, key, subject, wildcard, octets, names } = note;
  const finding = what === 'alert' ? 'budget-alert' : audited ? 'would_contain' : 'budget-contain';
  return {
    identity,
    proven: true,
    finding,
    place: budgetKey(note),
    at,
    window: DAY,
    key: () => budgetKey(note),
    domain: () => null,
    draft: () => ({
      kind: 'finding',
      at,
      ...(identity === '' ? {} : { identity }),
      ...(owner === '' ? {} : { owner }),
      ...(key === 'lease' ? { lease: subject } : {}),
      finding,
      key: budgetKey(note),
      ...TELLINGS[finding],
      ...(wildcard === '' ? {} : { wildcard }),
      octets,
    }),
    names: () => names,
  };
}

/** What a budget's finding is about, for people too. */
export function budgetKey({ key, subject, wildcard }: BudgetNote): string {
  return `${key} ${subject}${wildcard === '' ? '' : ` under *.${wildcard}`}`;
}

export function operationsSighting({ at, finding, key, text, next }: OperationsNote): Sighting {
  return {
    identity: '',
    proven: true,
    finding,
    place: key,
    at,
    window: HOUR,
    key: () => key,
    domain: () => null,
    draft: () => ({ kind: 'finding', at, severity: 'operations', text, next }),
    names: () => [],
  };
}

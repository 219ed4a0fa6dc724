import type { DatabaseSync } from 'node:sqlite';
import { DETECTED_KINDS } from '../detect/patterns/kinds.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { type FeedEvent, KINDS, type Severity } from './event.ts';
import { FIREWALL_TELLINGS } from './firewall-sightings.ts';

/** Findings in one answer. */
export const MOST_FINDINGS = 1_000;
/** Events that are looked at for one answer, the newest first. */
const MOST_EVENTS = 50_000;

/** Kinds that are listed: of the detectors, of the ledger, of answers, and of the firewall. */
export const LISTED_FINDINGS: readonly string[] = [
  'budget-alert',
  'budget-contain',
  'private-address',
  'unapproved-target',
  ...DETECTED_KINDS,
  ...Object.keys(FIREWALL_TELLINGS),
];

/** Which findings somebody asks for. */
export interface FindingSelection {
  /** Null: of all. */
  readonly identity: string | null;
  /** Milliseconds since 1970: seen then or later. */
  readonly since: EpochMilliseconds;
  readonly limit: number;
  /** One kind alone; of all that are listed unless given. */
  readonly kind?: string;
}

/** A finding as it stands: what its events of the last 30 days say together. */
export interface KeptFinding {
  readonly uid: string;
  readonly kind: string;
  readonly severity: Severity;
  /** Null where it is nobody's. */
  readonly identity: string | null;
  readonly owner: string | null;
  readonly state: 'open' | 'closed';
  readonly first: string;
  readonly last: string;
  readonly count: number;
  /** What it is about, and of its last event the rule, the lease and the name that is meant, or that the address was granted with; null where it has none. */
  readonly key: string | null;
  readonly rule: string | null;
  readonly lease: string | null;
  readonly target: string | null;
  readonly names: readonly string[];
  readonly text: string;
  readonly next: string;
}

export interface FindingList {
  /** Those seen last first. */
  readonly findings: readonly KeptFinding[];
  /** There are others beyond the limit. */
  readonly more: boolean;
}

interface Row {
  readonly body: string;
}

/** The findings that the database keeps. */
export function keptFindings(
  database: DatabaseSync,
  { identity, since, limit, kind }: FindingSelection,
): FindingList {
  const rows = database
    .prepare(
      `SELECT body FROM finding WHERE kind = ? AND at >= ? AND (? IS NULL OR json_extract(body, '$.finding') = ?)
      ORDER BY position DESC LIMIT ?`,
    )
    .iterate(
      KINDS.indexOf('finding'),
      since,
      kind ?? null,
      kind ?? null,
      MOST_EVENTS,
    ) as unknown as Iterable<Row>;
  const found = new Map<string, KeptFinding>();
  let more = false;
  for (const { body } of rows) {
    const event = JSON.parse(body) as FeedEvent;
    const { uid, finding = '' } = event;
    if (uid === undefined || !LISTED_FINDINGS.includes(finding)) continue;
    if (identity !== null && event.identity !== identity) continue;
    const newer = found.get(uid);
    if (newer === undefined && found.size >= Math.min(limit, MOST_FINDINGS)) more = true;
    else found.set(uid, newer === undefined ? asFinding(uid, event) : earlier(newer, event));
  }
  return {
    findings: [...found.values()].sort((a, b) => (a.last < b.last ? 1 : a.last > b.last ? -1 : 0)),
    more,
  };
}

function asFinding(uid: string, event: FeedEvent): KeptFinding {
  const { severity = 'medium', identity = null, owner = null, time, count = 1 } = event;
  return {
    uid,
    kind: event.finding ?? '',
    severity,
    identity,
    owner,
    state: event.activity === 'close' ? 'closed' : 'open',
    first: event.first ?? time,
    last: event.last ?? time,
    count: event.total ?? count,
    key: event.key ?? null,
    rule: event.rule ?? null,
    lease: event.lease ?? null,
    target: event.target ?? event.granted_name ?? null,
    names: event.names ?? [],
    text: event.text ?? '',
    next: event.next ?? '',
  };
}

/** What a newer event said, with what an older one knows of the beginning. */
function earlier(newer: KeptFinding, { first, time }: FeedEvent): KeptFinding {
  const began = first ?? time;
  return began < newer.first ? { ...newer, first: began } : newer;
}

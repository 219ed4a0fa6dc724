import type { FeedEvent, Kind, Severity } from '../event.ts';
import { severityOf } from './severity.ts';

/** A number of OCSF's and its caption. */
export interface Numbered {
  readonly id: number;
  readonly caption: string;
}

const ALLOWED: Numbered = { id: 1, caption: 'Allowed' };
const DENIED: Numbered = { id: 2, caption: 'Denied' };
const OBSERVED: Numbered = { id: 3, caption: 'Observed' };
const UNKNOWN: Numbered = { id: 0, caption: 'Unknown' };
const BLOCKED: Numbered = { id: 2, caption: 'Blocked' };
const LOGGED: Numbered = { id: 17, caption: 'Logged' };
const DETECTED: Numbered = { id: 15, caption: 'Detected' };

/** What was done with the question, and what became of it (profile `security_control`). */
export interface Treatment {
  readonly action: Numbered;
  readonly disposition: Numbered;
}

const KINDS: Readonly<Partial<Record<Kind, Treatment>>> = {
  allow: { action: ALLOWED, disposition: { id: 1, caption: 'Allowed' } },
  deny: { action: DENIED, disposition: BLOCKED },
  empty: { action: DENIED, disposition: BLOCKED },
  contain: { action: DENIED, disposition: BLOCKED },
  would_deny: { action: OBSERVED, disposition: LOGGED },
  would_contain: { action: OBSERVED, disposition: LOGGED },
};

/** Findings that say that something was withheld. */
const WITHHELD: ReadonlySet<string> = new Set([
  'budget-contain',
  'private-address',
  'unapproved-target',
  'direct-address',
  'grant-limit',
]);

export function treatmentOf({ kind, finding = '' }: FeedEvent): Treatment {
  if (kind === 'finding') {
    if (WITHHELD.has(finding)) return { action: DENIED, disposition: BLOCKED };
    return { action: OBSERVED, disposition: finding.startsWith('would_') ? LOGGED : DETECTED };
  }
  return KINDS[kind] ?? { action: UNKNOWN, disposition: { id: 16, caption: 'No Action' } };
}

const SEVERITY: Readonly<Record<Severity, Numbered>> = {
  operations: { id: 1, caption: 'Informational' },
  low: { id: 2, caption: 'Low' },
  medium: { id: 3, caption: 'Medium' },
  high: { id: 4, caption: 'High' },
};

/** How OCSF calls it. */
export function severityIn(event: FeedEvent): Numbered {
  return SEVERITY[severityOf(event)];
}

const RCODES = [
  ['NOERROR', 'NoError'],
  ['FORMERR', 'FormError'],
  ['SERVFAIL', 'ServError'],
  ['NXDOMAIN', 'NXDomain'],
  ['NOTIMP', 'NotImp'],
  ['REFUSED', 'Refused'],
] as const;

export function rcodeOf({ rcode }: FeedEvent): Numbered | null {
  if (rcode === undefined) return null;
  const id = RCODES.findIndex(([name]) => name === rcode);
  return id < 0 ? { id: 99, caption: rcode } : { id, caption: RCODES[id]![1] };
}

interface Named {
  readonly uid: string;
  readonly name: string;
}

export interface Attack {
  readonly tactic: Named;
  readonly technique: Named;
  readonly sub_technique: Named;
}

const COMMAND_AND_CONTROL: Named = { uid: 'TA0011', name: 'Command and Control' };

/** Sub-techniques of MITRE ATT&CK. */
const EXFILTRATION: Attack = {
  tactic: { uid: 'TA0010', name: 'Exfiltration' },
  technique: { uid: 'T1048', name: 'Exfiltration Over Alternative Protocol' },
  sub_technique: { uid: 'T1048.003', name: 'Exfiltration Over Unencrypted Non-C2 Protocol' },
};
const OVER_DNS: Attack = {
  tactic: COMMAND_AND_CONTROL,
  technique: { uid: 'T1071', name: 'Application Layer Protocol' },
  sub_technique: { uid: 'T1071.004', name: 'DNS' },
};
const GENERATED: Attack = {
  tactic: COMMAND_AND_CONTROL,
  technique: { uid: 'T1568', name: 'Dynamic Resolution' },
  sub_technique: { uid: 'T1568.002', name: 'Domain Generation Algorithms' },
};

/** What a finding may be a sign of; a finding that is not here is a sign of none of them. */
export const ATTACKS: ReadonlyMap<string, readonly Attack[]> = new Map([
  ['budget-alert', [EXFILTRATION, OVER_DNS]],
  ['budget-contain', [EXFILTRATION, OVER_DNS]],
  ['would_contain', [EXFILTRATION, OVER_DNS]],
  ['attempt', [EXFILTRATION, OVER_DNS]],
  ['out-of-band', [EXFILTRATION, OVER_DNS]],
  ['volume', [OVER_DNS]],
  ['odd-type', [OVER_DNS]],
  ['sweep', [GENERATED]],
  ['nxdomain-storm', [GENERATED]],
]);

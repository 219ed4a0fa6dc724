import { approvesName } from '../../policy/decide/beside.ts';
import { decide } from '../../policy/decide/decide.ts';
import { Decision, VERDICT } from '../../policy/decide/decision.ts';
import { findAddress } from '../../policy/identity.ts';
import { FOREVER } from '../../policy/input.ts';
import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { Identity, View } from '../../policy/snapshot.ts';
import { TYPE } from '../../wire/iana.ts';
import { ipAddress } from '../../wire/ip-address.ts';
import { labelOffsets } from '../../wire/name.ts';
import type { EpochSeconds, Monotonic } from '../../wire/quantity.ts';
import type { InForce } from '../in-force.ts';
import type { GrantReason } from './grant-line.ts';
import { ruleText } from './grant-terms.ts';
import type { GrantedClient, NameGrant } from './granted-client.ts';

/** Who a client is under the policy of now; null for nobody, and for somebody else. */
export function asksOf(
  { family, w0, w1, w2, w3, lease, identity, certified }: GrantedClient,
  { snapshot, standings }: InForce,
  leases: LeaseTable,
): Asks | null {
  const known = standings.named(identity).identity;
  if (known.index < 0) return null;
  if (lease === '') {
    // The book has its words signed, and the policy has not.
    const at = findAddress(snapshot.addresses, ipAddress(family, w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0));
    const same = certified || at === known.index;
    return same ? { identity: known, view: known.view, endsAt: Number.POSITIVE_INFINITY } : null;
  }
  const held = leases.get(lease);
  if (held === null || !held.known) return null;
  const stage = held.stage === null ? known.stages[0] : known.stages.find(({ name }) => name === held.stage);
  if (stage === undefined && (held.stage !== null || known.stages.length > 0)) return null;
  return { identity: known, view: (stage ?? known).view, endsAt: held.endsAt };
}

/** What the policy of now grants of it, or null. */
export function judged(
  { family }: { readonly family: 4 | 6 },
  { name, ports }: Pick<NameGrant, 'name' | 'ports'>,
  { identity, view, endsAt }: Asks,
  { snapshot, firewall }: InForce,
  now: Monotonic,
  epoch: EpochSeconds,
): Approved | null {
  const subject = { name, labels, labelCount: labelOffsets(name, labels) };
  const type = family === 4 ? TYPE.A : TYPE.AAAA;
  decide(snapshot, view, subject, type, false, Math.floor(epoch), decision);
  const { verdict, rule, until } = decision;
  if (verdict === VERDICT.ALLOW || verdict === VERDICT.LOCAL) {
    const terms = rule < 0 ? null : snapshot.rules.terms[snapshot.rules.term[rule]!]!;
    const end = until === FOREVER ? Number.POSITIVE_INFINITY : now + 1000 * (until - Math.ceil(epoch));
    const keeps = terms?.keep === 'lease' && Number.isFinite(endsAt);
    const reason = { rule: ruleText(snapshot, rule), policy: view.id };
    return { until: Math.min(end, endsAt), ports: terms?.ports ?? firewall?.ports ?? ports, keeps, reason };
  }
  // Another of its types may be approved, of which these are the hints; and an audit denies nothing.
  const kept = approvesName(snapshot, view, subject, Math.floor(epoch)) || identity.auditUntil > epoch;
  return kept ? { until: endsAt, ports, keeps: false, reason: null } : null;
}

/** Not re-entrant. */
const decision = new Decision();
const labels = new Uint8Array(128);

/** Whoever asked when something was granted, under the policy of now. */
export interface Asks {
  readonly identity: Identity;
  readonly view: View;
  readonly endsAt: Monotonic;
}

/** What the policy of now says of a grant. */
export interface Approved {
  readonly until: Monotonic;
  readonly ports: readonly string[];
  /** As long as the lease, which may have been given more time. */
  readonly keeps: boolean;
  /** Which rule it is now; null where none says so. */
  readonly reason: Omit<GrantReason, 'chain'> | null;
}

/** Until when a grant may last, monotonic milliseconds; 0 where it is over. */
export function untilOf({ until }: Pick<NameGrant, 'until'>, approved: Approved | null): Monotonic {
  if (approved === null) return 0;
  return approved.keeps ? approved.until : Math.min(until, approved.until);
}

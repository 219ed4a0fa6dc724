import type { Snapshot } from '../policy/snapshot.ts';
import type {
  BudgetSettings,
  CacheSetting,
  LimitSetting,
  ReplySetting,
  UpstreamGroup,
} from '../settings/settings.ts';
import { isAtOrUnder } from '../wire/name.ts';
import { Standings } from './client/standing.ts';
import type { FirewallTerms } from './grants/enforcement.ts';
import type { Designation } from './local/designation.ts';

/**
 * What one load puts in place of another: the policy, the settings that the story reads, and who stands in it. Frozen. A
 * query takes the reference once, and a reload replaces the reference.
 */
export interface InForce extends InForceParts {
  readonly standings: Standings;
  /** The upstream group (index) that is asked about a name: the one with the longest zone above it, else `default`. */
  groupOf(name: Uint8Array, nameLength: number): number;
}

export interface InForceParts {
  readonly snapshot: Snapshot;
  readonly replies: ReplySetting;
  readonly cache: CacheSetting;
  readonly limits: LimitSetting;
  readonly budgets: BudgetSettings;
  /** Null: no firewall. */
  readonly firewall: FirewallTerms | null;
  /** Letters from which a denied name is compared with approved ones; 0 for not at all. */
  readonly nearMiss: number;
  /** Idle time of streams that clients are told, in 100 ms (RFC 7828). */
  readonly keepalive: number;
  /** What `_dns.resolver.arpa` tells (RFC 9462). */
  readonly designations: readonly Designation[];
  /** By group, a small number that stays the same across reloads while the group keeps its name: part of cache keys. */
  readonly groupIds: readonly number[];
}

/** Builds it. `before` is what it will replace, and stays as it is: what identities have running goes over by name. */
export function buildInForce(
  parts: InForceParts,
  groups: readonly Pick<UpstreamGroup, 'zones'>[],
  before: InForce | null,
): InForce {
  const standings = new Standings(parts.snapshot, parts.limits.inFlight, before?.standings ?? null);
  return Object.freeze({ ...parts, standings, groupOf: groupRouter(groups) });
}

/** Routes names to groups by zone. Groups are few, so their zones are looked through one by one. */
function groupRouter(groups: readonly Pick<UpstreamGroup, 'zones'>[]): InForce['groupOf'] {
  const zones = groups
    .flatMap((group, index) => group.zones.map((zone) => ({ zone, index })))
    .sort((a, b) => b.zone.length - a.zone.length);
  if (zones.length === 0) return () => 0;
  return (name, nameLength) => {
    const whole = name.subarray(0, nameLength);
    for (const { zone, index } of zones) if (isAtOrUnder(whole, zone)) return index;
    return 0;
  };
}

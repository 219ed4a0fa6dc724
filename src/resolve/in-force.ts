import type { Snapshot } from '../policy/snapshot.ts';
import type { CacheSetting, LimitSetting, ReplySetting, UpstreamGroup } from '../settings/settings.ts';
import type { Designation } from './local/designation.ts';

/** What one reload puts in place of another: the policy, and the settings that the story reads. */
export interface InForce {
  readonly snapshot: Snapshot;
  readonly replies: ReplySetting;
  readonly cache: CacheSetting;
  readonly limits: LimitSetting;
  /** Idle time of streams that clients are told, in 100 ms (RFC 7828). */
  readonly keepalive: number;
  /** The upstream group (index) that is asked about a name: the one with the longest zone above it, else `default`. */
  groupOf(name: Uint8Array, nameLength: number): number;
  /** What `_dns.resolver.arpa` tells (RFC 9462). */
  readonly designations: readonly Designation[];
  /** By group, a small number that stays the same across reloads while the group keeps its name: part of cache keys. */
  readonly groupIds: readonly number[];
}

/** Routes names to groups by zone. Groups are few, so their zones are looked through one by one. */
export function groupRouter(groups: readonly UpstreamGroup[]): InForce['groupOf'] {
  const zones = groups
    .flatMap((group, index) => group.zones.map((zone) => ({ zone, index })))
    .sort((a, b) => b.zone.length - a.zone.length);
  if (zones.length === 0) return () => 0;
  return (name, nameLength) => {
    for (const { zone, index } of zones) if (endsIn(name, nameLength, zone)) return index;
    return 0;
  };
}

function endsIn(name: Uint8Array, nameLength: number, zone: Uint8Array): boolean {
  const skip = nameLength - zone.length;
  if (skip < 0) return false;
  let at = 0;
  while (at < skip) at += 1 + name[at]!;
  if (at !== skip) return false;
  for (let i = 0; i < zone.length; i++) if (name[skip + i] !== zone[i]) return false;
  return true;
}

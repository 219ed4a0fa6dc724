import { parsePrefix } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import type { HeldLine } from '../../resolve/grants/grant-line.ts';
import type { GrantPlace } from '../../resolve/grants/granted-client.ts';
import type { HeldGrant } from '../../resolve/grants/held-grants.ts';
import { firstOf } from '../../wire/ip-address.ts';

/** What an enforcer tells of a grant from before our start; null where it is none: then it is told to nobody, and ends. */
export function readHeld(line: HeldLine): HeldGrant | null {
  const client = placeOf(line.client);
  if (client === null || typeof line.identity !== 'string') return null;
  const who = { client, identity: line.identity, lease: line.lease ?? '' };
  if (line.certified) return { ...who, given: null };
  const address = placeOf(line.address);
  const { name, ports, chain, rule, policy, ttl_ms: left } = line;
  if (address === null || typeof name !== 'string' || !Array.isArray(ports) || !(left > 0)) return null;
  return { ...who, given: { name, address, ports, left, reason: { chain, rule, policy } } };
}

function placeOf(text: unknown): GrantPlace | null {
  const prefix = typeof text === 'string' ? parsePrefix(text) : null;
  if (prefix === null || prefix instanceof TextFault) return null;
  return prefix.length === (prefix.family === 4 ? 32 : 128) ? firstOf(prefix) : null;
}

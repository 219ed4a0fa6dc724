import type { GrantLine, GrantOrder, LiveLine, RevokeLine } from '../resolve/grants/grant-line.ts';
import { type Milliseconds, type SinceBoot, unreachable } from '../wire/quantity.ts';
import {
  type ClientPlace,
  clientPlaceOf,
  grantKey,
  holds,
  isPrefix,
  placeOf,
  portsOf,
  setOf,
} from './client-place.ts';
import type { GrantIndex } from './grant-index.ts';
import type { ElementChange } from './kernel/elements.ts';

/** The longest that anything is granted or live for, milliseconds: a year. */
const LONGEST: Milliseconds = 365 * 86_400_000;

/**
 * What an order changes in the sets, or a text that says what is wrong with it. A grant that would last at most `slack`
 * milliseconds longer than it does changes nothing.
 */
export function changesOf(
  order: GrantOrder,
  index: GrantIndex,
  now: SinceBoot,
  slack = 0,
): ElementChange[] | string {
  if (order.op === 'snapshot') return [];
  const client = typeof order.client === 'string' ? clientPlaceOf(order.client) : null;
  if (client === null) return 'client is no address';
  switch (order.op) {
    case 'live':
      return live(client, order);
    case 'end':
      return end(client, order.quarantine_ms, index);
    case 'grant':
    case 'revoke':
      return grants(client, order, index, now, slack);
    default:
      unreachable(order);
  }
}

function live(client: ClientPlace, { ttl_ms: ttl, certified }: LiveLine): ElementChange[] | string {
  if (isPrefix(client)) return [];
  if (ttl !== null && !isTime(ttl)) return 'ttl_ms is no time';
  const { family, octets: key } = client;
  return [
    { set: setOf(family, 'quarantined'), key, ttl: null },
    { set: setOf(family, certified === true ? 'certified' : 'live'), key, ttl: ttl ?? LONGEST },
  ];
}

function end(client: ClientPlace, quarantine: Milliseconds, index: GrantIndex): ElementChange[] | string {
  if (quarantine !== 0 && !isTime(quarantine)) return 'quarantine_ms is no time';
  const { family, octets: key } = client;
  const changes: ElementChange[] = [];
  if (isPrefix(client)) {
    for (const other of index.clients()) {
      const place = clientPlaceOf(other);
      // Who is live by an address of its own goes on.
      if (index.live.has(other)) continue;
      if (place !== null && holds(client, place.octets)) changes.push(...allOf(other, index));
    }
    return changes;
  }
  if (quarantine > 0) changes.push({ set: setOf(family, 'quarantined'), key, ttl: quarantine });
  for (const kind of ['live', 'certified'] as const)
    changes.push({ set: setOf(family, kind), key, ttl: null });
  changes.push(...allOf(client.text, index));
  return changes;
}

function allOf(client: string, index: GrantIndex): ElementChange[] {
  return [...index.of(client)].map(({ set, key }) => ({ set, key, ttl: null }));
}

function grants(
  client: ClientPlace,
  order: GrantLine | RevokeLine,
  index: GrantIndex,
  now: SinceBoot,
  slack: Milliseconds,
): ElementChange[] | string {
  if (isPrefix(client)) return 'a grant is for one client';
  const ports = Array.isArray(order.ports) ? portsOf(order.ports) : null;
  if (ports === null) return 'ports are wrong, or too many';
  const address = typeof order.address === 'string' ? placeOf(order.address) : null;
  if (address === null || address.family !== client.family)
    return "the address is none of the client's family";
  const ttl = order.op === 'grant' ? order.ttl_ms : null;
  if (order.op === 'grant' && !isTime(ttl)) return 'ttl_ms is no time';
  const set = setOf(client.family, 'grants');
  const changes: ElementChange[] = [];
  for (const { protocol, port } of ports) {
    const key = grantKey(client, address, protocol, port);
    if (ttl === null) changes.push({ set, key, ttl });
    else if (index.until(client.text, key) + slack < now + ttl) changes.push({ set, key, ttl });
  }
  return changes;
}

/** The keys of what a grant opens; none where it is none. */
export function keysOf(client: string, address: string, ports: readonly string[]): Buffer[] {
  const from = placeOf(client);
  const to = placeOf(address);
  if (from === null || to === null || from.family !== to.family) return [];
  return (portsOf(ports) ?? []).map(({ protocol, port }) => grantKey(from, to, protocol, port));
}

function isTime(milliseconds: unknown): milliseconds is number {
  return typeof milliseconds === 'number' && milliseconds > 0 && milliseconds <= LONGEST;
}

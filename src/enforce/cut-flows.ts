import { clientOfKey, placeOf } from './client-place.ts';
import type { NamegateAt } from './table-skeleton.ts';

/** Flows of one client that are kept from coming back: the set has room for many clients, and one may not fill it. */
export const MOST_FLOWS = 16_384;

/**
 * Of the UDP flows that clients began and that are cut, those that must not be begun anew from outside, as elements of `cut4` or
 * `cut6` (client, other side, both ports). What a client asked of namegate itself passes for everybody. `over`: how many more
 * there were than one client may have.
 */
export function keptFromReturning(
  flows: readonly Buffer[],
  family: 4 | 6,
  listeners: readonly NamegateAt[],
): { readonly kept: readonly Buffer[]; readonly over: number } {
  const size = family === 4 ? 4 : 16;
  const ours = new Set<string>();
  for (const { host, l4, port } of listeners) {
    const place = host === null || l4 !== 'udp' ? null : placeOf(host);
    if (place !== null && place.family === family) ours.add(sideText(place.octets, port));
  }
  const counts = new Map<string, number>();
  const kept: Buffer[] = [];
  let over = 0;
  for (const flow of flows) {
    const port = flow.readUInt16BE(2 * size + 4);
    if (ours.has(sideText(flow.subarray(size, 2 * size), port))) continue;
    const client = clientOfKey(family, flow);
    const count = (counts.get(client) ?? 0) + 1;
    counts.set(client, count);
    if (count > MOST_FLOWS) over++;
    else kept.push(flow);
  }
  return { kept, over };
}

function sideText(octets: Uint8Array, port: number): string {
  return `${Buffer.from(octets).toString('latin1')} ${port}`;
}

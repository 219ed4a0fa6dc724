import type { NetfilterExchange } from './netlink-exchange.ts';
import { attributesOf, eachAttribute, type NetlinkWriter } from './netlink-message.ts';

/** Messages and attributes of connection tracking (linux/netfilter/nfnetlink_conntrack.h). */
const SUBSYSTEM = 1 << 8;
const GET = SUBSYSTEM | 1;
const DELETE = SUBSYSTEM | 2;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, ID: 12, ZONE: 18, FILTER: 25 } as const;
const TUPLE_IP = 1;
const FILTER_FLAGS = { [CTA.TUPLE_ORIG]: 1, [CTA.TUPLE_REPLY]: 2 } as const;
const FILTER_SOURCE = 1;

/**
 * Forgets the connections that a client has: those that it began, and those that were begun to it. Their next packet is then
 * judged as the first of a connection. `isSource` says of an address (4 or 16 octets) whether it is the client's; `exact` is
 * that address where there is one alone, so that the kernel picks. Returns how many there were.
 */
export function cutConnections(
  exchange: NetfilterExchange,
  family: 4 | 6,
  isSource: (address: Uint8Array) => boolean,
  exact: Uint8Array | null,
): number {
  const netlinkFamily = family === 4 ? 2 : 10;
  const found = new Map<string, Buffer>();
  for (const tuple of [CTA.TUPLE_ORIG, CTA.TUPLE_REPLY] as const) {
    const take = (body: Buffer): void => {
      const attributes = attributesOf(body.subarray(4));
      const source = sourceOf(attributes.get(tuple), family);
      if (source === null || !isSource(source)) return;
      const kept = [...eachAttribute(body.subarray(4))].filter(({ type }) => KEPT.has(type));
      const octets = Buffer.concat(kept.map(({ whole }) => Buffer.concat([whole, pad(whole.length)])));
      found.set(octets.toString('latin1'), octets);
    };
    const everything = (): void => {};
    const filter =
      exact === null ? everything : (writer: NetlinkWriter) => writeFilter(writer, tuple, family, exact);
    try {
      exchange.dump(GET, netlinkFamily, filter, take);
    } catch (error) {
      if (exact === null) throw error;
      // Before Linux 5.8 there is no filter.
      exchange.dump(GET, netlinkFamily, everything, take);
    }
  }
  for (const octets of found.values())
    exchange.ask(DELETE, netlinkFamily, (writer) => writeRaw(writer, octets));
  return found.size;
}

/** What names a connection when it is deleted. */
const KEPT = new Set<number>([CTA.TUPLE_ORIG, CTA.ID, CTA.ZONE]);

function writeFilter(writer: NetlinkWriter, tuple: 1 | 2, family: 4 | 6, source: Uint8Array): void {
  const outer = writer.nest(tuple);
  const inner = writer.nest(TUPLE_IP);
  writer.put(family === 4 ? 1 : 3, source);
  writer.close(inner);
  writer.close(outer);
  const filter = writer.nest(CTA.FILTER);
  // In the machine's order.
  for (const each of [CTA.TUPLE_ORIG, CTA.TUPLE_REPLY] as const)
    writer.put(FILTER_FLAGS[each], Uint8Array.of(each === tuple ? FILTER_SOURCE : 0, 0, 0, 0));
  writer.close(filter);
}

function writeRaw(writer: NetlinkWriter, octets: Buffer): void {
  // With the mark of what holds attributes, as it came.
  for (const { value, whole } of eachAttribute(octets)) writer.put(whole.readUInt16LE(2), value);
}

function sourceOf(tuple: Buffer | undefined, family: 4 | 6): Buffer | null {
  const ip = tuple === undefined ? undefined : attributesOf(tuple).get(TUPLE_IP);
  return ip === undefined ? null : (attributesOf(ip).get(family === 4 ? 1 : 3) ?? null);
}

function pad(length: number): Buffer {
  return Buffer.alloc((4 - (length & 3)) & 3);
}

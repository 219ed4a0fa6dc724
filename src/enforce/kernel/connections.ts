import type { NetfilterExchange } from './netlink-exchange.ts';
import { attributesOf, eachAttribute, type NetlinkWriter } from './netlink-message.ts';

/** Messages and attributes of connection tracking (linux/netfilter/nfnetlink_conntrack.h). */
const SUBSYSTEM = 1 << 8;
const GET = SUBSYSTEM | 1;
const DELETE = SUBSYSTEM | 2;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, ID: 12, ZONE: 18, FILTER: 25 } as const;
const TUPLE_IP = 1;
const TUPLE_PROTOCOL = 2;
const PROTOCOL = { NUMBER: 1, SOURCE_PORT: 2 } as const;
const UDP = 17;
const FILTER_FLAGS = { [CTA.TUPLE_ORIG]: 1, [CTA.TUPLE_REPLY]: 2 } as const;
const FILTER_SOURCE = 1;

/**
 * Forgets the connections that a client has: those that it began, and those that were begun to it. Their next packet is then
 * judged as the first of a connection. `isSource` says of an address (4 or 16 octets) whether it is the client's; `exact` is
 * that address where there is one alone, so that the kernel picks. `before` hears of the UDP flows that clients began, each as
 * client, other side, and the port of each, filled up to four octets: from the other side the next datagram would begin it anew.
 * Returns how many there were.
 */
export function cutConnections(
  exchange: NetfilterExchange,
  family: 4 | 6,
  isSource: (address: Uint8Array) => boolean,
  exact: Uint8Array | null,
  before: (flows: readonly Buffer[]) => void,
): number {
  const flows: Buffer[] = [];
  const netlinkFamily = family === 4 ? 2 : 10;
  const found = new Map<string, Buffer>();
  const take = (body: Buffer): void => {
    if (exact !== null && !body.includes(exact)) return;
    const attributes = attributesOf(body.subarray(4));
    const own = sourceOf(attributes.get(CTA.TUPLE_ORIG), family);
    const isBegun = own !== null && isSource(own);
    const other = sourceOf(attributes.get(CTA.TUPLE_REPLY), family);
    if (!isBegun && (other === null || !isSource(other))) return;
    const kept = [...eachAttribute(body.subarray(4))].filter(({ type }) => KEPT.has(type));
    const octets = Buffer.concat(kept.map(({ whole }) => Buffer.concat([whole, pad(whole.length)])));
    const key = octets.toString('latin1');
    const flow = isBegun && !found.has(key) ? flowOf(attributes, own, family) : null;
    if (flow !== null) flows.push(flow);
    found.set(key, octets);
  };
  const all = (): void => exchange.dump(GET, netlinkFamily, () => {}, take);
  if (exact === null || family === 6) all();
  else
    try {
      for (const tuple of [CTA.TUPLE_ORIG, CTA.TUPLE_REPLY] as const)
        exchange.dump(GET, netlinkFamily, (writer) => writeFilter(writer, tuple, exact), take);
    } catch {
      // Before Linux 5.8 there is no filter.
      all();
    }
  before(flows);
  for (const octets of found.values())
    exchange.ask(DELETE, netlinkFamily, (writer) => writeRaw(writer, octets));
  return found.size;
}

/** What names a connection when it is deleted. */
const KEPT = new Set<number>([CTA.TUPLE_ORIG, CTA.ID, CTA.ZONE]);

/** Of IPv6 the kernel's filter gives what does not match (6.18: `ctnetlink_filter_match_tuple`), so that it picks IPv4 alone. */
function writeFilter(writer: NetlinkWriter, tuple: 1 | 2, source: Uint8Array): void {
  const outer = writer.nest(tuple);
  const inner = writer.nest(TUPLE_IP);
  writer.put(1, source);
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

/** A UDP flow of a client; null for another protocol. Addresses may be translated: the other side is who answers. */
function flowOf(attributes: ReadonlyMap<number, Buffer>, client: Buffer, family: 4 | 6): Buffer | null {
  const reply = attributes.get(CTA.TUPLE_REPLY);
  const other = sourceOf(reply, family);
  const from = protocolOf(attributes.get(CTA.TUPLE_ORIG));
  const back = protocolOf(reply);
  const port = from?.get(PROTOCOL.SOURCE_PORT);
  const otherPort = back?.get(PROTOCOL.SOURCE_PORT);
  if (
    from?.get(PROTOCOL.NUMBER)?.[0] !== UDP ||
    other === null ||
    port === undefined ||
    otherPort === undefined
  )
    return null;
  return Buffer.concat([client, other, port, pad(port.length), otherPort, pad(otherPort.length)]);
}

function protocolOf(tuple: Buffer | undefined): ReadonlyMap<number, Buffer> | null {
  const protocol = tuple === undefined ? undefined : attributesOf(tuple).get(TUPLE_PROTOCOL);
  return protocol === undefined ? null : attributesOf(protocol);
}

function pad(length: number): Buffer {
  return Buffer.alloc((4 - (length & 3)) & 3);
}

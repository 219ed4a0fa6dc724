/** A packet that was refused, as far as it was copied. */
export interface RefusedPacket {
  /** 4 or 16 octets, good as long as the packet is. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** A number of IANA's: 6 is TCP, 17 UDP. */
  readonly protocol: number;
  /** The destination's; 0 where it has none, or a fragment does not show it. */
  readonly port: number;
  /** It may be the first of a connection. Of TCP that is SYN without ACK; no error of ICMP is; of all others each may be. */
  readonly begins: boolean;
}

const TCP = 6;
const UDP = 17;
/** Protocols with a destination port in octets 2 and 3 besides: SCTP, UDP-Lite, DCCP. */
const WITH_PORTS: ReadonlySet<number> = new Set([TCP, UDP, 33, 132, 136]);
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, destination options, mobility (RFC 8200 §4). */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, 135]);
/** Extension headers that are read: a packet may hold more, and then it is told by its last. */
const MOST_EXTENSIONS = 8;

/** Reads the head of an IP packet (RFC 791 §3.1, RFC 8200 §3); null for what is none. */
export function readPacket(octets: Buffer): RefusedPacket | null {
  const version = (octets[0] ?? 0) >> 4;
  if (version === 4) return readFour(octets);
  return version === 6 ? readSix(octets) : null;
}

function readFour(octets: Buffer): RefusedPacket | null {
  const length = 4 * (octets[0]! & 0x0f);
  if (octets.length < 20 || length < 20) return null;
  const isFirst = (octets.readUInt16BE(6) & 0x1fff) === 0;
  return packetOf(
    octets.subarray(12, 16),
    octets.subarray(16, 20),
    octets[9]!,
    octets,
    isFirst ? length : -1,
  );
}

function readSix(octets: Buffer): RefusedPacket | null {
  if (octets.length < 40) return null;
  let protocol = octets[6]!;
  let at = 40;
  for (let i = 0; i < MOST_EXTENSIONS && at >= 0 && at + 8 <= octets.length; i++) {
    const size = octets[at + 1]!;
    if (protocol === FRAGMENT) {
      const isFirst = (octets.readUInt16BE(at + 2) & 0xfff8) === 0;
      protocol = octets[at]!;
      at = isFirst ? at + 8 : -1;
    } else if (protocol === AUTHENTICATION || EXTENSIONS.has(protocol)) {
      const step = protocol === AUTHENTICATION ? 4 * (size + 2) : 8 * (size + 1);
      protocol = octets[at]!;
      at += step;
    } else break;
  }
  return packetOf(octets.subarray(8, 24), octets.subarray(24, 40), protocol, octets, at);
}

/** `at`: where the upper header stands, -1 where it is not in this packet. */
function packetOf(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  octets: Buffer,
  at: number,
): RefusedPacket {
  const hasPorts = at >= 0 && WITH_PORTS.has(protocol) && at + 4 <= octets.length;
  const port = hasPorts ? octets.readUInt16BE(at + 2) : 0;
  return { source, destination, protocol, port, begins: at < 0 || begins(protocol, octets, at) };
}

function begins(protocol: number, octets: Buffer, at: number): boolean {
  if (protocol === TCP) return ((octets[at + 13] ?? SYN) & (SYN | ACK)) === SYN;
  // Errors of ICMP answer to what somebody else sent (RFC 792, RFC 4443 §2.1).
  if (protocol === ICMP) return !ICMP_ERRORS.has(octets[at] ?? ECHO);
  return protocol !== ICMP6 || (octets[at] ?? ECHO6) >= ECHO6;
}

const ICMP = 1;
const ICMP6 = 58;
const ECHO = 8;
const ECHO6 = 128;
/** Unreachable, source quench, time exceeded, parameter problem. */
const ICMP_ERRORS: ReadonlySet<number> = new Set([3, 4, 11, 12]);

const SYN = 0x02;
const ACK = 0x10;

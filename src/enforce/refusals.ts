import type { RefusedLine } from '../resolve/grants/grant-line.ts';
import { textOfPlace } from './client-place.ts';
import type { RefusedPacket } from './kernel/packet.ts';

/** Kinds of refusals in hand: of all clients, and of one. What is beyond is told of a client as one. */
const MOST = 512;
const MOST_OF_ONE = 32;

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
  132: 'sctp',
};

interface Refusal {
  readonly client: string;
  readonly lease: string | null;
  readonly address: string | null;
  readonly protocol: string | null;
  readonly port: number | null;
  readonly begins: boolean;
  count: number;
}

/** Packets that were refused, alike ones as one, until they are told. */
export class Refusals {
  readonly #leaseOf: (client: string) => string | null;
  readonly #refusals = new Map<string, Refusal>();
  /** Kinds of one client. */
  readonly #kinds = new Map<string, number>();
  /** Packets that had no room. */
  #lost = 0;

  /** `leaseOf`: the lease that has an address, as text. */
  constructor(leaseOf: (client: string) => string | null = () => null) {
    this.#leaseOf = leaseOf;
  }

  take(packet: RefusedPacket): void {
    const { source, destination, protocol, port, begins } = packet;
    // Nobody connects to a group: what machines say there by themselves is no try.
    if (isGroup(destination)) return;
    const client = latin(source);
    const key = `${client}${latin(destination)}${protocol} ${port} ${begins}`;
    const known = this.#refusals.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const kinds = this.#kinds.get(client) ?? 0;
    if (kinds < MOST_OF_ONE && this.#refusals.size < MOST) {
      this.#kinds.set(client, kinds + 1);
      this.#put(key, packet, {
        address: textOfPlace(destination),
        protocol: PROTOCOLS[protocol] ?? String(protocol),
        port: port === 0 ? null : port,
      });
      return;
    }
    const others = `${client} ${begins}`;
    const more = this.#refusals.get(others);
    if (more !== undefined) more.count++;
    else if (this.#refusals.size < 2 * MOST)
      this.#put(others, packet, { address: null, protocol: null, port: null });
    else this.#lost++;
  }

  /** What has come since the last call, and how many packets had no room. */
  flush(): { readonly lines: RefusedLine[]; readonly lost: number } {
    const lines = [...this.#refusals.values()].map((refusal): RefusedLine => ({ op: 'refused', ...refusal }));
    const lost = this.#lost;
    this.#refusals.clear();
    this.#kinds.clear();
    this.#lost = 0;
    return { lines, lost };
  }

  #put(
    key: string,
    { source, begins }: RefusedPacket,
    what: Pick<Refusal, 'address' | 'protocol' | 'port'>,
  ): void {
    const client = textOfPlace(source);
    this.#refusals.set(key, { client, lease: this.#leaseOf(client), ...what, begins, count: 1 });
  }
}

function latin(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

/** Multicast, or the broadcast address of IPv4. */
function isGroup(address: Uint8Array): boolean {
  if (address.length === 16) return address[0] === 0xff;
  return address[0]! >> 4 === 14 || address.every((octet) => octet === 255);
}

/** Who a client is, by the longest static prefix, with addresses as text of bits. */
import type { Identity, Policy } from './policy.ts';

/** An address as its bits, `0` and `1`: 32 of them for IPv4, a mapped one too, else 128. */
export type Bits = string;

/** The identity with the longest prefix that the address is in, or null: then the client is `unknown`. */
export function recognise(policy: Policy, address: Bits): Identity | null {
  let found: Identity | null = null;
  let longest = -1;
  for (const identity of policy.identities) {
    for (const cidr of identity.addresses) {
      const prefix = prefixBits(cidr);
      if (prefix.family !== address.length || !address.startsWith(prefix.bits)) continue;
      if (prefix.bits.length <= longest) continue;
      longest = prefix.bits.length;
      found = identity;
    }
  }
  return found;
}

const known = new Map<string, { readonly family: number; readonly bits: string }>();

function prefixBits(cidr: string): { readonly family: number; readonly bits: string } {
  let prefix = known.get(cidr);
  if (prefix === undefined) {
    const [address = '', length] = cidr.split('/');
    const bits = bitsOf(address);
    prefix = { family: bits.length, bits: bits.slice(0, Number(length ?? bits.length)) };
    if (known.size > 10_000) known.clear();
    known.set(cidr, prefix);
  }
  return prefix;
}

/** Reads IPv4 in dots and IPv6 in groups, `::` included. */
export function bitsOf(address: string): Bits {
  const binary = (value: number, width: number): string => value.toString(2).padStart(width, '0');
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((octet) => binary(Number(octet), 8))
      .join('');
  }
  const [front = '', back] = address.split('::');
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const missing = 8 - groups(front).length - groups(back).length;
  const all = [
    ...groups(front),
    ...Array<string>(back === undefined ? 0 : missing).fill('0'),
    ...groups(back),
  ];
  const bits = all.map((group) => binary(Number.parseInt(group, 16), 16)).join('');
  // IPv4-mapped sources are IPv4.
  const mapped = `${'0'.repeat(80)}${'1'.repeat(16)}`;
  return bits.startsWith(mapped) ? bits.slice(96) : bits;
}

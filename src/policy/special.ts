import { WireError } from '../wire/error.ts';
import { nameFromText } from '../wire/name.ts';

/**
 * Names whose meaning no policy changes. Each is a node of the tree with NODE.SPECIAL; what lies below one is
 * the same special name.
 */
export const SPECIAL = {
  /** 127.0.0.1 and ::1 for everyone, with what is below (RFC 6761 §6.3). */
  LOCALHOST: 'localhost',
  /** Locally served: no data (RFC 9462 §6.4). */
  RESOLVER: 'resolver.arpa',
  /** NXDOMAIN tells browsers to leave DNS to the network. */
  CANARY: 'use-application-dns.net',
  /** `NAME._why.namegate.internal` explains NAME. */
  WHY: '_why.namegate.internal',
} as const;

export type SpecialName = (typeof SPECIAL)[keyof typeof SPECIAL];

export const SPECIAL_NAMES: readonly { readonly text: SpecialName; readonly name: Uint8Array }[] =
  Object.values(SPECIAL).map((text) => ({ text, name: wire(text) }));

/** The whole zone that namegate answers by itself; policy may not reach into it. */
export const OWN_ZONE = wire('namegate.internal');

/**
 * Reverse zones of private, loopback and link-local space (RFC 6303 §4, RFC 7793 for 100.64/10): questions in them
 * stay inside unless a rule approves them.
 */
export const PRIVATE_REVERSE: readonly Uint8Array[] = [
  '0',
  '10',
  '127',
  '254.169',
  '168.192',
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172`),
  ...Array.from({ length: 64 }, (_, i) => `${64 + i}.100`),
]
  .map((zone) => `${zone}.in-addr.arpa`)
  .concat(
    `0${'.0'.repeat(31)}.ip6.arpa`,
    `1${'.0'.repeat(31)}.ip6.arpa`,
    ...['d.f', 'c.f', '8.e.f', '9.e.f', 'a.e.f', 'b.e.f'].map((zone) => `${zone}.ip6.arpa`),
  )
  .map(wire);

function wire(text: string): Uint8Array {
  const name = nameFromText(text);
  if (name instanceof WireError) throw new Error(`bad name in a table: ${text}`);
  return name;
}

import type { Prefix } from '../../wire/prefix.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Whom a lease binds: who shows the certificate, who comes from one of the addresses, or who does both. */
export interface LeaseClaim {
  /** Prefixes without host bits, none of them IPv4-mapped; empty only beside a certificate. */
  readonly addresses: readonly Prefix[];
  /** In the form of `Credential.names`, or null. */
  readonly certificate: string | null;
  /** The one address that the firewall judges in place of `addresses`: NAT or a stub hides it from namegate. It proves nothing. */
  readonly client?: Prefix | null;
}

/** A claim, what it binds to, and until when. */
export interface Lease extends LeaseClaim {
  readonly id: string;
  readonly identity: string;
  readonly stage: string | null;
  readonly job: Readonly<Record<string, string>> | null;
  /** Monotonic milliseconds. */
  readonly endsAt: Monotonic;
  /** Milliseconds after its end for which its claim is `unknown`; 0 for none. */
  readonly quarantine: Milliseconds;
  /** Its opener says that nobody else can send from its addresses. */
  readonly sourceEnforced: boolean;
  /** The policy has its identity and stage. While it does not, it binds to `unknown`. */
  readonly known: boolean;
}

/** The prefixes that no other lease may hold beside this one. */
export function occupied({ addresses, client }: LeaseClaim): readonly Prefix[] {
  return client == null ? addresses : [...addresses, client];
}

/** The prefixes that packets of whom it binds come from, as the firewall sees them. */
export function judgedAt({ addresses, client }: LeaseClaim): readonly Prefix[] {
  return client == null ? addresses : [client];
}

/** The prefixes that lie in no other of these, each once. */
export function outermost(prefixes: readonly Prefix[]): readonly Prefix[] {
  if (prefixes.length < 2) return prefixes;
  const kept: Prefix[] = [];
  for (const prefix of prefixes.toSorted((one, other) => one.length - other.length)) {
    if (!kept.some((outer) => covers(outer, prefix))) kept.push(prefix);
  }
  return kept;
}

/** Whether all addresses of `inner` are in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && overlaps(outer, inner);
}

/** Whether two prefixes have an address in common: the longer lies in the shorter. */
export function overlaps(one: Prefix, other: Prefix): boolean {
  if (one.family !== other.family) return false;
  let bits = Math.min(one.length, other.length);
  for (let i = 0; bits > 0; i++, bits -= 32) {
    const differ = (one.words[i]! ^ other.words[i]!) >>> 0;
    if (bits >= 32 ? differ !== 0 : differ >>> (32 - bits) !== 0) return false;
  }
  return true;
}

/** A claim as text: two claims have one key where they bind the same. */
export function claimKey({ addresses, certificate, client }: LeaseClaim): string {
  const named = client == null ? '' : `${keyOf(client)} `;
  return `${named}${certificate ?? ''}|${addresses.map(keyOf).sort().join('|')}`;
}

function keyOf({ family, words, length }: Prefix): string {
  return `${family} ${words.join(' ')}/${length}`;
}

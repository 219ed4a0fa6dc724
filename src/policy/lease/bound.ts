import type { Prefix } from '../../wire/prefix.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import { addressToText } from '../address.ts';
import type { Lease } from './lease-claim.ts';

/** Addresses of one lease whose budgets pay; a machine has one of IPv4 and one of IPv6. */
const MOST_CLAIMS = 3;

/** What a live lease or a quarantine says of a client. Never changed: what changes is another object. */
export interface Bound {
  /** `unknown` for a quarantine, and for a lease whose identity or stage the policy no longer has. */
  readonly identity: string;
  /** Null: the first stage of an identity that has any. */
  readonly stage: string | null;
  /** The lease's id; empty for a quarantine. */
  readonly lease: string;
  /** Monotonic milliseconds from which it holds no longer. */
  readonly endsAt: Monotonic;
  /** Single addresses that the lease binds, as text, at most MOST_CLAIMS: whichever of them asks, the budgets of all of them pay. */
  readonly claims?: readonly string[];
  /** The name or fingerprint of the certificate that the lease binds, or null. */
  readonly certificate?: string | null;
  /** The same addresses as words. */
  readonly sources?: readonly Prefix[];
  /** The address that the firewall judges in place of the asker's, or null. */
  readonly client?: Prefix | null;
  readonly job: Readonly<Record<string, string>> | null;
  /** The lease's opener says that the network drops forged sources: who asks from its address has it. */
  readonly sourceEnforced: boolean;
}

/** What a live lease says of who has it. */
export function boundOf({
  id,
  identity,
  stage,
  job,
  endsAt,
  known,
  sourceEnforced,
  addresses,
  certificate,
  client = null,
}: Lease): Bound {
  if (!known) return { identity: UNKNOWN_NAME, stage: null, lease: id, endsAt, job, sourceEnforced: false };
  const sources = addresses
    .filter(({ family, length }) => length === (family === 4 ? 32 : 128))
    .slice(0, MOST_CLAIMS);
  const claims = sources.map(singleAddress);
  return { identity, stage, lease: id, endsAt, claims, certificate, sources, client, job, sourceEnforced };
}

function singleAddress({ family, words }: Prefix): string {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = 0; i < octets.length; i++) octets[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
  return addressToText(octets);
}

/** What a quarantine says of whom it holds back. */
export function quarantineUntil(endsAt: Monotonic): Bound {
  return { identity: UNKNOWN_NAME, stage: null, lease: '', endsAt, job: null, sourceEnforced: false };
}

/** A live lease has an id, whether or not the policy knows what it binds to. */
export function isQuarantine({ lease }: Bound): boolean {
  return lease === '';
}

const UNKNOWN_NAME = 'unknown';

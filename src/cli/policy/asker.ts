import { parseAddress } from '../../config/addresses.ts';
import { findAddress, UNKNOWN } from '../../policy/identity.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import { firstOf } from '../../wire/ip-address.ts';
import { enumerate } from '../terminal.ts';

/** The identity of that name, or what is wrong with the name. */
export function identityNamed(name: string, { identities }: Snapshot): Identity | string {
  if (name === UNKNOWN.name) return UNKNOWN;
  const found = identities.find((identity) => identity.name === name);
  const known = enumerate(identities.map((identity) => identity.name)) || 'none';
  return found ?? `there is no identity ${name}; there are: ${known}`;
}

/** As whom a client at this address is seen that shows no certificate and has no lease, or what is wrong with the address. */
export function identityAt(text: string, { addresses, identities }: Snapshot): Identity | string {
  const address = parseAddress(text);
  if ('fix' in address) return `--from ${text}: ${address.message}; ${address.fix}`;
  const identity = identities[findAddress(addresses, firstOf(address))];
  return identity === undefined || identity.proof === 'certificate' ? UNKNOWN : identity;
}

import type { Lease } from '../../policy/lease/lease.ts';
import { judgedAt } from '../../policy/lease/lease-claim.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import { firstOf } from '../../wire/ip-address.ts';
import { nameToText } from '../../wire/name.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { grantLine, textOf } from './gate.ts';
import type { GrantOrder } from './grant-line.ts';
import type { AddressGrant, GrantedClient, NameGrant } from './granted-client.ts';

export function* namesOf({ names }: AddressGrant): Generator<NameGrant> {
  for (let named = names; named !== null; named = named.next) yield named;
}

/** What the enforcer is told of an address that a client keeps, for each name that still opens it. */
export function* regrant(client: GrantedClient, grant: AddressGrant, now: Monotonic): Generator<GrantOrder> {
  for (const { name, ports, until, reason } of namesOf(grant))
    if (until > now) yield grantLine(client, nameToText(name), grant, ports, until - now, reason);
}

/** Nobody has the client's address any more. */
export function endLine(client: string, lease: Lease | null, quarantine: Milliseconds = 0): GrantOrder {
  const whose = { identity: lease?.identity ?? null, lease: lease?.id ?? null };
  return { op: 'end', client, ...whose, quarantine_ms: Math.ceil(quarantine) };
}

/** Who is live by a lease that still holds. */
export function* liveOf(lease: Lease, now: Monotonic): Generator<GrantOrder> {
  const { id, identity, endsAt } = lease;
  if (endsAt <= now) return;
  for (const prefix of judgedAt(lease))
    yield { op: 'live', client: textOfPrefix(prefix), identity, lease: id, ttl_ms: Math.ceil(endsAt - now) };
}

/** An identity that wants a certificate is known by no address. */
export function prefixesOf({ identities }: Snapshot): ReadonlyMap<string, string> {
  return new Map(
    identities.flatMap(({ name, addresses, proof }) =>
      proof === 'certificate' ? [] : addresses.map((text) => [text, name] as const),
    ),
  );
}

export function textOfPrefix(prefix: Prefix): string {
  const { family, length } = prefix;
  const text = textOf(firstOf(prefix));
  return length === (family === 4 ? 32 : 128) ? text : `${text}/${length}`;
}

/** Whether a client's address lies in a prefix. */
export function isIn({ family, w0, w1, w2, w3 }: GrantedClient, prefix: Prefix): boolean {
  if (family !== prefix.family) return false;
  return [w0, w1, w2, w3].every((word, i) => {
    const bits = Math.min(32, Math.max(0, prefix.length - 32 * i));
    return bits === 0 || (word ^ (prefix.words[i] ?? 0)) >>> (32 - bits) === 0;
  });
}

import { ipAddress } from '../../wire/ip-address.ts';
import { nameToText } from '../../wire/name.ts';
import { findAddress } from '../identity.ts';
import { KIND, type Snapshot } from '../snapshot.ts';
import { nameOfNode } from '../tree.ts';
import { explain } from './explain.ts';

const LOOPBACK = 0x7f00_0001;

/** A name worth asking for from this machine: a local record that loopback may see, else an approved name; null for none. */
export function suggestName(snapshot: Snapshot): string | null {
  const identity = snapshot.identities[findAddress(snapshot.addresses, ipAddress(4, LOOPBACK))];
  if (identity === undefined) return null;
  const allows = (name: Uint8Array): boolean => {
    const { verdict } = explain(snapshot, identity, null, name, 1, 0);
    return verdict === 'allow' || verdict === 'local';
  };
  for (const { name, redirect } of snapshot.locals.values())
    if (redirect === null && allows(name)) return nameToText(name);
  for (let rule = 0; rule < Math.min(snapshot.rules.count, 1000); rule++) {
    if (snapshot.rules.kind[rule]! > KIND.MEMBER) continue;
    const name = nameOfNode(snapshot.tree, snapshot.rules.node[rule]!);
    if (allows(name)) return nameToText(name);
  }
  return null;
}

import { suffixTable } from '../../config/policy/suffixes.ts';
import { addressToText } from '../../policy/address.ts';
import { explainRule } from '../../policy/explain/rule-text.ts';
import { rentedZone } from '../../policy/pattern/suffix.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import { TYPE } from '../../wire/iana.ts';
import { nameFromText, nameToText } from '../../wire/name.ts';
import { count, enumerate, escapeText } from '../terminal.ts';

/** Lines of each kind; what is more is counted. */
const LISTED = 20;

export interface SharedAddresses {
  /** Patterns, each with the zone that it is in. */
  readonly zones: readonly { readonly name: string; readonly zone: string }[];
  /** Addresses of local records that more than one name has. */
  readonly records: readonly { readonly address: string; readonly names: readonly string[] }[];
}

/**
 * Where the files themselves say that names share addresses: names in zones where anyone can have one, as of a CDN, and local
 * records. There a grant opens more than the name that was asked. Empty where they say of none; the rest no file knows.
 */
export function sharedAddresses(snapshot: Snapshot): SharedAddresses {
  return {
    zones: [...rented(snapshot)].map(([name, zone]) => ({ name, zone })),
    records: [...byAddress(snapshot)]
      .filter(([, names]) => names.length > 1)
      .map(([address, names]) => ({ address, names })),
  };
}

/** The same for people. */
export function sharedAddressLines(snapshot: Snapshot): string[] {
  const shared = sharedAddresses(snapshot);
  const zones = shared.zones.map(
    ({ name, zone }) => `  ${escapeText(name).padEnd(40)} is in ${zone}, whose names share addresses`,
  );
  const records = shared.records.map(
    ({ address, names }) =>
      `  ${address.padEnd(40)} has ${enumerate(names.slice(0, LISTED).map(escapeText))}`,
  );
  const lines = [...listed(zones, 'more name'), ...listed(records, 'more address')];
  if (lines.length === 0) return [];
  return ['shared addresses: what is granted for one name is open for every name at its address', ...lines];
}

function listed(lines: readonly string[], more: string): string[] {
  const rest = lines.length - LISTED;
  return rest > 0 ? [...lines.slice(0, LISTED), `  ${count(rest, more)}`] : [...lines];
}

/** Patterns, and targets of redirects, by the zone that they are in. */
function rented(snapshot: Snapshot): ReadonlyMap<string, string> {
  const table = suffixTable();
  const found = new Map<string, string>();
  const look = (text: string, name: Uint8Array): void => {
    const zone = rentedZone(name, table);
    if (zone !== null) found.set(text, zone);
  };
  for (let rule = 0; rule < snapshot.rules.count; rule++) {
    const { pattern } = explainRule(snapshot, rule);
    if (found.has(pattern)) continue;
    const name = nameFromText(pattern.replace(/^\*\*?\./, '').replace(/^[^.]*\{[^.]*\.\.[^}]*\}[^.]*\./, ''));
    if (name instanceof Uint8Array) look(pattern, name);
  }
  for (const { name, redirect } of snapshot.locals.values())
    if (redirect !== null) look(`${nameToText(name)}, by its redirect`, redirect.to);
  return found;
}

function byAddress({ locals }: Snapshot): ReadonlyMap<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { name, rrsets } of locals.values())
    for (const { type, rdata } of rrsets)
      for (const octets of type === TYPE.A || type === TYPE.AAAA ? rdata : []) {
        const address = addressToText(octets);
        names.set(address, [...(names.get(address) ?? []), nameToText(name)]);
      }
  return names;
}

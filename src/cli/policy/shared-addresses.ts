import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suffixTable } from '../../config/policy/suffixes.ts';
import { HISTORY_FILE } from '../../history/history-database.ts';
import { readShared, type SharedRow } from '../../history/shared-rows.ts';
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
  readonly records: readonly SharedRow[];
  /** Addresses that the history has answers with for more than one name; empty where there is none to be read. */
  readonly answers: readonly SharedRow[];
}

/**
 * Where the files say that names share addresses: names in zones where anyone can have one, as of a CDN, local records, and what
 * was answered, as the history in the folder `state` has it. There a grant opens more than the name that was asked.
 */
export function sharedAddresses(snapshot: Snapshot, state: string): SharedAddresses {
  return {
    zones: [...rented(snapshot)].map(([name, zone]) => ({ name, zone })),
    records: [...byAddress(snapshot)]
      .filter(([, names]) => names.length > 1)
      .map(([address, names]) => ({ address, names })),
    answers: answered(join(state, HISTORY_FILE)),
  };
}

/** Whoever checks the files may not read the history, or there is none yet: that is no fault of the files. */
function answered(path: string): SharedRow[] {
  try {
    return existsSync(path) ? readShared(path) : [];
  } catch {
    return [];
  }
}

/** The same for people. */
export function sharedAddressLines(snapshot: Snapshot, state: string): string[] {
  const shared = sharedAddresses(snapshot, state);
  const zones = shared.zones.map(
    ({ name, zone }) => `  ${escapeText(name).padEnd(40)} is in ${zone}, whose names share addresses`,
  );
  const has = (verb: string, { address, names }: SharedRow): string => {
    const shown = names.slice(0, LISTED).map(escapeText);
    const more = names.length > LISTED ? [count(names.length - LISTED, 'more name')] : [];
    return `  ${address.padEnd(40)} ${verb} ${enumerate([...shown, ...more])}`;
  };
  const records = shared.records.map((row) => has('has', row));
  const answers = shared.answers.map((row) => has('was the answer for', row));
  const lines = [zones, records, answers].flatMap((of, i) =>
    listed(of, i === 0 ? 'more name' : 'more address'),
  );
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

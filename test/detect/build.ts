import { Bill } from '../../src/detect/bill.ts';
import { HOLDER, type HolderKind } from '../../src/detect/holder.ts';

/** Wire form of a text name without escapes. */
export function wire(text: string): Uint8Array {
  const labels = text === '' ? [] : text.split('.');
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0]);
}

/** A hash of two words that is good enough for tests. */
export function hashOf(octets: Uint8Array): [number, number] {
  let low = 0x811c9dc5;
  let high = 0x1234567;
  for (const octet of octets) {
    low = Math.imul(low ^ octet, 0x01000193);
    high = Math.imul(high ^ octet ^ (low >>> 13), 0x5bd1e995);
  }
  return [low, high];
}

export interface Asked {
  readonly name: string;
  readonly base?: string;
  readonly wider?: readonly string[];
  readonly types?: number;
  readonly trust?: boolean;
  readonly audited?: boolean;
  readonly identity?: string;
  /** Kind, subject, alert and contain in octets. */
  readonly accounts?: readonly (readonly [HolderKind, string, number, number])[];
}

/** A bill of one lease with a bound of 1 KiB under `*.t.example`, unless said otherwise. */
export function billOf(asked: Asked): Bill {
  const { base = 't.example', wider = [], types = 3, identity = 'build' } = asked;
  const { accounts = [[HOLDER.LEASE, 'l1', 512, 1024]] } = asked;
  const bill = new Bill();
  bill.begin();
  bill.name = wire(asked.name);
  bill.nameLength = bill.name.length;
  [bill.nameLow, bill.nameHigh] = hashOf(bill.name);
  bill.types = types;
  bill.trust = asked.trust ?? false;
  bill.audited = asked.audited ?? false;
  bill.identity = identity;
  for (const text of [base, ...wider]) {
    const octets = wire(text);
    bill.addBase(octets, octets.length, ...hashOf(octets));
  }
  for (const [kind, subject, alert, contain] of accounts) {
    const words = hashOf(Buffer.from(`${kind} ${subject}`));
    bill.addAccount(kind, ...words, alert * 8192, contain * 8192).name(subject);
  }
  return bill;
}

import { type IpAddress, isMapped } from '../wire/ip-address.ts';
import type { Prefix } from '../wire/prefix.ts';
import { DEFAULT_TERMS } from './input.ts';
import type { AddressTable, Identity, View } from './snapshot.ts';

/** The view without rules: what a client sees that no identity claims. */
export const EMPTY_VIEW: View = {
  id: '0000000000000000',
  sets: new Uint32Array(0),
  dynamic: new Uint8Array(0),
};

/** Every client that no identity claims. */
export const UNKNOWN: Identity = {
  index: -1,
  name: 'unknown',
  owner: '',
  reviewBy: null,
  workload: null,
  auditUntil: 0,
  limits: { qps: 0, burst: 0, inFlight: 0 },
  search: [],
  addresses: [],
  certificates: [],
  ...DEFAULT_TERMS,
  view: EMPTY_VIEW,
  everywhere: null,
  stages: [],
  expected: [],
  expectedView: null,
  at: null,
};

/**
 * The index of the identity with this address, or -1. IPv4 is `w0` alone; a mapped address is its IPv4 address
 * (RFC 4291 §2.5.5.2): dual-stack sockets show IPv4 clients so.
 */
export function findAddress(table: AddressTable, address: IpAddress): number {
  if (address.family === 4) return find4(table, address.w0);
  if (isMapped(address)) return find4(table, address.w3);
  let low = 0;
  let high = table.owner6.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (startsAfter(table.start6, 4 * middle, address)) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? -1 : table.owner6[low - 1]!;
}

function find4(table: AddressTable, address: number): number {
  let low = 0;
  let high = table.owner4.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (table.start4[middle]! > address) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? -1 : table.owner4[low - 1]!;
}

function startsAfter(starts: Uint32Array, at: number, { w0, w1, w2, w3 }: IpAddress): boolean {
  if (starts[at] !== w0) return starts[at]! > w0;
  if (starts[at + 1] !== w1) return starts[at + 1]! > w1;
  if (starts[at + 2] !== w2) return starts[at + 2]! > w2;
  return starts[at + 3]! > w3;
}

/** Cuts claims into ranges. No two claims have the same prefix. */
export function addressTable(
  claims: readonly { readonly prefix: Prefix; readonly identity: number }[],
): AddressTable {
  const four = ranges(
    claims.filter(({ prefix }) => prefix.family === 4),
    32,
  );
  const six = ranges(
    claims.filter(({ prefix }) => prefix.family === 6),
    128,
  );
  return {
    start4: Uint32Array.from(four, ({ start }) => Number(start)),
    owner4: Int32Array.from(four, ({ owner }) => owner),
    start6: Uint32Array.from(
      six.flatMap(({ start }) => [96n, 64n, 32n, 0n].map((shift) => Number((start >> shift) & 0xffff_ffffn))),
    ),
    owner6: Int32Array.from(six, ({ owner }) => owner),
  };
}

interface Range {
  start: bigint;
  owner: number;
}

/** Sorted by start and, among equals, the wider first, prefixes nest like brackets: a stack tells who is inside. */
function ranges(
  claims: readonly { readonly prefix: Prefix; readonly identity: number }[],
  bits: number,
): Range[] {
  const spans = claims
    .map(({ prefix, identity }) => {
      const start = prefix.words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
      return {
        start,
        end: start + (1n << BigInt(bits - prefix.length)),
        owner: identity,
        length: prefix.length,
      };
    })
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.length - b.length));
  const out: Range[] = [];
  const open: { end: bigint; owner: number }[] = [];
  const put = (start: bigint): void => {
    const owner = open.at(-1)?.owner ?? -1;
    if (out.at(-1)?.start === start) out.pop();
    if ((out.at(-1)?.owner ?? -1) !== owner) out.push({ start, owner });
  };
  const closeUntil = (limit: bigint): void => {
    for (let top = open.at(-1); top !== undefined && top.end <= limit; top = open.at(-1)) {
      open.pop();
      put(top.end);
    }
  };
  for (const span of spans) {
    closeUntil(span.start);
    open.push(span);
    put(span.start);
  }
  closeUntil(1n << BigInt(bits));
  // A range that starts behind the last address is none.
  return out.filter(({ start }) => start < 1n << BigInt(bits));
}

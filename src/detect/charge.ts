import type { Milliseconds } from '../wire/quantity.ts';

/**
 * What a question that leaves because of a wildcard costs, in whole units of 1/1,024 bit, always rounded up.
 *
 * The costs are lengths of a code for everything that a client can choose about such a question: that there is one more, how
 * long it waited, its type with CD, and its name. By Kraft's inequality at most 2^B different sequences of questions cost
 * B bits or less, so whoever reads them upstream learns at most B bits of the client's choosing.
 *
 * | part | bits | why |
 * |---|---|---|
 * | one more question; a new name or a known one | 2 | each halves what is left; the end of the sequence has the other half |
 * | ticks since the last charge of the key | Elias's delta code of ticks + 1 | 2^-bits over all waits is at most 1 |
 * | type and CD | log2 (2 x (types + 2)) | types: those that the client's wildcards approve for the name; the two are DS and DNSKEY |
 * | a new name | log2 40 an octet in front of the base, and one more for its end | 38 characters, the end of a label, the end |
 * | a new name of a validator's question | 8 an octet of the whole name, and 1 | it may hold any octet |
 * | a known name | 10 | one of 1,024 |
 */
export const UNITS_A_BIT = 1024;

/** Names that a key remembers: a repeat is one of so many. */
export const REMEMBERED = 1024;

/** Milliseconds of a tick. Questions that are charged leave on ticks, so that the moment tells no more than their number. */
export const TICK_MS: Milliseconds = 10;

const PER_OCTET = Math.ceil(Math.log2(40) * UNITS_A_BIT);
const BASIC = 2 * UNITS_A_BIT;
const REPEAT = Math.log2(REMEMBERED) * UNITS_A_BIT;

/** The end of a key's sequence, counted once a window. */
export const END = UNITS_A_BIT;

/** Bits of Elias's delta code for a whole number from 1 to 2^52; a larger one costs as much as that. */
export function deltaBits(number: number): number {
  const log = floorLog2(number);
  return log + 2 * floorLog2(log + 1) + 1;
}

/** `number`: 1 or more. */
function floorLog2(number: number): number {
  if (number < 0x1_0000_0000) return 31 - Math.clz32(number);
  return 63 - Math.clz32(Math.min(number / 0x1_0000_0000, 0xf_ffff));
}

/** Units of one question's moment and type. `ticks`: since the key's last charge; `types`: how many the client could choose from. */
export function occasionCost(ticks: number, types: number): number {
  return BASIC + deltaBits(ticks + 1) * UNITS_A_BIT + (TYPE_COSTS[types] ?? typeCost(types));
}

function typeCost(types: number): number {
  return Math.ceil(Math.log2(2 * (types + 2)) * UNITS_A_BIT);
}

/** By the number of types. */
const TYPE_COSTS = Int32Array.from({ length: 64 }, (_, types) => typeCost(types));

/** Units of a name that the key does not remember, with `octets` of its wire form in front of the base (length octets too). */
export function newNameCost(octets: number): number {
  return (octets + 1) * PER_OCTET;
}

/** Units of the name of a validator's question (DS or DNSKEY), all `octets` of its wire form counted. */
export function trustNameCost(octets: number): number {
  return (8 * octets + 1) * UNITS_A_BIT;
}

/** Units of a name that the key remembers. */
export function knownNameCost(): number {
  return REPEAT;
}

import { RCODE } from '../src/wire/iana.ts';
import { nameFromText } from '../src/wire/name.ts';

/** Messages for the benches, in wire form. */

/** Header of a question: ID 0, RD, one question, one additional record. */
const QUESTION_HEADER = Buffer.from('000001000001000000000001', 'hex');
/** OPT: 1,232 octets of UDP, version 0, no flags. */
const OPT = Buffer.from('00002904d0000000000000', 'hex');
const IN = 1;

/** A question with RD and OPT, ID 0. Throws for what is not a name. */
export function question(name: string, type = 1): Buffer {
  return Buffer.concat([QUESTION_HEADER, wireName(name), words(type, IN), OPT]);
}

/** An upstream's reply to a question for an A record: that record with this TTL, and OPT. */
export function addressReply(name: string, ttl: number): Buffer {
  const header = Buffer.from('000081800001000100000001', 'hex');
  const record = Buffer.concat([words(0xc00c, 1, IN, ttl >>> 16, ttl & 0xffff, 4), Buffer.of(192, 0, 2, 1)]);
  return Buffer.concat([header, wireName(name), words(1, IN), record, OPT]);
}

/** What a response says: `NOERROR`, or the number where it has no name here. */
export function codeOf(response: ArrayLike<number>): string {
  const code = response[3]! & 15;
  return Object.entries(RCODE).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** Throws for what is not a name. */
export function wireName(name: string): Uint8Array {
  const wire = nameFromText(name);
  if (!(wire instanceof Uint8Array)) throw new Error(`${name} is not a name`);
  return wire;
}

function words(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => {
    out.writeUInt16BE(value, 2 * i);
  });
  return out;
}

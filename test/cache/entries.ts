import type { Answer, Form } from '../../src/resolve/answer/answer.ts';
import type { Entry } from '../../src/resolve/answer/entry.ts';
import { Key, type KeyHash } from '../../src/resolve/answer/key.ts';
import { Landing } from '../../src/resolve/answer/landing.ts';
import { saltedHash } from '../../src/wire/half-siphash.ts';
import { wire } from '../wire/build.ts';

/** What tests of the answer store put in, and what they take out again. */

export const HASH = saltedHash(Uint32Array.of(0x1234_5678, 0x9abc_def0));

const landing = new Landing();

/** Octets of a form that are `mark` over and over. */
export function formOf(length: number, mark: number): Form {
  return { octets: Buffer.alloc(length, mark), ttls: Uint16Array.of(6), answers: 1, authority: 0 };
}

/** An entry with so many octets in the form without DNSSEC records, and in the other where `full` is not 0. Good until the next. */
export function entryOf(mark: number, plain: number, full = 0): Landing {
  const form = formOf(plain, mark);
  const answer: Answer = {
    rcode: 0,
    plain: form,
    full: full === 0 ? form : formOf(full, mark ^ 0xff),
    ttl: 60,
    supported: true,
    open: null,
    authentic: false,
    chain: [],
    restricted: [],
    targets: [],
  };
  landing.takeAnswer(answer, mark, mark + 60_000, false);
  return landing;
}

/** The mark and length of an entry's form without DNSSEC records, or a fault. */
export function seen(entry: Entry): string {
  entry.choose(false);
  const { start, end } = entry;
  const octets = entry.slab.octets.subarray(start, end);
  if (!octets.equals(Buffer.alloc(end - start, octets[0]))) return 'octets of another';
  return `${octets[0]} × ${end - start}`;
}

export function keyOf(name: string, hash: KeyHash = HASH): Key {
  const octets = wire(name);
  return new Key(hash).set(octets, octets.length, 1, 0, false, 0);
}

import { readUint16, writeUint16, writeUint32 } from '../../wire/header.ts';
import { MAX_NAME } from '../../wire/name.ts';

/** Octets behind the name: type, group, CD and identity. */
const BEHIND = 11;
export const MAX_KEY = MAX_NAME + BEHIND;

/** Spreads a key's first `length` octets over 32 bits, signed, so that nobody who lacks its secret can make keys collide. */
export type KeyHash = (octets: Uint8Array, length: number) => number;

/**
 * What tells one cached question from another: upstream group, type, CD, the identity where identities do not share, and
 * the lower-case wire name; never the view. One key is written again and again; a hit makes no string of it.
 */
export class Key {
  readonly octets = Buffer.alloc(MAX_KEY);
  length = 0;
  /** Of the octets. */
  hash = 0;
  readonly #hashOf: KeyHash;

  constructor(hashOf: KeyHash) {
    this.#hashOf = hashOf;
  }

  /** `name`: a wire name in lower case. `group` and `identity` are numbers below 2^32 that the process gives out once each; `identity` is 0 where all share. */
  set(
    name: Uint8Array,
    nameLength: number,
    type: number,
    group: number,
    checkingDisabled: boolean,
    identity: number,
  ): this {
    const { octets } = this;
    for (let i = 0; i < nameLength; i++) octets[i] = name[i]!;
    writeUint16(octets, nameLength, type);
    writeUint32(octets, nameLength + 2, group);
    octets[nameLength + 6] = checkingDisabled ? 1 : 0;
    writeUint32(octets, nameLength + 7, identity);
    this.length = nameLength + BEHIND;
    this.hash = this.#hashOf(octets, this.length);
    return this;
  }

  /**
   * As Latin-1 text, for a Map. It holds zero octets, so it is never the digit string whose hash V8 leaves unseeded:
   * clients cannot make keys collide.
   */
  get text(): string {
    return this.octets.toString('latin1', 0, this.length);
  }

  /** Becomes the key whose `text` it is. */
  read(text: string): this {
    this.length = this.octets.write(text, 'latin1');
    this.hash = this.#hashOf(this.octets, this.length);
    return this;
  }

  /** Becomes what another key is. */
  take(other: Key): this {
    const { length } = other;
    for (let i = 0; i < length; i++) this.octets[i] = other.octets[i]!;
    this.length = length;
    this.hash = other.hash;
    return this;
  }

  get nameLength(): number {
    return this.length - BEHIND;
  }

  get type(): number {
    return readUint16(this.octets, this.nameLength);
  }

  get checkingDisabled(): boolean {
    return this.octets[this.nameLength + 6] !== 0;
  }

  equals(other: Key): boolean {
    if (this.hash !== other.hash || this.length !== other.length) return false;
    for (let i = 0; i < this.length; i++) if (this.octets[i] !== other.octets[i]) return false;
    return true;
  }
}

/** The text of the same key with another type. */
export function withType(text: string, nameLength: number, type: number): string {
  return (
    text.slice(0, nameLength) + String.fromCharCode(type >>> 8, type & 0xff) + text.slice(nameLength + 2)
  );
}

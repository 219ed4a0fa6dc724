import { writeUint16, writeUint32 } from '../../wire/header.ts';
import { MAX_NAME } from '../../wire/name.ts';

/** Octets that a buffer has in which a key is made: the longest name and what `keyOf` puts behind it. */
export const KEY_ROOM = MAX_NAME + 11;

/**
 * Cache keys: lower-case wire name, type, upstream group, CD, and the identity where identities do not share; never the
 * view. As Latin-1 text, because a Map wants a primitive. A key holds the root's zero octet, so it is never the digit
 * string whose hash V8 leaves unseeded: clients cannot make keys collide.
 *
 * `name` has `KEY_ROOM` octets. `group` and `identity` are numbers below 2^32 that the process gives out once each.
 */
export function keyOf(
  name: Buffer,
  nameLength: number,
  type: number,
  group: number,
  checkingDisabled: boolean,
  identity: number,
): string {
  writeUint16(name, nameLength, type);
  writeUint32(name, nameLength + 2, group);
  name[nameLength + 6] = checkingDisabled ? 1 : 0;
  if (identity === 0) return name.toString('latin1', 0, nameLength + 7);
  writeUint32(name, nameLength + 7, identity);
  return name.toString('latin1', 0, nameLength + 11);
}

/** The key of the same name, group, CD and identity with another type. */
export function withType(key: string, nameLength: number, type: number): string {
  return key.slice(0, nameLength) + String.fromCharCode(type >>> 8, type & 0xff) + key.slice(nameLength + 2);
}

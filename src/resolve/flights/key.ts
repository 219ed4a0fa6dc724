/**
 * Cache keys: lower-case wire name, type, upstream group, CD, and the identity where identities do not share; never the
 * view. As Latin-1 text, because a Map wants a primitive. A key holds the root's zero octet, so it is never the digit
 * string whose hash V8 leaves unseeded: clients cannot make keys collide.
 */
export function keyOf(
  name: Buffer,
  nameLength: number,
  type: number,
  group: number,
  checkingDisabled: boolean,
  identity: number,
): string {
  name[nameLength] = type >>> 8;
  name[nameLength + 1] = type;
  name[nameLength + 2] = group;
  name[nameLength + 3] = checkingDisabled ? 1 : 0;
  if (identity === 0) return name.toString('latin1', 0, nameLength + 4);
  name.writeUInt32BE(identity, nameLength + 4);
  return name.toString('latin1', 0, nameLength + 8);
}

import { readUint16 } from './header.ts';
import { TYPE } from './iana.ts';
import { isAtOrUnder, MAX_NAME, readName, readNameAsSent, skipName } from './name.ts';

/**
 * Where names stand in the RDATA of the types that may be compressed on the wire: those of RFC 1035, and those
 * that RFC 3597 §4 tells a receiver to expand as well. `n` is a name, a number so many octets, `s` a
 * character-string, `*` the rest. Every other type is opaque and passes octet by octet.
 */
const LAYOUT: ReadonlyMap<number, readonly (number | 'n' | 's' | '*')[]> = new Map([
  [TYPE.NS, ['n']],
  [TYPE.MD, ['n']],
  [TYPE.MF, ['n']],
  [TYPE.CNAME, ['n']],
  [TYPE.SOA, ['n', 'n', 20]],
  [TYPE.MB, ['n']],
  [TYPE.MG, ['n']],
  [TYPE.MR, ['n']],
  [TYPE.PTR, ['n']],
  [TYPE.MINFO, ['n', 'n']],
  [TYPE.MX, [2, 'n']],
  [TYPE.RP, ['n', 'n']],
  [TYPE.AFSDB, [2, 'n']],
  [TYPE.RT, [2, 'n']],
  [TYPE.SIG, [18, 'n', '*']],
  [TYPE.PX, [2, 'n', 'n']],
  [TYPE.NXT, ['n', '*']],
  [TYPE.SRV, [6, 'n']],
  [TYPE.NAPTR, [4, 's', 's', 's', 'n']],
  [TYPE.KX, [2, 'n']],
  [TYPE.DNAME, ['n']],
  [TYPE.RRSIG, [18, 'n', '*']],
  [TYPE.NSEC, ['n', '*']],
  [TYPE.A, [4]],
  [TYPE.AAAA, [16]],
]);

/**
 * Copies RDATA to `out` at `to` with its names expanded, in the case that was sent. Returns the length written,
 * or -1 where the RDATA is not what its type allows. `out` has room for the RDATA and two names more.
 */
export function expandRdata(
  message: Uint8Array,
  type: number,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
): number {
  const layout = LAYOUT.get(type);
  let at = start;
  let written = to;
  if (layout === undefined) return copy(message, start, end, out, to) - to;
  for (const field of layout) {
    if (field === 'n') {
      const length = readNameAsSent(message, end, at, out, written);
      if (length < 0) return -1;
      written += length;
      at = skipName(message, end, at);
      continue;
    }
    const size = field === '*' ? end - at : field === 's' ? 1 + (message[at] ?? 0) : field;
    if (at + size > end || (field === 's' && at >= end)) return -1;
    written = copy(message, at, at + size, out, written);
    at += size;
  }
  return at === end ? written - to : -1;
}

function copy(from: Uint8Array, start: number, end: number, out: Uint8Array, to: number): number {
  for (let i = start; i < end; i++) out[to + i - start] = from[i]!;
  return to + end - start;
}

/** The name at the start of CNAME, DNAME, NS or PTR RDATA, in lower case, or null where it is malformed. */
export function rdataName(message: Uint8Array, start: number, end: number): Uint8Array | null {
  const out = new Uint8Array(MAX_NAME);
  const length = readName(message, end, start, out, 0);
  return length < 0 || skipName(message, end, start) !== end ? null : out.slice(0, length);
}

/**
 * The name that a record points a client at: MX, SRV, SVCB and HTTPS. Null for the types without one and for
 * a target that names no host (`.`: RFC 7505 §3, RFC 2782, RFC 9460 §2.5). RDATA is expanded; the name is in lower case.
 */
export function targetOf(type: number, rdata: Uint8Array): Uint8Array | null {
  const at = type === TYPE.MX || type === TYPE.SVCB || type === TYPE.HTTPS ? 2 : type === TYPE.SRV ? 6 : -1;
  if (at < 0 || rdata[at] === 0) return null;
  const length = readName(rdata, rdata.length, at, targetName, 0);
  return length < 0 ? null : targetName.slice(0, length);
}

export function hasTarget(type: number): boolean {
  return type === TYPE.MX || type === TYPE.SRV || type === TYPE.SVCB || type === TYPE.HTTPS;
}

/** SvcParamKeys that hold addresses (RFC 9460 §14.3.2). */
const IPV4HINT = 4;
const IPV6HINT = 6;

/**
 * Calls `visit(offset, size)` for every address in expanded RDATA: A, AAAA, and the hints of SVCB and HTTPS
 * (RFC 9460 §7.3). Returns false where the RDATA does not parse, or where `visit` did.
 */
export function everyAddress(
  type: number,
  rdata: Uint8Array,
  visit: (offset: number, size: 4 | 16) => boolean,
): boolean {
  if (type === TYPE.A) return rdata.length === 4 && visit(0, 4);
  if (type === TYPE.AAAA) return rdata.length === 16 && visit(0, 16);
  if (type !== TYPE.SVCB && type !== TYPE.HTTPS) return true;
  // RFC 9460 §2.2: TargetName is not compressed. No pointer at offset 2 leads backward, so one is a fault here.
  const target = readName(rdata, rdata.length, 2, targetName, 0);
  if (target < 0) return false;
  let at = 2 + target;
  while (at < rdata.length) {
    if (at + 4 > rdata.length) return false;
    const key = readUint16(rdata, at);
    const end = at + 4 + readUint16(rdata, at + 2);
    if (end > rdata.length) return false;
    const size = key === IPV4HINT ? 4 : key === IPV6HINT ? 16 : 0;
    if (size !== 0) {
      if ((end - at - 4) % size !== 0 || end === at + 4) return false;
      for (let i = at + 4; i < end; i += size) if (!visit(i, size as 4 | 16)) return false;
    }
    at = end;
  }
  return true;
}

const targetName = new Uint8Array(MAX_NAME);

/** RRSIG: the type covered and the label count of the signed owner (RFC 4034 §3.1). */
export function rrsigCovers(message: Uint8Array, start: number): number {
  return readUint16(message, start);
}

/** The zone that signed, in lower case, or null where it is malformed. RDATA is expanded. */
export function rrsigSigner(rdata: Uint8Array): Uint8Array | null {
  const out = new Uint8Array(MAX_NAME);
  const length = readName(rdata, rdata.length, 18, out, 0);
  return length < 0 ? null : out.slice(0, length);
}

export function rrsigLabels(message: Uint8Array, start: number): number {
  return message[start + 3]!;
}

/** The owner that a DNAME makes of `name` (RFC 6672 §2.2), or null when it does not apply or would be too long. */
export function substitute(name: Uint8Array, owner: Uint8Array, target: Uint8Array): Uint8Array | null {
  if (name.length <= owner.length || !isAtOrUnder(name, owner)) return null;
  const kept = name.length - owner.length;
  if (kept + target.length > MAX_NAME) return null;
  const out = new Uint8Array(kept + target.length);
  out.set(name.subarray(0, kept));
  out.set(target, kept);
  return out;
}

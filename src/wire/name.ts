import { WireError } from './error.ts';

/** Octets of the longest name, root octet included (RFC 1035 §2.3.4). */
export const MAX_NAME = 255;
export const MAX_LABEL = 63;
/** Labels of the longest name, root not counted: 127 labels of one octet. */
export const MAX_LABELS = 127;

const LOWER = new Uint8Array(256);
for (let i = 0; i < 256; i++) LOWER[i] = i >= 0x41 && i <= 0x5a ? i + 32 : i;

/** One octet in lower case; ASCII letters alone have one (RFC 4343 §3). */
export function lowerOctet(octet: number): number {
  return LOWER[octet]!;
}

/**
 * Copies the name at `start`, pointers followed, in lower case to `out` at `at`. Returns its length in
 * octets, or -1 with the reason left in `nameFault`: this runs for every record of every message.
 * Each pointer must lead before the labels that were read since the last one, so that reading ends.
 */
export function readName(
  message: Uint8Array,
  end: number,
  start: number,
  out: Uint8Array,
  at: number,
): number {
  return copyName(message, end, start, out, at, LOWER);
}

/** As `readName`, in the case that was sent. */
export function readNameAsSent(
  message: Uint8Array,
  end: number,
  start: number,
  out: Uint8Array,
  at: number,
): number {
  return copyName(message, end, start, out, at, SAME);
}

/** Why the last `readName` returned -1, and where. */
export const nameFault: { code: WireError['code']; offset: number } = { code: 'short', offset: 0 };

const SAME = Uint8Array.from({ length: 256 }, (_, i) => i);

function copyName(
  m: Uint8Array,
  end: number,
  start: number,
  out: Uint8Array,
  at: number,
  map: Uint8Array,
): number {
  let from = start;
  let limit = start;
  let hops = 0;
  let length = 0;
  for (;;) {
    if (from >= end) return fault('short', from);
    const size = m[from]!;
    if (size === 0) {
      out[at + length] = 0;
      return length + 1;
    }
    if (size <= MAX_LABEL) {
      if (from + 1 + size > end) return fault('short', from);
      // One octet stays free for the root.
      if (length + 1 + size > MAX_NAME - 1) return fault('name-length', from);
      out[at + length] = size;
      for (let i = 1; i <= size; i++) out[at + length + i] = map[m[from + i]!]!;
      length += 1 + size;
      from += 1 + size;
    } else if (size >= 0xc0) {
      if (from + 2 > end) return fault('short', from);
      const target = ((size & 0x3f) << 8) | m[from + 1]!;
      // Backward only: every jump shrinks `limit`, so a message cannot loop or climb. The header holds no name.
      if (target >= limit || target < 12) return fault('pointer', from);
      // A name of n labels needs at most n pointers; a longer chain only costs time.
      if (++hops > MAX_LABELS) return fault('pointer-depth', from);
      limit = target;
      from = target;
    } else {
      return fault('label-type', from);
    }
  }
}

function fault(code: WireError['code'], offset: number): -1 {
  nameFault.code = code;
  nameFault.offset = offset;
  return -1;
}

/** The offset after the name at `start`, its pointer not followed, or -1 with the reason in `nameFault`. */
export function skipName(message: Uint8Array, end: number, start: number): number {
  let at = start;
  for (;;) {
    if (at >= end) return fault('short', at);
    const size = message[at]!;
    if (size === 0) return at + 1;
    if (size >= 0xc0) return at + 2 <= end ? at + 2 : fault('short', at);
    if (size > MAX_LABEL) return fault('label-type', at);
    if (at + 1 + size > end) return fault('short', at);
    if (at + 1 + size - start > MAX_NAME - 1) return fault('name-length', at);
    at += 1 + size;
  }
}

/**
 * Writes where each label of an uncompressed name begins into `offsets` (one octet each, 127 at most),
 * the leftmost first. Returns how many labels there are, the root not counted.
 */
export function labelOffsets(name: Uint8Array, offsets: Uint8Array): number {
  let count = 0;
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) offsets[count++] = at;
  return count;
}

/** Whether two uncompressed names are the same octets. Callers compare lower case with lower case. */
export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether `name` is `ancestor` or lies under it; both uncompressed and in one case. Compares whole labels. */
export function isAtOrUnder(name: Uint8Array, ancestor: Uint8Array): boolean {
  const skip = name.length - ancestor.length;
  if (skip < 0) return false;
  let at = 0;
  while (at < skip) at += 1 + name[at]!;
  if (at !== skip) return false;
  for (let i = 0; i < ancestor.length; i++) if (name[skip + i] !== ancestor[i]) return false;
  return true;
}

/** A copy of an uncompressed name in lower case. */
export function lowerName(name: Uint8Array): Uint8Array {
  return name.map(lowerOctet);
}

/**
 * Presentation form for people (RFC 1035 §5.1, RFC 4343 §2.1): no final dot save for the root; dots and
 * backslashes inside a label, and what a terminal or log could misread, are escaped.
 */
export function nameToText(name: Uint8Array): string {
  if (name[0] === 0) return '.';
  let text = '';
  for (let at = 0; name[at] !== 0; ) {
    const end = at + 1 + name[at]!;
    if (at > 0) text += '.';
    for (let i = at + 1; i < end; i++) text += TEXTS[name[i]!]!;
    at = end;
  }
  return text;
}

/** By octet. */
const TEXTS: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  const char = String.fromCharCode(octet);
  return '.\\"();@$'.includes(char) ? `\\${char}` : char;
});

/** Where a name is put together: a million of them are read at once where a policy is tried. */
const scratch = new Uint8Array(MAX_NAME + 1);

/**
 * The wire form of a presentation name, case kept; a final dot may stand or not. ASCII alone.
 * The error's offset counts characters.
 */
export function nameFromText(text: string): Uint8Array | WireError {
  if (text === '.') return new Uint8Array(1);
  const out = scratch;
  let length = 1;
  let label = 0;
  for (let i = 0; i < text.length; i++) {
    let octet = text.charCodeAt(i);
    if (octet === 0x2e) {
      if (length === label + 1) return new WireError('text', i);
      out[label] = length - label - 1;
      label = length++;
      if (length > MAX_NAME) return new WireError('text', i);
      continue;
    }
    if (octet > 0x7f) return new WireError('text', i);
    if (octet === 0x5c) {
      const digits = /^\d{3}/.exec(text.slice(i + 1, i + 4))?.[0];
      octet = digits === undefined ? text.charCodeAt(i + 1) : Number(digits);
      // A digit starts \DDD or nothing. NaN at the end of the text.
      const bad = digits === undefined ? !(octet <= 0x7f) || /\d/.test(text[i + 1]!) : octet > 0xff;
      if (bad) return new WireError('text', i);
      i += digits === undefined ? 1 : 3;
    }
    if (length - label > MAX_LABEL || length >= MAX_NAME) return new WireError('text', i);
    out[length++] = octet;
  }
  if (text.length === 0) return new WireError('text', 0);
  if (length > label + 1) {
    out[label] = length - label - 1;
    label = length++;
  }
  if (length > MAX_NAME) return new WireError('text', text.length);
  out[label] = 0;
  return out.slice(0, length);
}

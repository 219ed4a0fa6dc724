/** Parameters of RFC 3492 §5. */
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const FIRST_BIAS = 72;
const FIRST_CODE = 0x80;
const LAST_CODE = 0x10_ffff;
const HYPHEN = 0x2d;

/**
 * Decodes Punycode (RFC 3492 §6.2): writes code points to `out`, and gives how many, or -1 for what is none. `octets`: ASCII in
 * lower case, from `start` to `end`, 59 at most. `out` has room for as many.
 */
export function decodePunycode(octets: Uint8Array, start: number, end: number, out: Int32Array): number {
  let basic = end - 1;
  while (basic >= start && octets[basic] !== HYPHEN) basic--;
  let count = Math.max(0, basic - start);
  for (let i = 0; i < count; i++) out[i] = octets[start + i]!;
  let code = FIRST_CODE;
  let bias = FIRST_BIAS;
  let i = 0;
  for (let at = Math.max(basic + 1, start); at < end; ) {
    const before = i;
    let weight = 1;
    for (let k = BASE; ; k += BASE) {
      const digit = at < end ? digitOf(octets[at++]!) : -1;
      if (digit < 0) return -1;
      i += digit * weight;
      const threshold = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (weight > 0xffff_ffff) return -1;
    }
    count++;
    bias = adapted(i - before, count, before === 0);
    code += Math.floor(i / count);
    i %= count;
    if (code > LAST_CODE || (code >= 0xd800 && code <= 0xdfff)) return -1;
    out.copyWithin(i + 1, i, count - 1);
    out[i++] = code;
  }
  return count;
}

/** -1 for what is no digit. */
function digitOf(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  return code >= 0x30 && code <= 0x39 ? code - 0x30 + 26 : -1;
}

/** RFC 3492 §6.1. */
function adapted(delta: number, count: number, isFirst: boolean): number {
  let rest = isFirst ? Math.floor(delta / DAMP) : delta >> 1;
  rest += Math.floor(rest / count);
  let k = 0;
  for (; rest > ((BASE - T_MIN) * T_MAX) >> 1; k += BASE) rest = Math.floor(rest / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * rest) / (rest + SKEW));
}

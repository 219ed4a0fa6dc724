/** Parameters of RFC 3492 §5. */
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const FIRST_BIAS = 72;
const FIRST_CODE = 0x80;
const LAST_CODE = 0x10_ffff;

/**
 * The text of a label: a U-label's letters, else the label as it is. What begins with `xn--` and is no Punycode (RFC 3492 §6.2)
 * stays as it is. `label`: ASCII in lower case, 63 octets at most.
 */
export function labelText(label: string): string {
  return label.startsWith('xn--') ? (decode(label.slice(4)) ?? label) : label;
}

function decode(text: string): string | null {
  const split = text.lastIndexOf('-');
  const codes = Array.from(split < 0 ? '' : text.slice(0, split), (letter) => letter.codePointAt(0)!);
  let code = FIRST_CODE;
  let bias = FIRST_BIAS;
  let i = 0;
  for (let at = split + 1; at < text.length; ) {
    const before = i;
    let weight = 1;
    for (let k = BASE; ; k += BASE) {
      const digit = digitOf(text.charCodeAt(at++));
      if (digit < 0) return null;
      i += digit * weight;
      const threshold = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (weight > 0xffff_ffff) return null;
    }
    const count = codes.length + 1;
    bias = adapted(i - before, count, before === 0);
    code += Math.floor(i / count);
    i %= count;
    if (code > LAST_CODE || (code >= 0xd800 && code <= 0xdfff)) return null;
    codes.splice(i++, 0, code);
  }
  return String.fromCodePoint(...codes);
}

/** -1 for what is no digit; past the end too. */
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

/** DER as it is written (X.690 §8 to §11), so that tests can make certificates that no tool would make. */

export type Octets = Uint8Array<ArrayBuffer>;

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BITS: 0x03,
  OCTETS: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8: 0x0c,
  PRINTABLE: 0x13,
  IA5: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

export function join(parts: readonly Uint8Array[]): Octets {
  return new Uint8Array(Buffer.concat(parts));
}

export function tlv(tag: number, ...content: readonly Uint8Array[]): Octets {
  const body = join(content);
  const size: number[] = [];
  for (let rest = body.length; rest > 0; rest >>>= 8) size.unshift(rest & 0xff);
  const head = body.length < 128 ? [tag, body.length] : [tag, 0x80 | size.length, ...size];
  return join([Uint8Array.from(head), body]);
}

export function sequence(...content: readonly Uint8Array[]): Octets {
  return tlv(TAG.SEQUENCE, ...content);
}

/** `[n]`, constructed. */
export function explicit(number: number, ...content: readonly Uint8Array[]): Octets {
  return tlv(0xa0 | number, ...content);
}

/** `[n]`, primitive, of text. */
export function context(number: number, text: string | Uint8Array): Octets {
  return tlv(0x80 | number, typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
}

export function integer(value: number | bigint): Octets {
  let digits = BigInt(value).toString(16);
  if (digits.length % 2 === 1) digits = `0${digits}`;
  if (Number.parseInt(digits.slice(0, 2), 16) > 0x7f) digits = `00${digits}`;
  return tlv(TAG.INTEGER, Buffer.from(digits, 'hex'));
}

export function boolean(value: boolean): Octets {
  return tlv(TAG.BOOLEAN, Uint8Array.of(value ? 0xff : 0));
}

export function octets(...content: readonly Uint8Array[]): Octets {
  return tlv(TAG.OCTETS, ...content);
}

export function bits(content: Uint8Array): Octets {
  return tlv(TAG.BITS, Uint8Array.of(0), content);
}

/** A named bit list (X.690 §11.2.2): bit 0 is the highest of the first octet, no bit 0 trails. */
export function namedBits(numbers: readonly number[]): Octets {
  if (numbers.length === 0) return tlv(TAG.BITS, Uint8Array.of(0));
  const last = Math.max(...numbers);
  const content = new Uint8Array(2 + (last >>> 3));
  content[0] = 7 - (last & 7);
  for (const number of numbers) content[1 + (number >>> 3)]! |= 0x80 >>> (number & 7);
  return tlv(TAG.BITS, content);
}

export function oid(dotted: string): Octets {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const content = [40 * first + second, ...rest].flatMap((arc) => {
    const out = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      out.unshift(0x80 | (left & 0x7f));
    return out;
  });
  return tlv(TAG.OID, Uint8Array.from(content));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
export function time(date: Date): Octets {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tlv(TAG.UTC_TIME, Buffer.from(digits.slice(2)))
    : tlv(TAG.GENERALIZED_TIME, Buffer.from(digits));
}

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

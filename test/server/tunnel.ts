/** What encoders that know namegate need: octets as text of names and back, and what of a message arrived. */

const DIGITS = 'abcdefghijklmnopqrstuvwxyz234567';

/** Five octets are eight characters. */
export function base32(octets: Buffer): string {
  let bits = '';
  for (const octet of octets) bits += octet.toString(2).padStart(8, '0');
  return (bits.match(/.{5}/g) ?? []).map((five) => DIGITS[Number.parseInt(five, 2)]).join('');
}

export function fromBase32(text: string): Buffer {
  const bits = Array.from(text, (digit) => DIGITS.indexOf(digit).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}

/** A message in names of `labels` labels of 56 characters in front of `t.example`, numbered. */
export function namesOf(message: Buffer, labels: number): string[] {
  const names: string[] = [];
  for (let at = 0; at < message.length; ) {
    const parts: string[] = [];
    for (let i = 0; i < labels && at < message.length; i++, at += 35)
      parts.push(base32(message.subarray(at, at + 35)));
    names.push(`${parts.join('.')}.s${names.length}.t.example`);
  }
  return names;
}

/** Octets of payload in names that arrived, which are decoded and held against what was sent. */
export function received(names: Iterable<string>, message: Buffer): number {
  let octets = 0;
  for (const name of new Set(names)) {
    const labels = name.replace(/\.t\.example\.?$/, '').split('.');
    const payload = Buffer.concat(labels.filter((label) => !/^s\d+$/.test(label)).map(fromBase32));
    if (payload.length > 0 && !message.includes(payload))
      throw new Error(`what arrived was not sent: ${name}`);
    octets += payload.length;
  }
  return octets;
}

const BEGIN = 'b c d f g h k l m n p r s t v w'.split(' ');
const VOWELS = 'a e i o'.split(' ');
const ENDS = 'n r s t l m nd st rt ck sh lk mp nt rd ss'.split(' ');

/** 1,024 words that read like English, ten bits each. */
export const WORDS = BEGIN.flatMap((a) => VOWELS.flatMap((b) => ENDS.map((c) => a + b + c)));

/** Numbers below `bound` that a message stands for, and their order is the message. */
export function digitsOf(message: Buffer, bound: number): number[] {
  let rest = BigInt(`0x${message.toString('hex')}`);
  const digits: number[] = [];
  for (; rest > 0n; rest /= BigInt(bound)) digits.push(Number(rest % BigInt(bound)));
  return digits;
}

/** The permutation of so many things that a number below `size`! stands for. */
export function permutation(number: number, size: number): number[] {
  const left = Array.from({ length: size }, (_, i) => i);
  let rest = number;
  return Array.from({ length: size }, (_, i) => {
    const at = rest % (size - i);
    rest = Math.floor(rest / (size - i));
    return left.splice(at, 1)[0]!;
  });
}

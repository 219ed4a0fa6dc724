import { lowerOctet, MAX_LABEL, MAX_NAME, nameToText } from '../../wire/name.ts';
import { unreachable } from '../../wire/quantity.ts';
import { labelTooLong, mistakenFor, PatternFault, strayCharacter, tooLong } from './pattern-fault.ts';

/** Names that one brace may stand for. */
export const MAX_FAMILY = 10_000;

/**
 * What a policy entry matches, in wire labels and lower case. `base` and `name` end in the root octet.
 * - `exact`: `name` alone;
 * - `star`: exactly one label in front of `base`; `globstar`: one or more; neither matches `base`;
 * - `family`: `front` labels, then one label `prefix` + number + `suffix`, then `base`. The number runs from
 *   `low` to `high`, both included, written with at least `width` digits and no other leading zero.
 */
export type Pattern =
  | { readonly kind: 'exact'; readonly name: Uint8Array }
  | { readonly kind: 'star' | 'globstar'; readonly base: Uint8Array }
  | {
      readonly kind: 'family';
      readonly front: Uint8Array;
      readonly prefix: Uint8Array;
      readonly suffix: Uint8Array;
      readonly low: number;
      readonly high: number;
      readonly width: number;
      readonly base: Uint8Array;
    };

/** The text of a pattern, in lower case and without a final dot. */
export function patternText(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'exact':
      return writtenName(pattern.name);
    case 'star':
      return `*.${writtenName(pattern.base)}`;
    case 'globstar':
      return `**.${writtenName(pattern.base)}`;
    case 'family': {
      const { front, prefix, suffix, low, high, width, base } = pattern;
      const lead = front.length === 0 ? '' : `${writtenName(Uint8Array.from([...front, 0]))}.`;
      const numbers = `{${padded(low, width)}..${padded(high, width)}}`;
      const label = `${writtenOctets(prefix)}${numbers}${writtenOctets(suffix)}`;
      return base.length === 1 ? lead + label : `${lead}${label}.${writtenName(base)}`;
    }
    default:
      unreachable(pattern);
  }
}

/** A name as a pattern writes it: whatever is no letter, digit, `-` or `_` is escaped, stars and braces too. */
function writtenName(name: Uint8Array): string {
  return nameToText(name).replace(/\\(?:\d{3}|.)|[^\w.-]/g, (part) =>
    part[0] === '\\' ? part : `\\${part}`,
  );
}

function writtenOctets(octets: Uint8Array): string {
  return octets.length === 0 ? '' : writtenName(Uint8Array.from([octets.length, ...octets, 0]));
}

function padded(number: number, width: number): string {
  return String(number).padStart(width, '0');
}

/**
 * Reads a pattern: ASCII, a final dot may stand, `\.` and `\DDD` escape octets as RFC 1035 §5.1
 * does. Letters, digits, `-` and `_` stand for themselves; everything else must be escaped, so that a regular
 * expression, a URL or a shell glob is an error and never a name that matches nothing.
 */
export function parsePattern(text: string): Pattern | PatternFault {
  const name = plainName(text);
  if (name !== null) return { kind: 'exact', name };
  const mistaken = mistakenFor(text);
  if (mistaken !== null) return mistaken;
  const stars = text.startsWith('**.') ? 2 : text.startsWith('*.') ? 1 : 0;
  const brace = findBrace(text);
  if (stars === 0 && brace < 0) return namePattern(text);
  if (stars > 0) {
    if (brace >= 0) {
      return new PatternFault(
        'pattern-mixed',
        brace,
        'a pattern holds one brace or one star, never both',
        'write one entry with the star and one with the brace',
      );
    }
    const base = parseLabels(text, stars + 1, text.length);
    if (base instanceof PatternFault) return base;
    // The shortest match has a label of one octet in front.
    if (base.length > MAX_NAME - 2) return tooLong(stars + 1);
    return { kind: stars === 1 ? 'star' : 'globstar', base };
  }
  return familyPattern(text, brace);
}

/**
 * Most patterns are plain names, and lists hold a million of them: letters, digits, `-`, `_` and single dots, read in one
 * pass. Null for everything that needs a second look, an address among them.
 */
function plainName(text: string): Uint8Array | null {
  const size = text.length;
  if (size === 0 || size > MAX_NAME - 2) return null;
  let label = 0;
  let letters = false;
  for (let i = 0; i < size; i++) {
    const char = text.charCodeAt(i);
    if (char === DOT) {
      const length = i - label;
      if (length === 0 || length > MAX_LABEL) return null;
      plain[label] = length;
      label = i + 1;
    } else if ((char >= 0x61 && char <= 0x7a) || char === 0x2d || char === 0x5f) {
      letters = true;
      plain[i + 1] = char;
    } else if (char >= 0x30 && char <= 0x39) {
      plain[i + 1] = char;
    } else {
      return null;
    }
  }
  const last = size - label;
  if (!letters || last === 0 || last > MAX_LABEL) return null;
  plain[label] = last;
  plain[size + 1] = 0;
  return plain.slice(0, size + 2);
}

const DOT = 0x2e;
const plain = new Uint8Array(MAX_NAME + 1);

function namePattern(text: string): Pattern | PatternFault {
  const name = parseLabels(text, 0, text.length);
  return name instanceof PatternFault ? name : { kind: 'exact', name };
}

/** The index of the first brace that no backslash escapes, or -1. */
function findBrace(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '{') return i;
  }
  return -1;
}

function familyPattern(text: string, brace: number): Pattern | PatternFault {
  const match = /^\{(\d{1,9})\.\.(\d{1,9})\}/.exec(text.slice(brace));
  if (match === null) {
    return new PatternFault(
      'pattern-brace',
      brace,
      'a brace holds two numbers',
      'write {0..199}, or one entry for each name',
    );
  }
  const [whole, lowText, highText] = match as unknown as [string, string, string];
  const low = Number(lowText);
  const high = Number(highText);
  if (high < low) {
    return new PatternFault(
      'pattern-brace',
      brace,
      `{${lowText}..${highText}} holds no number`,
      `write {${highText}..${lowText}}`,
    );
  }
  // Whether 7 is meant, or 0007, only its author knows.
  if (highText.startsWith('0') && highText.length > lowText.length) {
    return new PatternFault(
      'pattern-brace',
      brace,
      'one end is padded with zeros and the other is not',
      `write {${padded(low, highText.length)}..${highText}}, or {${low}..${high}}`,
    );
  }
  if (high - low + 1 > MAX_FAMILY) {
    return new PatternFault(
      'pattern-family-size',
      brace,
      `the brace stands for ${high - low + 1} names; ${MAX_FAMILY} is the most`,
      'write a smaller range, or a wildcard if any such name is acceptable',
    );
  }
  const after = brace + whole.length;
  const second = findBrace(text.slice(after));
  if (second >= 0) {
    return new PatternFault(
      'pattern-brace',
      after + second,
      'one brace a pattern',
      'write one entry for each value of the other brace',
    );
  }
  // The label that holds the brace, read with the longest number in its place.
  let start = brace;
  while (start > 0 && !isDot(text, start - 1)) start--;
  let stop = after;
  while (stop < text.length && text[stop] !== '.') stop += text[stop] === '\\' ? 2 : 1;
  const front = start === 0 ? new Uint8Array(1) : parseLabels(text, 0, start);
  if (front instanceof PatternFault) return front;
  const prefix = parseOctets(text, start, brace);
  if (prefix instanceof PatternFault) return prefix;
  const suffix = parseOctets(text, after, Math.min(stop, text.length));
  if (suffix instanceof PatternFault) return suffix;
  const width = lowText.length;
  const longest = prefix.length + Math.max(width, String(high).length) + suffix.length;
  if (longest > MAX_LABEL) return labelTooLong(start);
  const base = stop + 1 >= text.length ? new Uint8Array(1) : parseLabels(text, stop + 1, text.length);
  if (base instanceof PatternFault) return base;
  if (front.length - 1 + 1 + longest + base.length > MAX_NAME) return tooLong(0);
  return { kind: 'family', front: front.subarray(0, -1), prefix, suffix, low, high, width, base };
}

function isDot(text: string, index: number): boolean {
  if (text[index] !== '.') return false;
  let slashes = 0;
  while (text[index - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 0;
}

/** The labels of text[from, to), a final dot allowed, as a wire name in lower case. */
function parseLabels(text: string, from: number, to: number): Uint8Array | PatternFault {
  const out: number[] = [];
  for (let at = from; at < to; ) {
    let stop = at;
    while (stop < to && text[stop] !== '.') stop += text[stop] === '\\' ? 2 : 1;
    stop = Math.min(stop, to);
    if (stop === at) {
      return new PatternFault(
        'pattern-label',
        at,
        'two dots in a row, or none before it',
        'remove the extra dot',
      );
    }
    const octets = parseOctets(text, at, stop);
    if (octets instanceof PatternFault) return octets;
    if (octets.length > MAX_LABEL) return labelTooLong(at);
    out.push(octets.length, ...octets);
    at = stop + 1;
  }
  if (out.length === 0) {
    return new PatternFault(
      'pattern-star',
      0,
      `${text} would approve every name there is`,
      'write a zone after it',
    );
  }
  out.push(0);
  return out.length > MAX_NAME ? tooLong(from) : Uint8Array.from(out);
}

function parseOctets(text: string, from: number, to: number): Uint8Array | PatternFault {
  const out: number[] = [];
  for (let i = from; i < to; i++) {
    const char = text[i]!;
    if (/[A-Za-z0-9_-]/.test(char)) {
      out.push(lowerOctet(char.charCodeAt(0)));
    } else if (char === '\\') {
      const digits = /^\d{3}/.exec(text.slice(i + 1, Math.min(i + 4, to)))?.[0];
      const octet = digits === undefined ? (i + 1 < to ? text.charCodeAt(i + 1) : 256) : Number(digits);
      if (digits === undefined ? octet > 0x7f || /\d/.test(text[i + 1]!) : octet > 0xff) {
        return new PatternFault(
          'pattern-escape',
          i,
          'a bad escape',
          'write \\. or \\DDD with DDD from 000 to 255',
        );
      }
      out.push(lowerOctet(octet));
      i += digits === undefined ? 1 : 3;
    } else {
      return strayCharacter(text, i);
    }
  }
  return Uint8Array.from(out);
}

import { lowerOctet, MAX_LABEL, MAX_NAME, nameToText } from '../wire/name.ts';

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
      return nameToText(pattern.name);
    case 'star':
      return `*.${nameToText(pattern.base)}`;
    case 'globstar':
      return `**.${nameToText(pattern.base)}`;
    case 'family': {
      const { front, prefix, suffix, low, high, width, base } = pattern;
      const lead = front.length === 0 ? '' : `${nameToText(Uint8Array.from([...front, 0]))}.`;
      const label = `${octetsToText(prefix)}{${String(low).padStart(width, '0')}..${high}}${octetsToText(suffix)}`;
      return base.length === 1 ? lead + label : `${lead}${label}.${nameToText(base)}`;
    }
  }
}

function octetsToText(octets: Uint8Array): string {
  return octets.length === 0 ? '' : nameToText(Uint8Array.from([octets.length, ...octets, 0]));
}

/** Why a text is no pattern. `offset` counts characters from the text's start; `code` is a problem code. */
export class PatternFault {
  readonly code: string;
  readonly offset: number;
  readonly message: string;
  readonly fix: string;

  constructor(code: string, offset: number, message: string, fix: string) {
    this.code = code;
    this.offset = offset;
    this.message = message;
    this.fix = fix;
  }
}

/**
 * Reads a pattern (DESIGN §3): ASCII, a final dot may stand, `\.` and `\DDD` escape octets as RFC 1035 §5.1
 * does. Letters, digits, `-` and `_` stand for themselves; everything else must be escaped, so that a regular
 * expression, a URL or a shell glob is an error and never a name that matches nothing.
 */
export function parsePattern(text: string): Pattern | PatternFault {
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

function namePattern(text: string): Pattern | PatternFault {
  const name = parseLabels(text, 0, text.length);
  return name instanceof PatternFault ? name : { kind: 'exact', name };
}

/** Shapes that people bring from elsewhere, each answered with what to write here. */
function mistakenFor(text: string): PatternFault | null {
  const bare = text.replace(/\.$/, '');
  if (bare === '') {
    return new PatternFault('pattern-empty', 0, 'the pattern is empty', 'write a name such as github.com');
  }
  if (/^\*+$/.test(bare)) {
    return new PatternFault(
      'pattern-star',
      0,
      `${text} would approve every name there is`,
      'name the zones that the job needs, such as **.example.com',
    );
  }
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme !== null) {
    const host = text.slice(scheme[0].length).split(/[/:?#]/, 1)[0];
    return new PatternFault(
      'pattern-url',
      0,
      `${text} is a URL, not a name`,
      `write ${host || 'the host name'}`,
    );
  }
  const port = /^([^:\\]+):\d+$/.exec(text);
  if (port !== null) {
    return new PatternFault('pattern-port', port[1]!.length, 'a name has no port', `write ${port[1]}`);
  }
  if (/^\d{1,3}(\.\d{1,3}){3}(\/\d+)?$/.test(bare) || /^[0-9a-f]*:[0-9a-f:.]+(\/\d+)?$/i.test(bare)) {
    return new PatternFault(
      'pattern-address',
      0,
      `${text} is an address; policy is about names`,
      'write the name that clients ask for; clients are recognised under from.addresses',
    );
  }
  if (text.startsWith('.')) {
    return new PatternFault(
      'pattern-label',
      0,
      'a name does not start with a dot',
      `write **${text} for the names under it, or ${text.slice(1)} for itself`,
    );
  }
  return null;
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
      `{${low}..${high}} holds no number`,
      `write {${high}..${low}}`,
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
  if (prefix.length + Math.max(width, String(high).length) + suffix.length > MAX_LABEL)
    return labelTooLong(start);
  if (stop + 1 >= text.length) {
    const base = new Uint8Array(1);
    return { kind: 'family', front: front.subarray(0, -1), prefix, suffix, low, high, width, base };
  }
  const base = parseLabels(text, stop + 1, text.length);
  if (base instanceof PatternFault) return base;
  const longest = prefix.length + Math.max(width, String(high).length) + suffix.length + 1;
  if (front.length - 1 + longest + base.length > MAX_NAME) return tooLong(0);
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
      if (octet > 0xff || (digits === undefined && /\d/.test(text[i + 1]!))) {
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

function strayCharacter(text: string, at: number): PatternFault {
  if (text[at] === '*') {
    const rest = text.slice(text.indexOf('.', at) + 1);
    const zone = text.indexOf('.', at) >= 0 && /^[A-Za-z0-9_.-]+$/.test(rest) ? rest : 'a.example';
    return new PatternFault(
      'pattern-star',
      at,
      'a star stands alone, as the first label',
      `write *.${zone} for one label, **.${zone} for any depth, or n{0..199}.${zone} for numbered hosts`,
    );
  }
  if (/[\^$()|[\]?+]/.test(text[at]!)) {
    return new PatternFault(
      'pattern-character',
      at,
      `${text[at]} looks like a regular expression; patterns are names`,
      'write the names, *.a.example for one label, or **.a.example for any depth',
    );
  }
  return new PatternFault(
    'pattern-character',
    at,
    `${JSON.stringify(text[at])} cannot stand in a name`,
    `remove it, or write it as \\${String(text.charCodeAt(at) & 0xff).padStart(3, '0')} if a label really holds it`,
  );
}

function labelTooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a label has at most ${MAX_LABEL} octets`, 'check the name');
}

function tooLong(at: number): PatternFault {
  return new PatternFault('pattern-label', at, `a name has at most ${MAX_NAME} octets`, 'check the name');
}

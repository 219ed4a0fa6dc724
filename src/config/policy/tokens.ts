import { TextFault } from '../problems.ts';

/** One word or quoted string of a presentation form. */
export interface Token {
  /** As written, without its quotes; escapes stand. */
  readonly raw: string;
  /** Escapes undone; characters beyond ASCII as UTF-8. */
  readonly octets: Uint8Array;
  readonly quoted: boolean;
  /** Where it starts in the text, its quote included. */
  readonly start: number;
}

/**
 * Cuts a presentation form into words (RFC 1035 §5.1): white space separates, double quotes hold together, `\DDD`
 * is an octet, `\X` is X. A quote may also start inside a word (`alpn="h2"`, RFC 9460 §2.1). Comments and
 * parentheses belong to zone files and are not known.
 */
export function tokenize(text: string): Token[] | TextFault {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const quoted = text[at] === '"';
    const word = readWord(text, at);
    if (word instanceof TextFault) return word;
    tokens.push({ raw: word.raw, octets: Uint8Array.from(word.octets), quoted, start: at });
    at = word.end;
  }
  return tokens;
}

function readWord(text: string, start: number): { raw: string; octets: number[]; end: number } | TextFault {
  const octets: number[] = [];
  let raw = '';
  let inQuotes = false;
  let at = start;
  while (at < text.length && (inQuotes || !/\s/.test(text[at]!))) {
    const char = String.fromCodePoint(text.codePointAt(at)!);
    if (char === '"') {
      inQuotes = !inQuotes;
      at++;
      // A closed string ends where it closes, unless it began inside a word.
      if (!inQuotes && text[start] === '"') break;
    } else if (char === '\\') {
      const length = readEscape(text, at, octets);
      if (length === 0)
        return new TextFault('record-data', at, 'a bad escape', 'write \\X or \\DDD with DDD up to 255');
      raw += text.slice(at, at + length);
      at += length;
    } else {
      octets.push(...Buffer.from(char));
      raw += char;
      at += char.length;
    }
  }
  if (inQuotes) return new TextFault('record-data', start, 'a quote that does not close', 'close it');
  return { raw, octets, end: at };
}

/** Characters of the escape at `at`, its octets pushed; 0 where it is none. `\#` alone is kept for RFC 3597. */
function readEscape(text: string, at: number, octets: number[]): number {
  const digits = /^\d{3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits !== undefined) {
    if (Number(digits) > 255) return 0;
    octets.push(Number(digits));
    return 4;
  }
  const code = text.codePointAt(at + 1);
  if (code === undefined || (code >= 0x30 && code <= 0x39)) return 0;
  const char = String.fromCodePoint(code);
  octets.push(...Buffer.from(char));
  return 1 + char.length;
}

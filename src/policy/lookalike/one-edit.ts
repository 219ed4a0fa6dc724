import type { Span } from './letters.ts';

const HYPHEN = 0x2d;

/**
 * Whether two texts differ by one letter more, less or other, or by two neighbours that are swapped. A digit in place of another
 * is no such difference, nor are two digits that are swapped, nor is a letter that stands alone between hyphens.
 */
export function isOneEdit(a: Span, b: Span): boolean {
  const short = a.length <= b.length ? a : b;
  const long = short === a ? b : a;
  if (long.length - short.length > 1) return false;
  let same = 0;
  while (same < short.length && letter(short, same) === letter(long, same)) same++;
  if (short.length < long.length) return isSameFrom(short, same, long, same + 1);
  if (same === short.length) return false;
  if (isSameFrom(short, same + 1, long, same + 1)) return !isNumbering(short, long, same);
  return (
    letter(short, same) === letter(long, same + 1) &&
    letter(short, same + 1) === letter(long, same) &&
    !(isDigit(letter(short, same)) && isDigit(letter(long, same))) &&
    isSameFrom(short, same + 2, long, same + 2)
  );
}

/** Names that are numbered are siblings: `cdn1` and `cdn2`, `a-edge` and `c-edge`, and so are `cdn-30` and `cdn-03`. */
function isNumbering(a: Span, b: Span, at: number): boolean {
  if (isDigit(letter(a, at)) && isDigit(letter(b, at))) return true;
  return isBound(a, at - 1) && isBound(a, at + 1);
}

function isBound(text: Span, at: number): boolean {
  return at < 0 || at >= text.length || letter(text, at) === HYPHEN;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** 0 past the end, which no letter is. */
function letter({ codes, at, length }: Span, index: number): number {
  return index < length ? codes[at + index]! : 0;
}

function isSameFrom(a: Span, from: number, b: Span, start: number): boolean {
  if (a.length - from !== b.length - start) return false;
  for (let i = 0; from + i < a.length; i++) if (letter(a, from + i) !== letter(b, start + i)) return false;
  return true;
}

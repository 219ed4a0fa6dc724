/**
 * Whether two texts differ by one letter more, less or other, or by two neighbours that are swapped. A digit in place of another
 * is no such difference, nor is a letter that stands alone between hyphens. Letters are code points.
 */
export function isOneEdit(a: readonly string[], b: readonly string[]): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let same = 0;
  while (same < short.length && short[same] === long[same]) same++;
  if (short.length < long.length) return isSameFrom(short, same, long, same + 1);
  if (same === short.length) return false;
  if (isSameFrom(short, same + 1, long, same + 1)) return !isNumbering(short, long, same);
  return (
    short[same] === long[same + 1] &&
    short[same + 1] === long[same] &&
    isSameFrom(short, same + 2, long, same + 2)
  );
}

/** Names that are numbered are siblings: `cdn1` and `cdn2`, `a-edge` and `c-edge`. */
function isNumbering(a: readonly string[], b: readonly string[], at: number): boolean {
  if (/^[0-9]$/.test(a[at]!) && /^[0-9]$/.test(b[at]!)) return true;
  const isBound = (i: number): boolean => i < 0 || i >= a.length || a[i] === '-';
  return isBound(at - 1) && isBound(at + 1);
}

function isSameFrom(a: readonly string[], from: number, b: readonly string[], start: number): boolean {
  if (a.length - from !== b.length - start) return false;
  for (let i = 0; from + i < a.length; i++) if (a[from + i] !== b[start + i]) return false;
  return true;
}

import type { Pattern } from '../pattern/pattern.ts';

/**
 * Names that the families of one policy may be written out into: some second and 31 MB. One family has 10,000 at most, but a
 * policy may hold any number of families.
 */
export const MAX_WRITTEN_OUT = 100_000;

/** How many rules of their own a pattern's names become: a brace behind other labels is no range of the tree. */
export function namesWrittenOut(pattern: Pattern): number {
  return pattern.kind === 'family' && pattern.front.length > 0 ? pattern.high - pattern.low + 1 : 0;
}

/** The names of a family, written out. */
export function* familyNames(pattern: Pattern & { kind: 'family' }): Generator<Uint8Array> {
  const { front, prefix, suffix, base } = pattern;
  for (let value = pattern.low; value <= pattern.high; value++) {
    const digits = [...String(value).padStart(pattern.width, '0')].map((digit) => digit.charCodeAt(0));
    const label = [...prefix, ...digits, ...suffix];
    yield Uint8Array.from([...front, label.length, ...label, ...base]);
  }
}

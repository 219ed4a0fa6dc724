import { SUFFIX, type SuffixTable } from '../policy/pattern/suffix.ts';
import { nameFromText } from '../wire/name.ts';
import { SuffixIndex } from '../wire/suffix-index.ts';

const LISTED = SUFFIX.ICANN | SUFFIX.PRIVATE;
const LISTED_BELOW = SUFFIX.ICANN_BELOW | SUFFIX.PRIVATE_BELOW;
/** A rule `*.name` lists one label more, and a registered domain has one more. */
const MORE = 2;

/**
 * Where the registered domain of a wire name starts, as `registeredDomain` says; it makes no text, for a flood of names. The
 * public suffix list takes memory: it is made when it is asked for first.
 */
export function registeredDomains(list: () => SuffixTable): (name: Uint8Array) => number {
  let index: SuffixIndex | null = null;
  return (name) => {
    if (name[0] === 0) return 0;
    index ??= indexOf(list());
    const { starts, values } = index;
    const last = index.look(name) - 1;
    for (let i = last; i > 0; i--) {
      const flags = values[i]!;
      if ((flags & SUFFIX.EXCEPTION) !== 0) return starts[i]!;
      if ((flags & LISTED) !== 0 || (values[i - 1]! & LISTED_BELOW) !== 0)
        return starts[Math.min(last, i + 1)]!;
    }
    // What the list does not know ends in a suffix of one label by its default rule `*`.
    return (values[0]! & SUFFIX.EXCEPTION) !== 0 ? starts[0]! : starts[Math.min(last, 1)]!;
  };
}

function indexOf(table: SuffixTable): SuffixIndex {
  const names: [Uint8Array, number][] = [];
  for (const [text, flags] of table.entries()) {
    const name = text === '' ? null : nameFromText(text);
    if (name instanceof Uint8Array) names.push([name, flags]);
  }
  return new SuffixIndex(names, MORE);
}

import { nameToText } from '../../wire/name.ts';

/**
 * The public suffix list as flat data: rule text without `*.` and `!`, in lower case ASCII, to flags.
 * `config/` builds it; https://publicsuffix.org/list/ defines the algorithm.
 */
export type SuffixTable = ReadonlyMap<string, number>;

export const SUFFIX = {
  /** A rule of the ICANN section with this very name. */
  ICANN: 1,
  /** A rule of the private section with this very name. */
  PRIVATE: 2,
  /** A rule `*.name` of the ICANN section. */
  ICANN_BELOW: 4,
  /** A rule `*.name` of the private section. */
  PRIVATE_BELOW: 8,
  /** A rule `!name`. */
  EXCEPTION: 16,
  /** Some private rule lies under this name. */
  ABOVE_PRIVATE: 32,
} as const;

/**
 * What a wildcard on `base` would reach: `public` when strangers register names right under it by way of a
 * registry; `shared` when a private suffix is at, above or below it, so that anyone can rent a name there;
 * else `own`.
 */
export function zoneKind(base: Uint8Array, table: SuffixTable): 'public' | 'shared' | 'own' {
  /** The base and its ancestors, the root not among them. */
  const names: string[] = [];
  for (let at = 0; base[at] !== 0; at += 1 + base[at]!) names.push(nameToText(base.subarray(at)));
  let shared = ((table.get(names[0]!) ?? 0) & SUFFIX.ABOVE_PRIVATE) !== 0;
  for (let i = 0; i < names.length; i++) {
    const flags = table.get(names[i]!) ?? 0;
    const parent = table.get(names[i + 1] ?? '') ?? 0;
    if ((flags & SUFFIX.EXCEPTION) !== 0) break;
    const listed = (flags & SUFFIX.ICANN) !== 0 || (parent & SUFFIX.ICANN_BELOW) !== 0;
    // A name of one label that the list does not know is a suffix by its default rule `*`.
    if (i === 0 && (listed || names.length === 1)) return 'public';
    // `*.ck` makes every name under ck a suffix, and ck, a rule's parent, too.
    if (i === 0 && (flags & SUFFIX.ICANN_BELOW) !== 0) return 'public';
    if ((flags & (SUFFIX.PRIVATE | SUFFIX.PRIVATE_BELOW)) !== 0) shared = true;
  }
  return shared ? 'shared' : 'own';
}

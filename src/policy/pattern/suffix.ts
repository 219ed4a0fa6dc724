import { nameToText } from '../../wire/name.ts';

/**
 * The public suffix list as flat data: rule text without `*.` and `!`, in lower case ASCII, to flags.
 * `config/` builds it; https://publicsuffix.org/list/ defines the algorithm.
 */
export type SuffixTable = Pick<ReadonlyMap<string, number>, 'get' | 'entries'>;

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

/** The private suffix that a name is at or under, as text: names there belong to many, and often share addresses. Else null. */
export function rentedZone(name: Uint8Array, table: SuffixTable): string | null {
  const names: string[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) names.push(nameToText(name.subarray(at)));
  for (const [i, text] of names.entries()) {
    const flags = table.get(text) ?? 0;
    const parent = table.get(names[i + 1] ?? '') ?? 0;
    if ((flags & SUFFIX.EXCEPTION) !== 0) return null;
    if ((flags & SUFFIX.PRIVATE) !== 0 || (parent & SUFFIX.PRIVATE_BELOW) !== 0) return text;
  }
  return null;
}

/** The longest rules of the list have five labels. */
const MOST_LABELS = 8;

/**
 * Where in a wire name its registered domain starts, by offset: one label in front of its longest public suffix, private ones
 * included. A name that is itself a suffix is its own; the root's offset is that of the root.
 */
export function registeredDomain(name: Uint8Array, table: SuffixTable): number {
  const all: number[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) all.push(at);
  // No suffix has so many labels; whoever asks for names of 127 does not make us read them all.
  const starts = all.slice(-MOST_LABELS);
  const texts = textsAt(name, starts);
  const last = texts.length - 1;
  for (let i = 0; i < texts.length; i++) {
    const flags = table.get(texts[i]!) ?? 0;
    const parent = table.get(texts[i + 1] ?? '') ?? 0;
    if ((flags & SUFFIX.EXCEPTION) !== 0) return starts[i]!;
    const isListed =
      (flags & (SUFFIX.ICANN | SUFFIX.PRIVATE)) !== 0 ||
      (parent & (SUFFIX.ICANN_BELOW | SUFFIX.PRIVATE_BELOW)) !== 0;
    // What the list does not know ends in a suffix of one label by its default rule `*`.
    if (isListed || i === last) return starts[Math.max(0, i - 1)]!;
  }
  return 0;
}

/** What begins at each of these offsets of a wire name, as text. */
function textsAt(name: Uint8Array, starts: readonly number[]): string[] {
  const first = starts[0] ?? 0;
  const whole = nameToText(name.subarray(first));
  // Where nothing is escaped, a label starts in the text where it starts in the name: of all it is one string that is made.
  if (whole.length === name.length - first - 2) return starts.map((at) => whole.slice(at - first));
  return starts.map((at) => nameToText(name.subarray(at)));
}

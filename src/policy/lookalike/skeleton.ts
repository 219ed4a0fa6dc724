import type { Letters, Span } from './letters.ts';

/**
 * Characters that look like a letter or digit of ASCII, by what they look like. Source: the idea of Unicode's UTS #39
 * (confusables), from general knowledge as of 2026-11; letters of Cyrillic, Greek, Armenian and Latin that IDNA 2008 allows in
 * a name. Marks on letters (`é`) are taken off by decomposition and do not stand here.
 */
const ALIKE: Readonly<Record<string, string>> = {
  a: 'аɑα',
  b: 'ьɓƅ',
  c: 'сϲᴄⅽ',
  d: 'ԁɗđ',
  e: 'еєɛ',
  f: 'ƒſ',
  g: 'ɡցɢ',
  h: 'һհħ',
  i: 'іıɩιӏ',
  j: 'јϳ',
  k: 'кκƙ',
  l: 'ӏ1łℓι|іı',
  m: 'мṃ',
  n: 'пոηƞ',
  o: '0оοσօøӨө',
  p: 'рρ',
  q: 'ԛգ',
  r: 'гɾ',
  s: 'ѕʂꜱ5',
  t: 'тτŧ',
  u: 'υսцᴜ',
  v: 'ѵνᴠ',
  w: 'ԝաωѡ',
  x: 'хχ',
  y: 'уγүʏ',
  z: 'ᴢʐ',
};

/** By code point. The first that is listed wins; `i` and `l` are one, for `1`, `ı` and `ӏ` look like both. */
const LETTERS = new Map<number, number>();
for (const [letter, alike] of Object.entries(ALIKE)) {
  for (const each of alike) {
    const code = each.codePointAt(0)!;
    if (!LETTERS.has(code)) LETTERS.set(code, letter.charCodeAt(0));
  }
}

/** Pairs that look like one letter, one kind after another. */
const PAIRS: readonly (readonly [pair: string, letter: string])[] = [
  ['rn', 'm'],
  ['vv', 'w'],
  ['nn', 'm'],
];
const PAIR_CODES = PAIRS.map(([pair, letter]) => [...pair, letter].map((each) => each.charCodeAt(0)));

const R = 0x72;
const N = 0x6e;
const V = 0x76;
const I = 0x69;
const L = 0x6c;
/** From here on no letter is decomposed: such a name looks like none of ASCII but by the list above. */
const LAST_DECOMPOSED = 0x3000;
const ASCII = Int32Array.from({ length: 0x80 }, (_, code) => alikeOf(code));
/** What letters beyond ASCII are taken for, each looked for once. */
const decomposed = new Map<number, readonly number[]>();

/** Writes what a label looks like: two labels with one skeleton can be taken for each other. Costs tens of nanoseconds. */
export function writeSkeleton(text: Span, skeleton: Letters): void {
  skeleton.length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codes[text.at + i]!;
    if (code < 0x80) skeleton.add(ASCII[code]!);
    else if (code >= LAST_DECOMPOSED) skeleton.add(alikeOf(code));
    else for (const each of partsOf(code)) skeleton.add(each);
  }
  if (!mayHavePairs(skeleton)) return;
  for (const [first, second, letter] of PAIR_CODES) join(skeleton, first!, second!, letter!);
}

/** Each pair ends with `n` or `v`, and most labels have none of them. */
function mayHavePairs({ codes, length }: Letters): boolean {
  for (let i = 1; i < length; i++) if (endsPair(codes[i - 1]!, codes[i]!)) return true;
  return false;
}

/** Whether two letters that look like this may look like one. */
export function endsPair(before: number, code: number): boolean {
  return (code === N || code === V) && (before === code || before === R);
}

/** What one letter looks like, where it is of ASCII; others stay as they are. */
export function lookOf(code: number): number {
  return code < 0x80 ? ASCII[code]! : code;
}

function alikeOf(code: number): number {
  const letter = LETTERS.get(code) ?? code;
  return letter === I ? L : letter;
}

/** Without its marks. Most labels have none, and the tables of those that do are loaded when they are first looked into. */
function partsOf(code: number): readonly number[] {
  let parts = decomposed.get(code);
  if (parts === undefined) {
    const bare = String.fromCodePoint(code).normalize('NFKD').replace(/\p{M}/gu, '');
    parts = Array.from(bare, (letter) => alikeOf(letter.codePointAt(0)!));
    decomposed.set(code, parts);
  }
  return parts;
}

function join(text: Letters, first: number, second: number, letter: number): void {
  const { codes, length } = text;
  let to = 0;
  for (let i = 0; i < length; i++) {
    const isPair = codes[i] === first && i + 1 < length && codes[i + 1] === second;
    codes[to++] = isPair ? letter : codes[i]!;
    if (isPair) i++;
  }
  text.length = to;
}

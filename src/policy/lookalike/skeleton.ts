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

/** The first that is listed wins; `i` and `l` are one, for `1`, `ı` and `ӏ` look like both. */
const LETTERS = new Map<string, string>();
for (const [letter, alike] of Object.entries(ALIKE))
  for (const each of alike) if (!LETTERS.has(each)) LETTERS.set(each, letter);

/** Pairs that look like one letter. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['rn', 'm'],
  ['vv', 'w'],
  ['nn', 'm'],
];

const MARKS = /\p{M}/gu;
const ASCII = /^[\0-\x7f]*$/;

/** What a label looks like: two labels with one skeleton can be taken for each other. `text`: as `labelText` gives it. */
export function skeletonOf(text: string): string {
  let skeleton = '';
  // Most labels have no marks, and the tables of those that do are loaded when they are first looked into.
  const bare = ASCII.test(text) ? text : text.normalize('NFKD').replace(MARKS, '');
  for (const letter of bare) skeleton += LETTERS.get(letter) ?? letter;
  for (const [pair, letter] of PAIRS) skeleton = skeleton.replaceAll(pair, letter);
  return skeleton.replaceAll('i', 'l');
}

import fc from 'fast-check';
import t from 'tap';
import { MAX_FAMILY, type Pattern, parsePattern, patternText } from '../../../src/policy/pattern/pattern.ts';
import { PatternFault } from '../../../src/policy/pattern/pattern-fault.ts';
import { amount } from '../../amount.ts';
import { worked } from '../../clock.ts';
import { anyName } from '../../wire/arbitrary.ts';
import { labelled } from '../../wire/build.ts';
import { pattern, wire } from '../build.ts';

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');

/** A pattern in a form that is easily compared: names as latin1. */
function shape(parsed: Pattern): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parsed).map(([key, value]) => [key, value instanceof Uint8Array ? text(value) : value]),
  );
}

function name(dotted: string): string {
  return text(wire(dotted));
}

const LABEL_63 = 'a'.repeat(63);
/** 253 characters: the longest name that has no escape. */
const NAME_255 = [LABEL_63, LABEL_63, LABEL_63, 'a'.repeat(61)].join('.');

t.test('exact names', async (t) => {
  const cases: [string, string][] = [
    ['github.com', name('github.com')],
    ['GitHub.COM', name('github.com')],
    ['github.com.', name('github.com')],
    ['com', name('com')],
    ['_dmarc.a.example', name('_dmarc.a.example')],
    ['-a-.b_.0', name('-a-.b_.0')],
    ['1.2.3', name('1.2.3')],
    ['1.2.3.4.5', name('1.2.3.4.5')],
    ['1.2.3.4a', name('1.2.3.4a')],
    ['dead.beef', name('dead.beef')],
    ['xn--bcher-kva.example', name('xn--bcher-kva.example')],
    [`${LABEL_63}.example`, name(`${LABEL_63}.example`)],
    [NAME_255, name(NAME_255)],
    [`${NAME_255}.`, name(NAME_255)],
    ['a\\.b.example', text(labelled(Buffer.from('a.b'), Buffer.from('example')))],
    ['a\\046b.example', text(labelled(Buffer.from('a.b'), Buffer.from('example')))],
    ['\\000\\255.example', text(labelled(Buffer.from([0, 255]), Buffer.from('example')))],
    ['\\065.example', name('a.example')],
    ['\\*.example', text(labelled(Buffer.from('*'), Buffer.from('example')))],
    ['\\{1\\}.example', text(labelled(Buffer.from('{1}'), Buffer.from('example')))],
    ['a\\ b', text(labelled(Buffer.from('a b')))],
    ['a\\\\', text(labelled(Buffer.from('a\\')))],
    ['a.b\\.', text(labelled(Buffer.from('a'), Buffer.from('b.')))],
  ];
  for (const [written, expected] of cases)
    t.same(shape(pattern(written)), { kind: 'exact', name: expected }, written);
});

t.test('wildcards', async (t) => {
  for (const [written, kind, base] of [
    ['*.a.example', 'star', 'a.example'],
    ['**.a.example', 'globstar', 'a.example'],
    ['*.A.Example.', 'star', 'a.example'],
    ['**.com', 'globstar', 'com'],
    [`**.${NAME_255.slice(2)}`, 'globstar', NAME_255.slice(2)],
  ] as const) {
    t.same(shape(pattern(written)), { kind, base: name(base) }, written);
  }
  t.same(shape(pattern('*.a\\.b.example')), {
    kind: 'star',
    base: text(labelled(Buffer.from('a.b'), Buffer.from('example'))),
  });
});

t.test('finite families', async (t) => {
  const family = (some: Record<string, unknown>): Record<string, unknown> => ({
    kind: 'family',
    front: '',
    prefix: '',
    suffix: '',
    low: 0,
    high: 9,
    width: 1,
    base: '\0',
    ...some,
  });
  const cases: [string, Record<string, unknown>][] = [
    ['n{0..199}.a.example', { prefix: 'n', high: 199, base: name('a.example') }],
    ['N{000..199}X.A.example.', { prefix: 'n', suffix: 'x', high: 199, width: 3, base: name('a.example') }],
    ['{0..9}', {}],
    ['{0..9}.', {}],
    ['{0..9}.x', { base: name('x') }],
    ['a.b{1..2}c.d', { front: '\x01a', prefix: 'b', suffix: 'c', low: 1, high: 2, base: name('d') }],
    ['a.b.{1..2}', { front: '\x01a\x01b', low: 1, high: 2 }],
    ['n{7..7}.x', { prefix: 'n', low: 7, high: 7, base: name('x') }],
    ['n1{0..9}2.x', { prefix: 'n1', suffix: '2', base: name('x') }],
    ['n{08..10}.x', { prefix: 'n', low: 8, high: 10, width: 2, base: name('x') }],
    ['n{00..5}.x', { prefix: 'n', high: 5, width: 2, base: name('x') }],
    ['n{0..9999}.x', { prefix: 'n', high: 9999, base: name('x') }],
    [
      'n{999990000..999999999}.x',
      { prefix: 'n', low: 999_990_000, high: 999_999_999, width: 9, base: name('x') },
    ],
    ['a\\.b{0..9}\\{.x', { prefix: 'a.b', suffix: '{', base: name('x') }],
    ['\\\\.n{0..9}.x', { front: '\x01\\', prefix: 'n', base: name('x') }],
    ['\\..n{0..9}.x', { front: '\x01.', prefix: 'n', base: name('x') }],
    [`n{0..9}${'a'.repeat(61)}.x`, { prefix: 'n', suffix: 'a'.repeat(61), base: name('x') }],
    [`{0..9}.${NAME_255.slice(2)}`, { base: name(NAME_255.slice(2)) }],
  ];
  for (const [written, some] of cases) t.same(shape(pattern(written)), family(some), written);
  t.equal(MAX_FAMILY, 10_000);
});

/** Text, code, offset, and what the fix says. */
const BAD: [string, string, number, RegExp?][] = [
  // Stars.
  ['api-*.a.example', 'pattern-star', 4, /\*\.a\.example.*\*\*\.a\.example.*\{0\.\.199\}/],
  ['*-api.a.example', 'pattern-star', 0, /\*\.a\.example/],
  ['a*b.example', 'pattern-star', 1],
  ['*a.example', 'pattern-star', 0],
  ['*', 'pattern-star', 0, /name the zones/],
  ['**', 'pattern-star', 0],
  ['***', 'pattern-star', 0],
  ['*.', 'pattern-star', 0],
  ['**.', 'pattern-star', 0],
  ['*.*.a.example', 'pattern-star', 2, /\*\*\.a\.example/],
  ['**.*.a.example', 'pattern-star', 3],
  ['*.**.a.example', 'pattern-star', 2],
  ['**.**.a.example', 'pattern-star', 3],
  ['***.a.example', 'pattern-star', 0],
  ['a.*.b.example', 'pattern-star', 2, /\*\.b\.example/],
  ['a.**', 'pattern-star', 2],
  ['a.example.*', 'pattern-star', 10],
  ['.*', 'pattern-label', 0],
  // From other languages.
  ['^api[0-9]+\\.example$', 'pattern-character', 0, /\*\*\.example\.com/],
  ['api[0-9].example', 'pattern-character', 3],
  ['api?.example', 'pattern-character', 3],
  ['(a|b).example', 'pattern-character', 0],
  ['a+.example', 'pattern-character', 1],
  ['api.example$', 'pattern-character', 11],
  ['api-.*\\.example', 'pattern-star', 5],
  ['https://github.com/', 'pattern-url', 0, /^write github\.com$/],
  ['https://github.com:443/path?x=1#y', 'pattern-url', 0, /^write github\.com$/],
  ['HTTP://GitHub.com', 'pattern-url', 0],
  ['git+ssh://git@github.com', 'pattern-url', 0],
  ['https://', 'pattern-url', 0],
  ['//github.com', 'pattern-character', 0],
  ['github.com/path', 'pattern-url', 10, /^write github\.com$/],
  ['user@github.com', 'pattern-character', 4],
  ['github.com:443', 'pattern-port', 10, /^write github\.com$/],
  ['*.a.example:53', 'pattern-port', 11],
  ['10.0.0.1', 'pattern-address', 0, /from\.addresses/],
  ['10.0.0.1.', 'pattern-address', 0],
  ['10.0.0.0/8', 'pattern-address', 0],
  ['999.999.999.999', 'pattern-address', 0],
  ['2001:db8::1', 'pattern-address', 0],
  ['2001:db8::/32', 'pattern-address', 0],
  ['::1', 'pattern-address', 0],
  ['::ffff:10.0.0.1', 'pattern-address', 0],
  // Dots.
  ['', 'pattern-empty', 0],
  ['.', 'pattern-empty', 0],
  ['.github.com', 'pattern-label', 0, /\*\*\.github\.com/],
  ['a..example', 'pattern-label', 2],
  ['a.example..', 'pattern-label', 10],
  ['..', 'pattern-label', 0],
  ['*..example', 'pattern-label', 2],
  ['n{0..9}..example', 'pattern-label', 8],
  ['a..n{0..9}', 'pattern-label', 2],
  // Lengths.
  [`${LABEL_63}a.example`, 'pattern-label', 0],
  [`x.${LABEL_63}a`, 'pattern-label', 2],
  [`*.${LABEL_63}a`, 'pattern-label', 2],
  [`${LABEL_63}.${LABEL_63}.${LABEL_63}.${'a'.repeat(62)}`, 'pattern-label', 0],
  [`*.${NAME_255.slice(1)}`, 'pattern-label', 2],
  [`n{0..9}${'a'.repeat(62)}.x`, 'pattern-label', 0],
  [`x.n{0..99}${'a'.repeat(61)}`, 'pattern-label', 2],
  [`{0..9}.${NAME_255.slice(1)}`, 'pattern-label', 0],
  [`${NAME_255}.n{0..9}`, 'pattern-label', 0],
  [`${NAME_255.slice(2)}.n{0..9}`, 'pattern-label', 0],
  [`${LABEL_63}.n{0..9}.${LABEL_63}.${LABEL_63}.${LABEL_63}`, 'pattern-label', 0],
  // Braces.
  ['n{0..10000}.x', 'pattern-family-size', 1],
  ['n{5..10005}.x', 'pattern-family-size', 1],
  ['n{0..999999999}.x', 'pattern-family-size', 1],
  ['n{9..0}.x', 'pattern-brace', 1, /\{0\.\.9\}/],
  ['n{099..000}.x', 'pattern-brace', 1, /\{000\.\.099\}/],
  ['n{0..0000000001}.x', 'pattern-brace', 1],
  ['n{0..0199}.x', 'pattern-brace', 1, /\{0000\.\.0199\}/],
  ['n{1..05}.x', 'pattern-brace', 1, /\{01\.\.05\}/],
  ['n{0-9}.x', 'pattern-brace', 1],
  ['n{0...9}.x', 'pattern-brace', 1],
  ['n{0..9.x', 'pattern-brace', 1],
  ['n0..9}.x', 'pattern-label', 3],
  ['n9}.x', 'pattern-character', 2],
  ['n{}.x', 'pattern-brace', 1],
  ['n{..9}.x', 'pattern-brace', 1],
  ['n{0..}.x', 'pattern-brace', 1],
  ['n{-1..9}.x', 'pattern-brace', 1],
  ['n{a..z}.x', 'pattern-brace', 1],
  ['n{a,b}.x', 'pattern-brace', 1],
  ['n{0..9..2}.x', 'pattern-brace', 1],
  ['n{ 0..9 }.x', 'pattern-brace', 1],
  ['n{0..9}{0..9}.x', 'pattern-brace', 7],
  ['n{0..9}.m{0..9}.x', 'pattern-brace', 9],
  ['n{{0..9}}.x', 'pattern-brace', 1],
  ['n{0..9}}.x', 'pattern-character', 7],
  ['*.n{0..9}.x', 'pattern-mixed', 3],
  ['**.n{0..9}.x', 'pattern-mixed', 4],
  ['n{0..9}.*.x', 'pattern-star', 8],
  ['*n{0..9}.x', 'pattern-star', 0],
  // Escapes.
  ['a\\256.x', 'pattern-escape', 1],
  ['a\\999.x', 'pattern-escape', 1],
  ['a\\1.x', 'pattern-escape', 1],
  ['a\\12.x', 'pattern-escape', 1],
  ['a\\', 'pattern-escape', 1],
  ['a.b\\', 'pattern-escape', 3],
  ['a\\\u00e9.x', 'pattern-escape', 1],
  ['n{0..9}\\', 'pattern-escape', 7],
  // Characters.
  [' github.com', 'pattern-character', 0],
  ['github.com ', 'pattern-character', 10],
  ['git hub.com', 'pattern-character', 3],
  ['a\tb', 'pattern-character', 1],
  ['"github.com"', 'pattern-character', 0],
  ["'github.com'", 'pattern-character', 0],
  ['github.com,gitlab.com', 'pattern-character', 10],
  ['github.com;', 'pattern-character', 10],
  ['!github.com', 'pattern-character', 0, /^delete the entry; where a wildcard approves the name, list/],
  ['! *.github.com', 'pattern-character', 0, /^delete the entry/],
  ['github.com; mirror', 'pattern-character', 10, /^write github\.com$/],
  ['github.com ;see CHG-1', 'pattern-character', 11, /^write github\.com$/],
  ['github.com; gitlab.com', 'pattern-character', 10, /^write an entry for each: github\.com, gitlab\.com$/],
  ['~github.com', 'pattern-character', 0],
  ['%.github.com', 'pattern-character', 0],
  ['g:h', 'pattern-character', 1],
  ['a:b', 'pattern-address', 0],
  ['b\u00fccher.example', 'pattern-character', 1, /xn--/],
  ['\u{1f600}.example', 'pattern-character', 0, /xn--/],
  ['a\u3002example', 'pattern-character', 1],
  ['a\0b', 'pattern-character', 1],
];

t.test('anything else is an error at its place that says what to write instead', async (t) => {
  t.ok(BAD.length >= 100, `${BAD.length} bad patterns`);
  for (const [written, code, offset, fix] of BAD) {
    const got = parsePattern(written);
    const short = written.length > 40 ? `${written.slice(0, 20)}… (${written.length})` : written;
    if (!(got instanceof PatternFault)) {
      t.fail(`${JSON.stringify(short)} was taken for ${JSON.stringify(shape(got))}`);
      continue;
    }
    t.match(got, { code, offset }, JSON.stringify(short));
    t.ok(got.message.length > 10 && got.fix.length > 5, `${got.message}; ${got.fix}`);
    if (fix !== undefined) t.match(got.fix, fix);
  }
});

t.test('what a fix tells to write can be written', async (t) => {
  let tried = 0;
  for (const [written] of BAD) {
    const { fix } = parsePattern(written) as PatternFault;
    for (const [example] of fix.matchAll(
      /(?:\*\*?\.|n?\{\d+\.\.\d+\})[a-z0-9.-]*[a-z0-9]|(?<=^write )[a-z]+\.com$/g,
    )) {
      tried++;
      t.notOk(
        parsePattern(example) instanceof PatternFault,
        `${JSON.stringify(written.slice(0, 30))}: ${example}`,
      );
    }
  }
  t.ok(tried > 30, `${tried} examples`);
});

t.test('the text of a pattern', async (t) => {
  for (const [written, expected] of [
    ['GitHub.com.', 'github.com'],
    ['*.A.example', '*.a.example'],
    ['**.a.example.', '**.a.example'],
    ['N{000..199}X.a.example', 'n{000..199}x.a.example'],
    ['n{0..9}', 'n{0..9}'],
    ['{0..9}.', '{0..9}'],
    ['x.n{00..9}y.z', 'x.n{00..09}y.z'],
    ['n{0..199}.x', 'n{0..199}.x'],
    ['n{08..12}.x', 'n{08..12}.x'],
    ['a\\046b.example', 'a\\.b.example'],
    ['\\*.a.example', '\\*.a.example'],
    ['\\*\\*.a.example', '\\*\\*.a.example'],
    ['a\\+b\\/c\\:1.x', 'a\\+b\\/c\\:1.x'],
    ['\\000\\032\\255', '\\000\\032\\255'],
    ['a\\*{0..9}\\}.x', 'a\\*{0..9}\\}.x'],
  ] as const) {
    t.equal(patternText(pattern(written)), expected, written);
  }
});

/** A label as it can be written: letters as they are, all else escaped. */
function escaped(octets: Uint8Array): string {
  return [...octets]
    .map((octet) => {
      const char = String.fromCharCode(octet);
      return /[A-Za-z0-9_-]/.test(char) ? char : `\\${String(octet).padStart(3, '0')}`;
    })
    .join('');
}

function labelsOf(wireName: Uint8Array): Uint8Array[] {
  const labels: Uint8Array[] = [];
  for (let at = 0; wireName[at] !== 0; at += 1 + wireName[at]!)
    labels.push(wireName.subarray(at + 1, at + 1 + wireName[at]!));
  return labels;
}

const anyWritten = anyName
  .filter((octets) => octets.length > 1)
  .map((octets) => labelsOf(octets).map(escaped).join('.'));
const anyOctets = fc.uint8Array({ maxLength: 6 }).map(escaped);
const anyFamily = fc
  .tuple(
    fc.option(anyWritten),
    anyOctets,
    fc.nat(20_000),
    fc.nat(9_999),
    fc.nat(7),
    anyOctets,
    fc.option(anyWritten),
  )
  .map(([front, prefix, low, more, width, suffix, base]) => {
    // Both ends in one width, or none of them padded.
    const most = String(low + more).length;
    const pad = width >= most ? width : 0;
    const digits = (number: number): string => String(number).padStart(pad, '0');
    const label = `${prefix}{${digits(low)}..${digits(low + more)}}${suffix}`;
    return [...(front === null ? [] : [front]), label, ...(base === null ? [] : [base])].join('.');
  });

t.test('property: a pattern is the same pattern after its text', async (t) => {
  const seen = { exact: 0, star: 0, globstar: 0, family: 0, fault: 0 };
  fc.assert(
    fc.property(
      fc.oneof(
        anyWritten,
        anyWritten.map((base) => `*.${base}`),
        anyWritten.map((base) => `**.${base}`),
        anyFamily,
      ),
      fc.boolean(),
      (written, dot) => {
        const parsed = parsePattern(dot ? `${written}.` : written);
        if (parsed instanceof PatternFault) {
          seen.fault++;
          // Too long, or the address that it looks like.
          return parsed.code === 'pattern-label' || parsed.code === 'pattern-address';
        }
        seen[parsed.kind]++;
        const again = parsePattern(patternText(parsed));
        return (
          !(again instanceof PatternFault) && JSON.stringify(shape(again)) === JSON.stringify(shape(parsed))
        );
      },
    ),
    { seed: 40, numRuns: amount(2_000, 4_000) },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.exact > 300 && seen.star > 300 && seen.globstar > 300 && seen.family > 300);
});

t.test('property: any text is a pattern that fits, or a fault inside the text', async () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '1',
    '.',
    '..',
    '*',
    '**.',
    '{',
    '}',
    '{0..9}',
    '\\',
    '\\.',
    '\\046',
    '-',
    ' ',
    '\u00e9',
    ':',
    '/',
    LABEL_63,
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const written = pieces.join('');
      const parsed = parsePattern(written);
      if (parsed instanceof PatternFault) {
        return (
          /^pattern-[a-z-]+$/.test(parsed.code) &&
          parsed.offset >= 0 &&
          parsed.offset <= Math.max(0, written.length - 1)
        );
      }
      switch (parsed.kind) {
        case 'exact':
          return parsed.name.length <= 255 && parsed.name.length > 1;
        case 'family': {
          const { front, prefix, suffix, width, high, base } = parsed;
          const label = prefix.length + Math.max(width, String(high).length) + suffix.length;
          return label <= 63 && front.length + 1 + label + base.length <= 255;
        }
        default:
          return parsed.base.length <= 253 && parsed.base.length > 1;
      }
    }),
    { seed: 41, numRuns: amount(2_000, 5_000) },
  );
});

t.test('a long text is refused at once', async (t) => {
  for (const written of [
    'a'.repeat(1_000_000),
    'a.'.repeat(500_000),
    '\\'.repeat(1_000_000),
    `${'\\\\'.repeat(200_000)}{0..9}`,
    '*'.repeat(1_000_000),
    `${'1:'.repeat(300_000)}x`,
  ]) {
    const start = worked();
    t.ok(parsePattern(written) instanceof PatternFault);
    const took = worked() - start;
    t.ok(took < 2000, `${written.slice(0, 6)}… took ${took.toFixed(0)} ms`);
  }
});

t.test('RFC 1035 §2.3.4: the longest name that a family stands for has 255 octets', async (t) => {
  const most = (numbers: string): string => `${'b'.repeat(61)}.n${numbers}.${NAME_255.slice(65)}`;
  const longest = pattern(most('{0..9}'));
  t.equal(longest.kind === 'family' && longest.front.length + 3 + longest.base.length, 255);
  t.match(parsePattern(most('{0..10}')), { code: 'pattern-label' });
});

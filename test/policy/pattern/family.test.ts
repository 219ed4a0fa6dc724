import t from 'tap';
import { familyNames, MAX_WRITTEN_OUT } from '../../../src/policy/compile/written-out.ts';
import type { DestinationInput, RuleInput } from '../../../src/policy/input.ts';
import { isError } from '../../../src/policy/problem.ts';
import { nameToText } from '../../../src/wire/name.ts';
import {
  ask,
  build,
  destination,
  entries,
  identity,
  pattern,
  rule,
  single,
  types,
  verdict,
} from '../build.ts';

/** Of these labels in front of `base`, those that are allowed. */
function members(text: string, labels: readonly string[], base: string): string[] {
  const snapshot = single([text]);
  return labels.filter((label) => verdict(snapshot, base === '' ? label : `${label}.${base}`) === 'allow');
}

const NUMBERS = [
  '0',
  '1',
  '5',
  '9',
  '10',
  '11',
  '19',
  '99',
  '100',
  '199',
  '200',
  '00',
  '01',
  '007',
  '010',
  '099',
  '0199',
  '',
];

t.test('the width is as written', async (t) => {
  const of = (braces: string): string[] =>
    members(
      `n${braces}.a.example`,
      NUMBERS.map((number) => `n${number}`),
      'a.example',
    ).map((label) => label.slice(1));
  t.same(of('{0..199}'), ['0', '1', '5', '9', '10', '11', '19', '99', '100', '199']);
  t.same(of('{5..10}'), ['5', '9', '10']);
  t.same(of('{00..19}'), ['10', '11', '19', '00', '01']);
  t.same(of('{000..199}'), ['100', '199', '007', '010', '099']);
  t.same(of('{00..199}'), ['10', '11', '19', '99', '100', '199', '00', '01']);
  t.same(of('{0..0}'), ['0']);
  t.same(of('{0000..0199}'), ['0199']);
});

t.test('every name of a family is allowed, and its neighbours are not', async (t) => {
  for (const text of [
    'n{0..120}.a.example',
    'n{000..120}x.a.example',
    '{95..105}-x.a.example',
    'k.n{8..12}m.a.example',
    'n1{0..30}1.a.example',
  ]) {
    const snapshot = single([text]);
    const family = pattern(text);
    if (family.kind !== 'family') throw new Error('a family');
    const names = [...familyNames(family)].map(nameToText);
    t.equal(names.length, family.high - family.low + 1);
    for (const name of names) if (verdict(snapshot, name) !== 'allow') t.fail(`${text}: ${name}`);
    const other = { ...family, low: Math.max(0, family.low - 20), high: family.high + 1000 };
    for (const name of [...familyNames(other)].map(nameToText)) {
      if ((verdict(snapshot, name) === 'allow') !== names.includes(name)) t.fail(`${text}: ${name}`);
    }
  }
});

t.test('prefixes and suffixes that are digits, or hold some', async (t) => {
  t.same(members('n1{0..9}.a.example', ['n1', 'n10', 'n19', 'n110', 'n20', '10'], 'a.example'), [
    'n10',
    'n19',
  ]);
  t.same(members('{0..9}5.a.example', ['5', '05', '55', '95', '105', '56'], 'a.example'), ['05', '55', '95']);
  t.same(members('1{2..3}4.a.example', ['124', '134', '1234', '14', '24'], 'a.example'), ['124', '134']);
  t.same(members('n0{0..9}.a.example', ['n00', 'n09', 'n9', 'n010'], 'a.example'), ['n00', 'n09']);
  t.same(members('{10..12}0x.a.example', ['100x', '110x', '1000x', '10x'], 'a.example'), ['100x', '110x']);
});

t.test('letters are matched in any case, as everywhere', async (t) => {
  const snapshot = single(['Node{0..9}-EU.A.example']);
  t.equal(verdict(snapshot, 'NODE3-eu.a.EXAMPLE'), 'allow');
});

t.test('a number of more digits than any family has', async (t) => {
  const snapshot = single(['n{0..9999}.a.example']);
  for (const digits of [
    '99999999999999999999',
    '0'.repeat(62),
    '9'.repeat(62),
    '10000',
    `${'0'.repeat(58)}9999`,
  ]) {
    t.equal(verdict(snapshot, `n${digits}.a.example`), 'deny', digits);
  }
});

t.test('families at the top, right under the root', async (t) => {
  const snapshot = single(['n{0..9}', 'x.m{0..9}']);
  t.equal(verdict(snapshot, 'n3'), 'allow');
  t.equal(verdict(snapshot, 'n10'), 'deny');
  t.equal(verdict(snapshot, 'x.m3'), 'allow');
  t.equal(verdict(snapshot, 'm3'), 'empty');
});

t.test('a family at the base of a wildcard, and wildcards beside one', async (t) => {
  const snapshot = single([
    'n{0..9}.a.example',
    rule('*.a.example', { types: types('TXT') }),
    '**.n1.a.example',
  ]);
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'n1.a.example').pattern, 'n{0..9}.a.example');
  t.equal(ask(snapshot, view, 'n1.a.example', 'TXT').pattern, '*.a.example');
  t.equal(ask(snapshot, view, 'x.n1.a.example').pattern, '**.n1.a.example');
  t.equal(verdict(snapshot, 'x.n2.a.example'), 'deny');
  t.equal(verdict(snapshot, 'a.example'), 'empty');
});

t.test('families in one another: the number of one is the base of the next', async (t) => {
  const snapshot = single(['n{0..9}.a.example', 'k{0..9}.n3.a.example', 'm.k{0..9}.n3.a.example']);
  t.equal(verdict(snapshot, 'n3.a.example'), 'allow');
  t.equal(verdict(snapshot, 'k5.n3.a.example'), 'allow');
  t.equal(verdict(snapshot, 'm.k5.n3.a.example'), 'allow');
  t.equal(verdict(snapshot, 'k5.n4.a.example'), 'deny');
  t.equal(verdict(snapshot, 'k10.n3.a.example'), 'deny');
});

t.test('many families with the same prefix, at one base', async (t) => {
  const rules = Array.from({ length: 300 }, (_, i) =>
    rule(`n{${10 * i}..${10 * i + 4}}.a.example`, { reason: `r${i}` }),
  );
  const suffixed = Array.from({ length: 300 }, (_, i) => rule(`n{0..9}s${i}.a.example`, { reason: `s${i}` }));
  const snapshot = single([...rules, ...suffixed]);
  const { view } = snapshot.identities[0]!;
  for (let number = 0; number < 3000; number++) {
    const { verdict, reason } = ask(snapshot, view, `n${number}.a.example`);
    const expected = number % 10 < 5 ? `r${Math.floor(number / 10)}` : null;
    if (reason !== expected || verdict !== (expected === null ? 'deny' : 'allow'))
      t.fail(`n${number}: ${reason}`);
  }
  t.equal(ask(snapshot, view, 'n7s299.a.example').reason, 's299');
  t.equal(ask(snapshot, view, 'n7s300.a.example').reason, null);
});

t.test('many prefixes at one base, each the beginning of the next', async (t) => {
  const rules = Array.from({ length: 60 }, (_, i) =>
    rule(`${'1'.repeat(i)}{5..6}.a.example`, { reason: `r${i}` }),
  );
  const snapshot = single(rules);
  const { view } = snapshot.identities[0]!;
  for (let i = 0; i < 60; i++) t.equal(ask(snapshot, view, `${'1'.repeat(i)}5.a.example`).reason, `r${i}`);
  t.equal(verdict(snapshot, `${'1'.repeat(60)}5.a.example`), 'deny');
});

t.test("a prefix is no label: the pseudo-nodes of families are nobody's children", async (t) => {
  const snapshot = single(['n{0..9}.a.example', '{0..9}.b.example']);
  for (const name of ['n.a.example', 'x.n.a.example', '1.n.a.example', 'b.example', '1.1.b.example']) {
    t.equal(verdict(snapshot, name), name === 'b.example' ? 'empty' : 'deny', name);
  }
  const exact = single(['n.a.example', 'n{0..9}.a.example']);
  t.equal(verdict(exact, 'n.a.example'), 'allow');
  t.equal(verdict(exact, '1.n.a.example'), 'deny');
});

t.test('a family of 10,000 names is one rule where its number is in the first label', async (t) => {
  const snapshot = single(['n{0..9999}.a.example']);
  t.equal(snapshot.rules.count, 1);
  t.ok(snapshot.tree.parents.length < 200, `${snapshot.tree.parents.length} nodes`);
  t.equal(verdict(snapshot, 'n9999.a.example'), 'allow');
});

t.test('names that are written out are bounded in all, and those that fit are in force', async (t) => {
  const family = (i: number): RuleInput => rule(`a${i}.n{0..9999}.x.example`, {}, i + 1);
  const whole = Array.from({ length: 10 }, (_, i) => family(i));
  const destinations = (rules: readonly RuleInput[]): DestinationInput[] => [destination('d', rules)];
  const fits = build({
    destinations: destinations(whole),
    identities: [identity('i', { allow: entries('=d') })],
  });
  t.same(fits.problems.filter(isError), []);
  t.equal(fits.snapshot.rules.count, MAX_WRITTEN_OUT);
  t.equal(verdict(fits.snapshot, 'a9.n9999.x.example'), 'allow');

  const more = [...whole, rule('b.n{0..1}.x.example', {}, 99), rule('n{0..9999}.y.example', {}, 100)];
  const over = build({
    destinations: destinations(more),
    identities: [identity('i', { allow: entries('=d') })],
  });
  t.same(
    over.problems.filter(isError).map(({ code, at }) => [code, at.line]),
    [['pattern-family-size', 99]],
    'a range costs nothing, and is no part of it',
  );
});

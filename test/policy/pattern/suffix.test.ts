import t from 'tap';
import { registeredDomain, SUFFIX, type SuffixTable, zoneKind } from '../../../src/policy/pattern/suffix.ts';
import { wire } from '../build.ts';

/**
 * A public suffix list by hand, as `config/` would flatten it:
 *   com, uk, co.uk, *.ck, !www.ck, jp, *.kobe.jp, !city.kobe.jp, net     (ICANN)
 *   github.io, s3.store.example, *.apps.example, !own.apps.example, cdn.com   (private)
 */
const TABLE: SuffixTable = new Map([
  ['com', SUFFIX.ICANN | SUFFIX.ABOVE_PRIVATE],
  ['net', SUFFIX.ICANN],
  ['io', SUFFIX.ICANN | SUFFIX.ABOVE_PRIVATE],
  ['uk', SUFFIX.ICANN],
  ['co.uk', SUFFIX.ICANN],
  ['ck', SUFFIX.ICANN_BELOW],
  ['www.ck', SUFFIX.EXCEPTION],
  ['jp', SUFFIX.ICANN],
  ['kobe.jp', SUFFIX.ICANN_BELOW],
  ['city.kobe.jp', SUFFIX.EXCEPTION],
  ['cdn.com', SUFFIX.PRIVATE],
  ['github.io', SUFFIX.PRIVATE],
  ['example', SUFFIX.ABOVE_PRIVATE],
  ['store.example', SUFFIX.ABOVE_PRIVATE],
  ['s3.store.example', SUFFIX.PRIVATE],
  ['apps.example', SUFFIX.PRIVATE_BELOW],
  ['own.apps.example', SUFFIX.EXCEPTION],
]);

t.test('what a wildcard on this base would reach', async (t) => {
  const cases: [string, 'public' | 'shared' | 'own', string][] = [
    ['com', 'public', 'a rule of the ICANN section'],
    ['co.uk', 'public', 'of two labels'],
    ['uk', 'public', 'a suffix with suffixes below it'],
    ['example.com', 'own', 'a registered name'],
    ['a.b.example.com', 'own', 'below a registered name'],
    ['example.co.uk', 'own', 'below a suffix of two labels'],
    ['notco.uk', 'own', 'no suffix: labels, not strings'],
    ['ck', 'public', '`*.ck` makes all below it suffixes'],
    ['x.ck', 'public', 'a suffix by the rule `*.ck`'],
    ['y.x.ck', 'own', 'a name below such a suffix'],
    ['www.ck', 'own', 'the exception `!www.ck`'],
    ['a.www.ck', 'own', 'below the exception'],
    ['kobe.jp', 'public', 'the base of `*.kobe.jp`'],
    ['x.kobe.jp', 'public', 'a suffix by `*.kobe.jp`'],
    ['y.x.kobe.jp', 'own', 'below it'],
    ['city.kobe.jp', 'own', '`!city.kobe.jp`'],
    ['other.jp', 'own', 'a registered name under jp'],
    ['github.io', 'shared', 'a private suffix'],
    ['someone.github.io', 'shared', 'a name under one'],
    ['a.someone.github.io', 'shared', 'far under one'],
    ['notgithub.io', 'own', 'labels, not strings'],
    ['cdn.com', 'shared', 'a private suffix right under an ICANN one'],
    ['x.cdn.com', 'shared', 'a name under it'],
    ['store.example', 'shared', 'a name above a private suffix'],
    ['s3.store.example', 'shared', 'the private suffix'],
    ['bucket.s3.store.example', 'shared', 'under it'],
    ['eu.store.example', 'own', 'beside it'],
    ['apps.example', 'shared', 'the base of `*.apps.example`'],
    ['x.apps.example', 'shared', 'a private suffix by that rule'],
    ['y.x.apps.example', 'shared', 'under it'],
    ['own.apps.example', 'own', 'the exception `!own.apps.example`'],
    ['a.own.apps.example', 'own', 'below that exception'],
    ['example', 'public', 'one label is a suffix by the default rule'],
    ['internal', 'public', 'one label that the list does not know'],
    ['corp.internal', 'own', 'two labels that it does not know'],
    ['a.b.c.unknown', 'own', 'far below the default rule'],
  ];
  for (const [base, expected, why] of cases)
    t.equal(zoneKind(wire(base), TABLE), expected, `${base}: ${why}`);
});

t.test('the base is compared label by label, in lower case', async (t) => {
  t.equal(zoneKind(wire('GitHub.IO'), TABLE), 'shared');
  t.equal(zoneKind(wire('git\\hub.io'), TABLE), 'shared', 'a needless escape is none on the wire');
  t.equal(zoneKind(wire('github\\.io.net'), TABLE), 'own', 'a dot in a label joins nothing');
  t.equal(zoneKind(wire('x.github\\.io.net'), TABLE), 'own');
  t.equal(zoneKind(wire('co\\.uk'), TABLE), 'public', 'one label, unknown');
  t.equal(zoneKind(wire('x\\.github.io'), TABLE), 'own', 'a name beside github.io');
});

t.test("without a list, one label is public and the rest is one's own", async (t) => {
  t.equal(zoneKind(wire('com'), new Map()), 'public');
  t.equal(zoneKind(wire('a.com'), new Map()), 'own');
});

t.test('the registered domain of a name', async (t) => {
  const cases: [name: string, domain: string][] = [
    ['example.com', 'example.com'],
    ['a.b.example.com', 'example.com'],
    ['com', 'com'],
    ['a.example.co.uk', 'example.co.uk'],
    ['co.uk', 'co.uk'],
    ['a.notco.uk', 'notco.uk'],
    ['a.b.c.ck', 'b.c.ck'],
    ['a.www.ck', 'www.ck'],
    ['a.city.kobe.jp', 'city.kobe.jp'],
    ['a.b.other.kobe.jp', 'b.other.kobe.jp'],
    ['x.user.github.io', 'user.github.io'],
    ['bucket.s3.store.example', 'bucket.s3.store.example'],
    ['a.unlisted.tld', 'unlisted.tld'],
    ['tld', 'tld'],
    [`${'a.'.repeat(120)}example.co.uk`, 'example.co.uk'],
  ];
  for (const [name, domain] of cases) {
    const octets = wire(name);
    t.strictSame(octets.subarray(registeredDomain(octets, TABLE)), wire(domain), name);
  }
  t.equal(registeredDomain(new Uint8Array(1), TABLE), 0, 'the root');
  const dotted = Uint8Array.from([7, ...Buffer.from('x.co.uk'), 3, ...Buffer.from('com'), 0]);
  t.equal(registeredDomain(dotted, TABLE), 0, 'labels, not strings');
});

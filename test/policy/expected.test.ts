import t from 'tap';
import { explain, explanationLine } from '../../src/policy/explain/explain.ts';
import { SUFFIX, type SuffixTable } from '../../src/policy/pattern/suffix.ts';
import { at, build, compiled, entries, identity, NOW, rule, stage, wire } from './build.ts';

/** `expected:` names denials that are no news. It approves nothing, and what it says too widely is refused. */

const LATER = { until: NOW + 3600, reason: 'the vendor tool phones home', owner: 'team-a' };
const SUFFIXES: SuffixTable = new Map([
  ['com', SUFFIX.ICANN | SUFFIX.ABOVE_PRIVATE],
  ['github.io', SUFFIX.PRIVATE],
]);

/** Pattern, what else the identity has, and the problems. */
const PROBLEMS: readonly (readonly [string, Parameters<typeof identity>[1], number, readonly string[]])[] = [
  ['telemetry.vendor.example', {}, NOW + 1, []],
  ['t{0..9}.vendor.example', {}, NOW + 1, []],
  ['**.vendor.example', {}, NOW + 1, []],
  ['telemetry.vendor.example', {}, NOW, ['expected-ended warning 7']],
  ['**.com', {}, NOW + 1, ['expected-wide error 7']],
  ['*.github.io', {}, NOW + 1, ['expected-wide error 7']],
  ['*.x.github.io', {}, NOW + 1, ['expected-wide error 7']],
  ['localhost', {}, NOW + 1, ['special-name warning 7']],
  ['a.namegate.internal', {}, NOW + 1, ['special-name warning 7']],
  ['a.example', { allow: entries('a.example') }, NOW + 1, ['expected-approved warning 7']],
  ['x.b.example', { allow: entries('*.b.example') }, NOW + 1, ['expected-approved warning 7']],
  ['a{1..3}.example', { allow: entries('a{1..2}.example') }, NOW + 1, []],
  ['a{1..3}.example', { allow: entries('a{0..9}.example') }, NOW + 1, ['expected-approved warning 7']],
  ['**.a.example', { allow: entries('*.a.example') }, NOW + 1, []],
  ['**.a.example', { allow: entries('**.a.example') }, NOW + 1, ['expected-approved warning 7']],
  ['*.a.example', { allow: entries('**.a.example') }, NOW + 1, ['expected-approved warning 7']],
  // One stage denies it: there it may be expected.
  ['a.example', { allow: entries('a.example'), stages: [stage('build', 'only')] }, NOW + 1, []],
  ['a.example', { stages: [stage('build', 'only', 'a.example')] }, NOW + 1, []],
  ['a.example', { allow: [rule('a.example', { until: NOW })] }, NOW + 1, ['rule-ended warning 1']],
];

t.test('problems of what is expected', async (t) => {
  for (const [pattern, some, until, told] of PROBLEMS) {
    const expected = [rule(pattern, { ...LATER, until }, 7)];
    const { problems } = build({ identities: [identity('one', { ...some, expected })] }, SUFFIXES);
    t.same(
      problems.map(({ code, severity, at }) => `${code} ${severity} ${at.line}`),
      told,
      `${pattern} ${JSON.stringify(some)}`,
    );
    for (const { message, fix } of problems) t.ok(message.length > 10 && fix.length > 5);
  }
});

const snapshot = compiled({
  identities: [
    identity('one', {
      owner: 'team-one',
      allow: entries('github.example', 'x.above.example'),
      expected: [
        rule('telemetry.vendor.example', LATER, 11),
        rule('*.beacon.example', LATER, 12),
        rule('past.example', { ...LATER, until: NOW }, 13),
        rule('above.example', LATER, 14),
        rule('use-application-dns.net', LATER, 15),
      ],
      at: at(1),
    }),
    identity('two', { expected: [rule('other.example', LATER, 21)] }),
  ],
});

/** Name, type, verdict, the line of the entry. */
const ASKED: readonly (readonly [string, number, string, number | null])[] = [
  ['telemetry.vendor.example', 1, 'deny', 11],
  ['telemetry.vendor.example', 16, 'deny', 11],
  ['a.telemetry.vendor.example', 1, 'deny', null],
  ['a.beacon.example', 28, 'deny', 12],
  ['b.a.beacon.example', 28, 'deny', null],
  ['past.example', 1, 'deny', null],
  ['above.example', 1, 'empty', 14],
  ['github.example', 1, 'allow', null],
  ['github.example', 16, 'empty', null],
  ['use-application-dns.net', 1, 'deny', null],
  ['other.example', 1, 'deny', null],
];

t.test('it is denied as ever, and explain says that it is expected', async (t) => {
  const [one] = snapshot.identities;
  for (const [name, type, verdict, line] of ASKED) {
    const told = explain(snapshot, one!, null, wire(name), type, NOW);
    t.equal(told.verdict, verdict, name);
    t.equal(told.expected?.line ?? null, line, name);
    t.equal(/; expected as /.test(explanationLine(told)), line !== null, name);
  }
  t.equal(
    explanationLine(explain(snapshot, one!, null, wire('telemetry.vendor.example'), 1, NOW)),
    `telemetry.vendor.example A: deny for one; name not approved; expected as telemetry.vendor.example (policy.yaml:11) until ${new Date(
      LATER.until * 1000,
    )
      .toISOString()
      .replace('.000Z', 'Z')}: the vendor tool phones home; owner team-a; ask team-one`,
  );
});

t.test('what is expected is no rule', async (t) => {
  t.equal(snapshot.rules.count, 2);
  t.equal(compiled({ identities: [identity('one')] }).expected, null);
  const [, two] = snapshot.identities;
  t.equal(explain(snapshot, two!, null, wire('telemetry.vendor.example'), 1, NOW).expected, null);
});

/** The compiled policy against `reference.ts`: random policies over few labels, so that rules collide, and random questions. */
import fc from 'fast-check';
import t from 'tap';
import { compile } from '../../src/policy/compile.ts';
import type { EntryInput, PolicyInput, RuleInput, StageInput } from '../../src/policy/input.ts';
import type { View } from '../../src/policy/snapshot.ts';
import { ask, at, destination, identity, NO_SUFFIXES, pattern, policy, terms, types, wire } from './build.ts';
import { decideSlowly, NEVER_ENDS, type ReferenceRule, type ReferenceView } from './reference.ts';

const LABELS = ['a', 'b', 'n1', 'n2', 'n10', 'n01', '12', 'n1x', 'n1x2'];
/** Few, so that rules meet. */
const ZONES = ['a', 'b.a', 'n1.a', 'n1.b.a', 'a.b'];
const ODD_ZONES = [
  'net',
  'internal',
  'namegate.internal',
  'localhost',
  'use-application-dns.net',
  'resolver.arpa',
];
const FAMILIES = [
  'n{0..12}',
  'n{1..2}',
  'n1{0..9}',
  'n{00..12}',
  'n{000..20}',
  'n{0..3}x',
  'n{1..1}x2',
  'n1x{0..5}',
  '{0..20}',
  '{1..1}2',
  'a{1..1}',
];
const TYPES = ['A', 'AAAA', 'CNAME', 'HTTPS', 'TXT', 'DS', 'DNSKEY', 'MX', 'URI', 'CAA', 'ANY'];
const TIMES = [100, 200, 300];

const label = fc.constantFrom(...LABELS);
const tail = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...ZONES) },
  { weight: 1, arbitrary: fc.constantFrom(...ODD_ZONES) },
);

const patternText = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.array(label, { maxLength: 2 }), tail)
      .map(([front, back]) => [...front, back].join('.')),
  },
  { weight: 2, arbitrary: tail.map((base) => `*.${base}`) },
  { weight: 2, arbitrary: tail.map((base) => `**.${base}`) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...FAMILIES), tail).map((parts) => parts.join('.')) },
  {
    weight: 1,
    arbitrary: fc.tuple(label, fc.constantFrom(...FAMILIES), tail).map((parts) => parts.join('.')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...FAMILIES) },
);

interface Written {
  readonly pattern: string;
  readonly types: string[] | null;
  readonly until: number;
  readonly maxLabels: number;
  readonly maxLabelLength: number;
}

const written: fc.Arbitrary<Written> = fc.record({
  pattern: patternText,
  types: fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.subarray(TYPES.slice(0, -1), { minLength: 1, maxLength: 4 }) },
  ),
  until: fc.oneof(fc.constant(NEVER_ENDS), fc.constantFrom(...TIMES)),
  maxLabels: fc.constantFrom(127, 127, 1, 2),
  maxLabelLength: fc.constantFrom(63, 63, 2),
});

/** Destinations by number, and rules on the spot. */
interface Entries {
  readonly destinations: number[];
  readonly spot: Written[];
}

const entriesOf = (most: number): fc.Arbitrary<Entries> =>
  fc.record({
    destinations: fc.subarray([0, 1, 2]),
    spot: fc.array(written, { maxLength: most }),
  });

interface Case {
  readonly destinations: Written[][];
  readonly own: Entries;
  readonly stages: { readonly kind: 'allow' | 'only'; readonly entries: Entries }[];
  readonly exceptions: Written[];
  readonly other: Entries;
  readonly records: string[];
  readonly redirects: string[];
}

const policies: fc.Arbitrary<Case> = fc.record({
  destinations: fc.tuple(
    fc.array(written, { minLength: 4, maxLength: 12 }),
    fc.array(written, { minLength: 2, maxLength: 6 }),
    fc.array(written, { maxLength: 3 }),
  ),
  own: entriesOf(4),
  stages: fc.array(fc.record({ kind: fc.constantFrom('allow', 'only'), entries: entriesOf(2) }), {
    maxLength: 2,
  }),
  exceptions: fc.array(written, { maxLength: 2 }),
  other: entriesOf(2),
  records: fc.array(
    fc.tuple(label, tail).map((parts) => parts.join('.')),
    { maxLength: 3 },
  ),
  redirects: fc.array(
    fc.tuple(label, label, tail).map((parts) => parts.join('.')),
    { maxLength: 1 },
  ),
});

/** One policy in both forms: for `compile`, and as what each view holds. */
function bothForms(each: Case): { input: PolicyInput; views: ReferenceView[] } {
  const known = new Map<Written, ReferenceRule>();
  const ruleInput = (rule: Written, id: string): RuleInput => {
    known.set(rule, { ...rule, dynamic: false, id });
    const ruleTypes = rule.types === null ? null : types(...rule.types);
    return {
      pattern: pattern(rule.pattern),
      terms: terms({ ...rule, types: ruleTypes, reason: id }),
      at: at(1),
    };
  };
  const entryInputs = ({ destinations, spot }: Entries, id: string): EntryInput[] => [
    ...destinations.map((index) => ({ destination: `d${index}`, at: at(1) })),
    ...spot.map((rule, i) => ruleInput(rule, `${id}.${i}`)),
  ];
  const input = policy({
    destinations: each.destinations.map((rules, d) =>
      destination(
        `d${d}`,
        rules.map((rule, i) => ruleInput(rule, `d${d}.${i}`)),
      ),
    ),
    identities: [
      identity('other', { allow: entryInputs(each.other, 'other') }),
      identity('one', {
        allow: entryInputs(each.own, 'own'),
        stages: each.stages.map(
          ({ kind, entries }, s): StageInput => ({
            name: `s${s}`,
            kind,
            entries: entryInputs(entries, `s${s}`),
            at: at(1),
          }),
        ),
        exceptions: each.exceptions.map((rule, i) => ruleInput(rule, `x.${i}`)),
      }),
    ],
    records: each.records.map((name) => ({
      name: wire(name),
      type: 16,
      ttl: 1,
      rdata: Uint8Array.of(0),
      at: at(1),
    })),
    redirects: each.redirects.map((name) => ({
      name: wire(name),
      to: wire('elsewhere.test'),
      private: false,
      at: at(1),
    })),
  });
  const locals = [...each.records, ...each.redirects].filter(
    (name) => !/(^|\.)(localhost|namegate\.internal|use-application-dns\.net)$/.test(name),
  );
  const rulesOf = ({ destinations, spot }: Entries): Written[] => [
    ...destinations.flatMap((index) => each.destinations[index]!),
    ...spot,
  ];
  const view = (fixed: Written[], dynamic: Written[]): ReferenceView => ({
    locals,
    rules: [
      ...fixed.map((rule) => known.get(rule)!),
      ...dynamic
        .filter((rule) => !fixed.includes(rule))
        .map((rule) => ({ ...known.get(rule)!, dynamic: true })),
    ],
  });
  const own = rulesOf(each.own);
  return {
    input,
    views: [
      view(rulesOf(each.other), []),
      view(own, each.exceptions),
      ...each.stages.map(({ kind, entries }) =>
        view(kind === 'only' ? [] : own, [...rulesOf(entries), ...each.exceptions]),
      ),
      view([], []),
    ],
  };
}

/** A question's name: near one of the policy's own, or any. */
interface Wanted {
  readonly near: number | null;
  readonly number: number;
  readonly front: string[];
  readonly strip: number;
  readonly any: string;
}

const question = fc.record({
  name: fc.record({
    near: fc.option(fc.nat(1000), { freq: 8 }),
    number: fc.constantFrom(0, 0, 1, 2, 5, 10, 12, 13),
    front: fc.oneof(fc.constant<string[]>([]), fc.array(label, { minLength: 1, maxLength: 3 })),
    strip: fc.constantFrom(0, 0, 0, 1, 2),
    any: fc.oneof(
      fc.tuple(fc.array(label, { maxLength: 3 }), tail).map(([front, back]) => [...front, back].join('.')),
      fc.constantFrom('', 'arpa', 'resolver.arpa', 'x.resolver.arpa', '_why.namegate.internal', 'net', 'com'),
    ),
  }),
  type: fc.oneof(fc.constant('A'), fc.constantFrom(...TYPES)),
  dnssec: fc.boolean(),
  now: fc.constantFrom(50, 60, 70, 99, 99.5, 100, 150, 199, 200, 250, 300, 400),
  view: fc.nat(20),
});

function nameOf({ near, number, front, strip, any }: Wanted, { rules, locals }: ReferenceView): string {
  const written = [...rules.map((rule) => rule.pattern), ...locals];
  if (near === null || written.length === 0) return any;
  const name = written[near % written.length]!.replace(/^\*+\.(.*)$/, (_, base: string) =>
    front.length === 0 ? `a.${base}` : base,
  ).replace(/\{(\d+)\.\.\d+\}/, (_, low: string) =>
    String(Number(low) + number).padStart(number % 2 ? low.length : 1, '0'),
  );
  return [...front, ...name.split('.')].slice(strip).join('.');
}

t.test('property: compiled and slow policy say the same of ≥ 20,000 questions', async (t) => {
  const seen = { deny: 0, empty: 0, allow: 0, local: 0 };
  let decisions = 0;
  let several = 0;
  let dynamic = 0;
  fc.assert(
    fc.property(
      policies,
      fc.array(question, { minLength: 1, maxLength: 60, size: 'max' }),
      fc.integer(),
      (each, questions, salt) => {
        const { input, views } = bothForms(each);
        const { snapshot } = compile(input, NO_SUFFIXES, { now: 0, salt });
        const [other, one] = snapshot.identities;
        const compiledViews: View[] = [
          other!.view,
          one!.view,
          ...one!.stages.map(({ view }) => view),
          snapshot.views[0]!,
        ];
        for (const { name: wanted, type, dnssec, now, view } of questions) {
          const index = (view + 1) % views.length;
          const name = nameOf(wanted, views[index]!);
          const expected = decideSlowly(views[index]!, name, type, dnssec, now);
          const got = ask(snapshot, compiledViews[index]!, name === '' ? '.' : name, type, { now, dnssec });
          const count = (text: string): number => (text === '' ? 0 : text.split('.').length);
          const decider =
            got.reason === null ? expected.deciders.length === 0 : expected.deciders.includes(got.reason);
          const same =
            got.verdict === expected.verdict &&
            decider &&
            got.dynamic === expected.dynamic &&
            got.until === expected.until &&
            got.above === count(expected.above) &&
            got.atOrAbove === count(expected.atOrAbove);
          if (!same) {
            const what = `${name || '.'} ${type}${dnssec ? ' with DO' : ''} at ${now} in view ${index}`;
            throw new Error(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
          }
          decisions++;
          seen[got.verdict]++;
          if (expected.deciders.length > 1) several++;
          if (got.dynamic) dynamic++;
        }
      },
    ),
    { seed: 30, numRuns: 2500 },
  );
  t.comment(
    `${decisions} decisions: ${JSON.stringify(seen)}; ${several} with several deciders, ${dynamic} dynamic`,
  );
  t.ok(decisions >= 20_000, `${decisions} decisions`);
  for (const [verdict, count] of Object.entries(seen)) t.ok(count > 1000, `${count} × ${verdict}`);
  t.ok(several > 100 && dynamic > 1000);
});

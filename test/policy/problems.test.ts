import t from 'tap';
import type { PolicyInput, RecordInput } from '../../src/policy/input.ts';
import { SUFFIX, type SuffixTable } from '../../src/policy/pattern/suffix.ts';
import { isError, type Problem } from '../../src/policy/problem.ts';
import {
  aRecord,
  ask,
  at,
  build,
  destination,
  entries,
  identity,
  list,
  NOW,
  pattern,
  prefix,
  redirect,
  rule,
  stage,
  terms,
  wire,
} from './build.ts';

const SUFFIXES: SuffixTable = new Map([
  ['com', SUFFIX.ICANN | SUFFIX.ABOVE_PRIVATE],
  ['uk', SUFFIX.ICANN],
  ['co.uk', SUFFIX.ICANN],
  ['github.io', SUFFIX.PRIVATE],
  ['example.com', SUFFIX.ABOVE_PRIVATE],
  ['s3.example.com', SUFFIX.PRIVATE],
]);

function problemsOf(input: Partial<PolicyInput>): Problem[] {
  return build(input, SUFFIXES).problems;
}

/** Code, severity, line and column, one a line. */
function told(input: Partial<PolicyInput>): string[] {
  return problemsOf(input).map(
    ({ code, severity, at }) => `${code} ${severity} ${at.file}:${at.line}:${at.column}`,
  );
}

/** Rules on the spot of one identity, a line each from 1 on. */
function spot(...texts: string[]): Partial<PolicyInput> {
  return { identities: [identity('one', { allow: texts.map((text, i) => rule(text, {}, i + 1)) })] };
}

t.test('a good policy has no problem', async (t) => {
  t.same(
    told({
      destinations: [destination('d', ['a.example', '**.b.example'], [list('c.example\n')])],
      identities: [identity('one', { allow: entries('=d') })],
      records: [aRecord('a.example')],
      redirects: [redirect('x.b.example', 'mirror.test')],
    }),
    [],
  );
});

t.test('every problem says what is wrong and what to write instead', async (t) => {
  const all = [
    ...problemsOf(spot('**.com', '**.github.io', 'localhost', 'x.namegate.internal')),
    ...problemsOf({
      destinations: [destination('d', []), destination('d', [])],
      identities: [identity('one', { allow: entries('=e') }), identity('one')],
    }),
    ...problemsOf({
      records: [aRecord('a.example'), aRecord('a.example')],
      redirects: [redirect('a.example', 'b.example'), redirect('c.example', 'c.example')],
    }),
  ];
  t.ok(all.length > 10, `${all.length} problems`);
  for (const { code, message, fix } of all) {
    t.match(code, /^[a-z-]+$/);
    t.ok(message.length > 10, message);
    t.ok(fix.length > 5, fix);
    t.equal(message.includes('undefined') || fix.includes('undefined'), false);
  }
});

t.test('destinations: defined twice, not there, not used', async (t) => {
  t.same(
    told({
      destinations: [destination('d', ['a.example'], [], 3), destination('d', ['b.example'], [], 7)],
      identities: [identity('one', { allow: entries('=d') })],
    }),
    ['destination-duplicate error policy.yaml:7:1'],
  );
  const unknown = problemsOf({
    destinations: [destination('known', [])],
    identities: [identity('one', { allow: [{ destination: 'know', at: at(9, 5) }, ...entries('=known')] })],
  });
  t.match(unknown, [{ code: 'destination-unknown', at: { line: 9, column: 5 }, fix: /known/ }]);
  t.match(problemsOf({ identities: [identity('one', { allow: entries('=d') })] }), [
    { code: 'destination-unknown', fix: 'define it under destinations' },
  ]);
  t.same(told({ destinations: [destination('d', ['a.example'], [], 3)] }), [
    'destination-unused warning policy.yaml:3:1',
  ]);
  t.same(
    told({
      destinations: [destination('d', ['a.example'])],
      identities: [identity('one', { stages: [stage('s', 'only', '=d')] })],
    }),
    [],
    'a stage uses it',
  );
});

t.test('a destination that is not there is told at every place that names it', async (t) => {
  const input = {
    identities: [
      identity('one', {
        allow: [
          { destination: 'x', at: at(2) },
          { destination: 'y', at: at(3) },
        ],
        stages: [{ ...stage('s', 'only'), entries: [{ destination: 'x', at: at(5) }] }],
      }),
    ],
  };
  t.same(
    told(input).filter((line) => line.startsWith('destination-unknown')),
    [2, 3, 5].map((line) => `destination-unknown error policy.yaml:${line}:1`),
  );
});

t.test('identities: defined twice, unreachable, review, audit', async (t) => {
  const one = (some: Parameters<typeof identity>[1]): string[] =>
    told({ identities: [identity('one', { at: at(4), ...some })] });
  t.same(told({ identities: [identity('one', { at: at(4) }), identity('one', { at: at(8) })] }), [
    'identity-duplicate error policy.yaml:8:1',
  ]);
  t.same(one({ addresses: [] }), ['identity-unreachable warning policy.yaml:4:1']);
  t.same(one({ reviewBy: null }), ['review-missing warning policy.yaml:4:1']);
  t.same(one({ reviewBy: NOW }), ['review-passed warning policy.yaml:4:1']);
  t.same(one({ reviewBy: NOW + 1 }), []);
  t.same(one({ mode: 'audit', auditUntil: NOW + 1 }), ['audit warning policy.yaml:4:1']);
  t.same(one({ mode: 'audit', auditUntil: NOW }), ['audit-ended warning policy.yaml:4:1']);
  t.equal(
    build({ identities: [identity('one', { mode: 'audit', auditUntil: NOW + 1 })] }).snapshot.identities[0]!
      .auditUntil,
    NOW + 1,
  );
  t.equal(
    build({ identities: [identity('one', { mode: 'enforce', auditUntil: NOW + 1 })] }).snapshot.identities[0]!
      .auditUntil,
    0,
  );
});

t.test('a stage that is defined twice', async (t) => {
  t.same(
    told({
      identities: [identity('one', { stages: [stage('a', 'only'), { ...stage('a', 'allow'), at: at(9) }] })],
    }),
    ['stage-duplicate error policy.yaml:9:1'],
  );
});

t.test('claims: one address or certificate for two identities', async (t) => {
  const claim = (text: string, line: number) => ({ prefix: prefix(text), text, at: at(line) });
  const two = (first: string, second: string): Problem[] =>
    problemsOf({
      identities: [
        identity('one', { addresses: [claim(first, 2)] }),
        identity('two', { addresses: [claim(second, 5)] }),
      ],
    });
  t.match(two('10.0.0.0/8', '10.0.0.0/8'), [
    { code: 'address-claimed', severity: 'error', at: { line: 5 }, message: /one.*policy\.yaml:2/ },
  ]);
  t.match(two('2001:db8:0:0:0:0:0:0/32', '2001:db8:0:0:0:0:0:0/32'), [
    { code: 'address-claimed', at: { line: 5 } },
  ]);
  t.same(
    two('10.0.0.0/8', '10.0.0.0/9').map(({ code }) => code),
    ['address-inside'],
    'a longer prefix is another, and told',
  );
  t.same(
    two('0.0.0.0/0', '0:0:0:0:0:0:0:0/0').map(({ code }) => code),
    ['address-any', 'address-any'],
    'another family is another',
  );
  t.match(
    problemsOf({
      identities: [identity('one', { addresses: [claim('10.0.0.0/8', 2), claim('10.0.0.0/8', 3)] })],
    }),
    [{ code: 'address-claimed', at: { line: 3 }, message: /twice/ }],
  );
  const certificate = (line: number) => [{ text: 'spiffe://ci.example/x', at: at(line) }];
  t.same(
    told({
      identities: [
        identity('one', { certificates: certificate(2) }),
        identity('two', { certificates: certificate(5) }),
      ],
    }).filter((line) => line.includes('claimed')),
    ['certificate-claimed error policy.yaml:5:1'],
  );
});

t.test('wildcards on public suffixes and shared zones', async (t) => {
  t.same(
    told(spot('**.com', '*.co.uk', '*.unknown')),
    [1, 2, 3].map((line) => `public-suffix error policy.yaml:${line}:1`),
  );
  t.same(
    told(spot('**.github.io', '*.someone.github.io', '**.example.com', '**.s3.example.com')),
    [1, 2, 3, 4].map((line) => `shared-zone error policy.yaml:${line}:1`),
  );
  t.same(
    told(
      spot(
        '*.own.example',
        '**.b.co.uk',
        'a.com',
        'com',
        'github.io',
        'x.github.io',
        'n{0..9}.com',
        'n{0..9}.github.io',
      ),
    ),
    [],
    'names that are written out reach nobody else',
  );
  const accepted = {
    identities: [identity('one', { allow: [rule('**.github.io', { sharedZone: true }, 4)] })],
  };
  t.same(told(accepted), [
    'shared-zone warning policy.yaml:4:1',
    'shared-zone-budget warning policy.yaml:4:1',
  ]);
  t.same(
    told({
      identities: [
        identity('one', {
          allow: [rule('**.github.io', { sharedZone: true, budget: { alert: 1, contain: 0 } }, 4)],
        }),
      ],
    }),
    ['shared-zone warning policy.yaml:4:1'],
  );
  t.match(problemsOf(spot('**.github.io')), [{ fix: /shared_zone: accept/ }]);
  t.same(
    told({ identities: [identity('one', { allow: [rule('**.com', { sharedZone: true }, 4)] })] }),
    ['public-suffix error policy.yaml:4:1'],
    'a public suffix cannot be accepted',
  );
});

t.test('special names: what cannot be approved, and what is not worth it', async (t) => {
  for (const [text, expected] of [
    ['resolver.arpa', 'error'],
    ['_dns.resolver.arpa', 'error'],
    ['**.resolver.arpa', 'error'],
    ['namegate.internal', 'error'],
    ['_why.namegate.internal', 'error'],
    ['x.namegate.internal', 'error'],
    ['*.namegate.internal', 'error'],
    ['n{0..9}.namegate.internal', 'error'],
    ['localhost', 'warning'],
    ['a.localhost', 'warning'],
    ['**.localhost', 'warning'],
    ['use-application-dns.net', 'warning'],
    ['x.use-application-dns.net', 'warning'],
  ] as const) {
    t.same(told(spot(text)), [`special-name ${expected} policy.yaml:1:1`], text);
  }
  t.same(told(spot('xresolver.arpa', 'localhost.example', 'application-dns.net')), []);
});

t.test('special names have no records, and no redirect leads from or to one', async (t) => {
  for (const name of [
    'localhost',
    'a.localhost',
    'resolver.arpa',
    'x.namegate.internal',
    'use-application-dns.net',
  ]) {
    t.same(told({ records: [aRecord(name, { at: at(3) })] }), ['special-name error policy.yaml:3:1'], name);
    t.same(
      told({ redirects: [redirect(name, 'a.example', 3)] }),
      ['special-name error policy.yaml:3:1'],
      name,
    );
    t.same(
      told({ ...spot('a.example'), redirects: [redirect('a.example', name, 3)] }),
      ['special-name error policy.yaml:3:1'],
      `to ${name}`,
    );
  }
});

t.test('data at a special name is left out, and what comes after it is not', async (t) => {
  const { snapshot } = build({
    ...spot('a.example', 'b.example'),
    records: [aRecord('localhost'), aRecord('a.example')],
    redirects: [
      redirect('c.localhost', 'x.test'),
      redirect('d.example', 'localhost'),
      redirect('b.example', 'x.test'),
    ],
  });
  t.same(
    [...snapshot.locals.values()].map(({ name }) => Buffer.from(name)),
    [wire('a.example'), wire('b.example')].map((name) => Buffer.from(name)),
  );
});

t.test('a rule that has ended', async (t) => {
  const ended = (until: number): string[] =>
    told({ identities: [identity('one', { allow: [rule('a.example', { until }, 6)] })] });
  t.same(ended(NOW - 1), ['rule-ended warning policy.yaml:6:1']);
  t.same(ended(NOW), ['rule-ended warning policy.yaml:6:1']);
  t.same(ended(NOW + 1), []);
  t.match(problemsOf({ identities: [identity('one', { exceptions: [rule('a.example', { until: 0 })] })] }), [
    { code: 'rule-ended', message: /1970-01-01T00:00:00/ },
  ]);
});

t.test('records: written twice, a CNAME beside others, one TTL for an RRset', async (t) => {
  const other = (octet: number, some: Partial<RecordInput> = {}): RecordInput =>
    aRecord('a.example', { rdata: Uint8Array.of(192, 0, 2, octet), ...some });
  const approved = spot('a.example');
  t.same(told({ ...approved, records: [other(1), other(2), other(1, { at: at(7) })] }), [
    'record-duplicate error policy.yaml:7:1',
  ]);
  t.same(told({ ...approved, records: [other(1), other(1, { type: 16 })] }), [], 'another type');
  const cname = other(0, { type: 5, rdata: wire('b.example'), at: at(8) });
  t.same(told({ ...approved, records: [other(1), cname] }), ['record-cname error policy.yaml:8:1']);
  t.same(told({ ...approved, records: [cname] }), [], 'a CNAME alone');
  const { snapshot } = build({
    ...approved,
    records: [
      other(1, { ttl: 300 }),
      other(2, { ttl: 60 }),
      other(3, { ttl: 100 }),
      other(4, { type: 16, ttl: 5 }),
    ],
  });
  t.match(
    [...snapshot.locals.values()],
    [
      {
        rrsets: [
          { type: 1, ttl: 60, rdata: { length: 3 } },
          { type: 16, ttl: 5 },
        ],
        redirect: null,
      },
    ],
    'RFC 2181 §5.2: the least TTL',
  );
});

t.test('redirects: twice, beside a record', async (t) => {
  const approved = spot('a.example');
  t.same(
    told({
      ...approved,
      redirects: [redirect('a.example', 'b.test', 2), redirect('a.example', 'c.test', 5)],
    }),
    ['redirect-duplicate error policy.yaml:5:1'],
  );
  t.same(
    told({ ...approved, records: [aRecord('a.example')], redirects: [redirect('a.example', 'b.test', 5)] }),
    ['redirect-beside-record error policy.yaml:5:1'],
  );
  t.same(
    told({ ...approved, records: [aRecord('b.test')], redirects: [redirect('a.example', 'b.test')] }),
    [],
    'a redirect to a record, which needs no approval',
  );
});

/** r1 → r2 → … → r`length`, and from there to `end`. */
function chain(length: number, end: string): Partial<PolicyInput> {
  return {
    identities: [identity('one', { allow: entries('**.z.example') })],
    redirects: Array.from({ length }, (_, i) =>
      redirect(`r${i + 1}.z.example`, i + 1 < length ? `r${i + 2}.z.example` : end, i + 1),
    ),
  };
}

t.test('loops of redirects, of 1 to 9 links, are errors at each of them', async (t) => {
  for (let length = 1; length <= 9; length++) {
    t.same(
      told(chain(length, 'r1.z.example')),
      Array.from({ length }, (_, i) => `redirect-loop error policy.yaml:${i + 1}:1`),
      `${length} links`,
    );
  }
  // A chain that leads into a loop beside it.
  t.equal(told(chain(4, 'r3.z.example')).length, 4);
});

t.test('at most eight redirects follow one another', async (t) => {
  for (let length = 1; length <= 8; length++) t.same(told(chain(length, 'end.test')), [], `${length} links`);
  t.same(told(chain(9, 'end.test')), ['redirect-loop error policy.yaml:1:1']);
  t.match(problemsOf(chain(9, 'end.test')), [{ message: /more than 8/ }]);
});

t.test('local data that no identity approves is a warning', async (t) => {
  const input = {
    identities: [
      identity('one', {
        allow: entries('a.example', '*.b.example', rule('e.example', { until: NOW }, 2)),
        stages: [stage('s', 'only', 'staged.example')],
      }),
    ],
    records: [
      ...['a.example', 'x.b.example', 'staged.example'].map((name) => aRecord(name)),
      aRecord('b.example', { at: at(5) }),
      aRecord('c.example', { at: at(6) }),
      aRecord('c.example', { at: at(7), type: 28, rdata: new Uint8Array(16) }),
      aRecord('e.example', { at: at(8) }),
      aRecord('target.test', { at: at(9) }),
    ],
    redirects: [redirect('d.example', 'target.test', 12), redirect('y.b.example', 'target.test', 13)],
  };
  t.same(
    told(input).filter((line) => line.includes('unapproved')),
    [
      'record-unapproved warning policy.yaml:5:1',
      'record-unapproved warning policy.yaml:6:1',
      'record-unapproved warning policy.yaml:8:1',
      'redirect-unapproved warning policy.yaml:12:1',
    ],
    "once a name; a redirect's target is given with it",
  );
});

t.test('lists: comments, blank lines, faults at their line and column', async (t) => {
  const text = [
    '# a list',
    '',
    'good.example',
    '  indented.example   # why',
    '\tapi-*.a.example',
    'x..y',
    '   https://a.example/ # no',
    '#only',
    'last{0..1}.example',
  ].join('\n');
  const { snapshot, problems } = build({
    destinations: [destination('d', [], [list(text, { destination: 'd' }, 'lists/d.txt')])],
    identities: [identity('one', { allow: entries('=d') })],
  });
  t.same(
    problems.map(({ code, at }) => `${code} ${at.file}:${at.line}:${at.column}`),
    ['pattern-star lists/d.txt:5:6', 'pattern-label lists/d.txt:6:3', 'pattern-url lists/d.txt:7:4'],
  );
  t.ok(problems.every(isError));
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'good.example').verdict, 'allow');
  t.equal(ask(snapshot, view, 'indented.example').verdict, 'allow');
  t.equal(ask(snapshot, view, 'last1.example').verdict, 'allow');
  t.equal(snapshot.rules.count, 3);
  t.same([...snapshot.rules.line], [3, 4, 9], 'rules know their lines');
});

t.test('lists: line ends, a last line without one, and problems of meaning', async (t) => {
  const lined = (text: string): string[] =>
    told({
      destinations: [destination('d', [], [list(text)])],
      identities: [identity('one', { allow: entries('=d') })],
    });
  t.same(lined(''), []);
  t.same(lined('\n\n'), []);
  t.same(lined('a.example\r\n**.com\r\n'), ['public-suffix error list.txt:2:1']);
  t.same(lined('**.com'), ['public-suffix error list.txt:1:1']);
  t.same(lined('a.example\n\n  resolver.arpa'), ['special-name error list.txt:3:3']);
});

t.test('one list in two destinations is in each with its own terms', async (t) => {
  const text = 'a.example\nb.example\n';
  const { snapshot } = build({
    destinations: [
      destination('d', [], [list(text, { destination: 'd', reason: 'for d' })]),
      destination('e', [], [list(text, { destination: 'e', reason: 'for e', until: NOW + 5 })]),
    ],
    identities: [identity('one', { allow: entries('=d') }), identity('two', { allow: entries('=e') })],
  });
  const [one, two] = snapshot.identities;
  t.equal(ask(snapshot, one!.view, 'a.example').reason, 'for d');
  t.equal(ask(snapshot, two!.view, 'a.example').reason, 'for e');
  t.equal(snapshot.rules.count, 4);
});

t.test('a problem does not hide the next: the rest of the policy is compiled', async (t) => {
  const { snapshot, problems } = build(
    {
      destinations: [destination('d', ['**.com', 'good.example'])],
      identities: [
        identity('one', {
          allow: [
            ...entries('=missing', '=d'),
            { pattern: pattern('spot.example'), terms: terms(), at: at(1) },
          ],
        }),
      ],
      records: [aRecord('localhost'), aRecord('good.example')],
      redirects: [redirect('loop.example', 'loop.example')],
    },
    SUFFIXES,
  );
  t.same(
    new Set(problems.map(({ code }) => code)),
    new Set(['public-suffix', 'destination-unknown', 'special-name', 'redirect-loop']),
  );
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'good.example').verdict, 'local');
  t.equal(ask(snapshot, view, 'spot.example').verdict, 'allow');
});

t.test('a wildcard under eight others of one identity is refused', async (t) => {
  const nested = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `**.${'d.'.repeat(i)}deep.example`);
  t.same(told(spot(...nested(8))), []);
  t.same(told(spot(...nested(9))), ['wildcards-nested error policy.yaml:9:1']);
  t.same(told(spot(...nested(9), '*.deep.example', 'x.deep.example')), [
    'wildcards-nested error policy.yaml:9:1',
  ]);
  const allow = nested(9).map((pattern, i) => rule(pattern, {}, i + 1));
  const identities = [
    identity('one', { allow: allow.slice(0, 5) }),
    identity('two', { allow: allow.slice(5) }),
  ];
  t.same(told({ identities }), [], 'what two identities have is charged to neither together');
});

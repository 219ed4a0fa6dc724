import t from 'tap';
import { decide } from '../../../src/policy/decide/decide.ts';
import { Decision } from '../../../src/policy/decide/decision.ts';
import { explain, explanationLine } from '../../../src/policy/explain/explain.ts';
import { denialReason, REASON } from '../../../src/policy/explain/reason.ts';
import { UNKNOWN } from '../../../src/policy/identity.ts';
import type { Identity, Snapshot } from '../../../src/policy/snapshot.ts';
import { typeFromText } from '../../../src/wire/iana.ts';
import { labelOffsets } from '../../../src/wire/name.ts';
import { labelled } from '../../wire/build.ts';
import {
  aRecord,
  at,
  compiled,
  destination,
  entries,
  identity,
  NOW,
  pattern,
  redirect,
  rule,
  stage,
  terms,
  types,
  wire,
} from '../build.ts';

const UNTIL = Date.UTC(2030, 0, 31, 18, 0, 0) / 1000;

const snapshot = compiled({
  destinations: [
    destination('source-control', [
      rule('github.com', { destination: 'source-control', owner: 'security', reason: 'clone' }, 7),
      rule('*.actions.example', { destination: 'source-control', owner: 'security', reason: 'actions' }, 8),
      rule('**.cdn.a.example', { destination: 'source-control', owner: 'security', reason: 'cdn' }, 9),
      rule(
        'results{000..199}s.a.example',
        { destination: 'source-control', owner: 'security', reason: 'results' },
        10,
      ),
      rule('x.n{0..9}.b.example', { destination: 'source-control', owner: 'security', reason: 'front' }, 11),
    ]),
  ],
  identities: [
    identity('payments', {
      owner: 'team-payments',
      search: [wire('corp.example')],
      allow: entries(
        '=source-control',
        rule('mail.example', { types: types('MX', 'SRV'), owner: 'mailers', reason: 'mail' }, 20),
      ),
      stages: [
        stage('release', 'allow', rule('release.example', { owner: 'releasers', reason: 'release' }, 30)),
      ],
      exceptions: [
        rule(
          'api.vendor.example',
          { until: UNTIL, owner: 'sec', reason: 'CHG-1182', approvedBy: 'oncall' },
          40,
        ),
      ],
    }),
    identity('watched', { mode: 'audit', auditUntil: NOW + 100 }),
  ],
  records: [aRecord('r.cdn.a.example')],
  redirects: [redirect('m.cdn.a.example', 'mirror.test')],
});
const [payments, watched] = snapshot.identities as readonly [Identity, Identity];

function line(name: string, type = 'A', who: Identity = payments, stageName: string | null = null): string {
  const entered = stageName === null ? null : who.stages.find((each) => each.name === stageName)!;
  return explanationLine(explain(snapshot, who, entered, wire(name), typeFromText(type)!, NOW));
}

t.test('one line for each verdict', async (t) => {
  const cases: [string, string, string][] = [
    [
      'github.com',
      'A',
      'github.com A: allow for payments; rule github.com of source-control (policy.yaml:7): clone; owner security',
    ],
    [
      'x.actions.example',
      'AAAA',
      'x.actions.example AAAA: allow for payments; rule *.actions.example of source-control (policy.yaml:8): actions; owner security',
    ],
    [
      'a.b.cdn.a.example',
      'A',
      'a.b.cdn.a.example A: allow for payments; rule **.cdn.a.example of source-control (policy.yaml:9): cdn; owner security',
    ],
    [
      'results007s.a.example',
      'A',
      'results007s.a.example A: allow for payments; rule results{000..199}s.a.example of source-control (policy.yaml:10): results; owner security',
    ],
    [
      'x.n3.b.example',
      'A',
      'x.n3.b.example A: allow for payments; rule x.n{0..9}.b.example of source-control (policy.yaml:11): front; owner security',
    ],
    [
      'mail.example',
      'MX',
      'mail.example MX: allow for payments; dropped if it leads to a name that is not approved; rule mail.example (policy.yaml:20): mail; owner mailers',
    ],
    [
      'api.vendor.example',
      'A',
      'api.vendor.example A: allow for payments; rule api.vendor.example (policy.yaml:40) until 2030-01-31T18:00:00Z: CHG-1182; owner sec',
    ],
    [
      'r.cdn.a.example',
      'A',
      'r.cdn.a.example A: local for payments; answered from local records; rule **.cdn.a.example of source-control (policy.yaml:9): cdn; owner security',
    ],
    [
      'm.cdn.a.example',
      'A',
      'm.cdn.a.example A: local for payments; redirected to mirror.test; rule **.cdn.a.example of source-control (policy.yaml:9): cdn; owner security',
    ],
    [
      'github.com',
      'TXT',
      'github.com TXT: empty for payments; type not approved, the rule approves A, AAAA, CNAME, HTTPS; rule github.com of source-control (policy.yaml:7): clone; owner security; ask security',
    ],
    [
      'a.example',
      'A',
      'a.example A: empty for payments; no data: approved names lie below it; ask team-payments',
    ],
    ['.', 'NS', '. NS: empty for payments; no data: approved names lie below it; ask team-payments'],
    ['evil.example', 'A', 'evil.example A: deny for payments; name not approved; ask team-payments'],
    [
      'github.com.corp.example',
      'A',
      'github.com.corp.example A: deny for payments; search-list miss, the name without the suffix is tried next; ask team-payments',
    ],
    ['corp.example', 'A', 'corp.example A: deny for payments; name not approved; ask team-payments'],
    ['xcorp.example', 'A', 'xcorp.example A: deny for payments; name not approved; ask team-payments'],
    ['localhost', 'A', 'localhost A: local for payments; localhost is answered by namegate itself'],
    [
      'use-application-dns.net',
      'A',
      'use-application-dns.net A: deny for payments; use-application-dns.net is denied to everyone',
    ],
    [
      'github.com',
      'TYPE999',
      'github.com TYPE999: empty for payments; type not approved, the rule approves A, AAAA, CNAME, HTTPS; rule github.com of source-control (policy.yaml:7): clone; owner security; ask security',
    ],
  ];
  for (const [name, type, expected] of cases) t.equal(line(name, type), expected);
});

t.test('a stage is named, and decides', async (t) => {
  t.equal(
    line('release.example'),
    'release.example A: deny for payments; approved at stage release by rule release.example (policy.yaml:30), and no lease says its stage; open a lease at stage release, or ask team-payments',
  );
  t.equal(
    line('release.example', 'A', payments, 'release'),
    'release.example A: allow for payments at stage release; rule release.example (policy.yaml:30): release; owner releasers',
  );
});

t.test('`unknown` has nobody to ask', async (t) => {
  t.equal(line('github.com', 'A', UNKNOWN), 'github.com A: deny for unknown; no identity claims this client');
});

t.test('an identity in audit mode says so, until its audit ends', async (t) => {
  t.equal(
    line('evil.example', 'A', watched),
    'evil.example A: deny for watched (audit: resolved and recorded); name not approved; ask watched-owner',
  );
  const later = explain(snapshot, watched, null, wire('evil.example'), 1, NOW + 100);
  t.equal(later.mode, 'enforce');
});

t.test('the fields of an explanation', async (t) => {
  t.same(explain(snapshot, payments, null, wire('results199s.a.example'), 28, NOW), {
    verdict: 'allow',
    mode: 'enforce',
    identity: 'payments',
    stage: null,
    name: 'results199s.a.example',
    type: 'AAAA',
    rule: {
      pattern: 'results{000..199}s.a.example',
      destination: 'source-control',
      file: 'policy.yaml',
      line: 10,
      owner: 'security',
      reason: 'results',
      until: null,
      fallback: null,
    },
    ground: 'rule',
    approved_stage: null,
    expected: null,
    ask: 'team-payments',
    reason: '',
    next: '',
    state: null,
  });
  t.match(explain(snapshot, payments, null, wire('api.vendor.example'), 1, NOW), {
    verdict: 'allow',
    rule: { destination: null, until: '2030-01-31T18:00:00Z' },
  });
  t.match(explain(snapshot, payments, null, wire('evil.example'), 1, NOW), {
    verdict: 'deny',
    rule: null,
    reason: REASON.NOT_APPROVED,
    next: 'ask team-payments',
  });
  t.match(explain(snapshot, payments, null, wire('api.vendor.example'), 1, UNTIL), {
    verdict: 'deny',
    rule: null,
  });
});

t.test("a list's rule names the list's file and line", async (t) => {
  const listed = compiled({
    destinations: [
      {
        ...destination('d', []),
        lists: [
          { file: 'lists/d.txt', text: '\n# x\nl.example\n', terms: terms({ destination: 'd' }), at: at(1) },
        ],
      },
    ],
    identities: [identity('one', { allow: entries('=d') })],
  });
  t.match(explain(listed, listed.identities[0]!, null, wire('l.example'), 1, NOW), {
    rule: { file: 'lists/d.txt', line: 3 },
  });
});

t.test('names with odd octets are told escaped, and patterns as they would be written', async (t) => {
  const odd = compiled({
    identities: [
      identity('one', {
        allow: entries(
          'a\\.b.example',
          '\\042.star.example',
          '*.x\\*y.example',
          'p\\.{0..9}\\+.fam.example',
          'q\\{.n{0..9}.front.example',
        ),
      }),
    ],
  });
  const [one] = odd.identities;
  const explained = (name: Uint8Array): { name: string; rule: { pattern: string } | null; verdict: string } =>
    explain(odd, one!, null, name, 1, NOW);
  const label = (...labels: string[]): Uint8Array =>
    Uint8Array.from(labelled(...labels.map((each) => Buffer.from(each, 'latin1'))));
  for (const [name, pattern] of [
    [label('a.b', 'example'), 'a\\.b.example'],
    [label('*', 'star', 'example'), '\\*.star.example'],
    [label('any', 'x*y', 'example'), '*.x\\*y.example'],
    [label('p.7+', 'fam', 'example'), 'p\\.{0..9}\\+.fam.example'],
    [label('q{', 'n3', 'front', 'example'), 'q\\{.n{0..9}.front.example'],
  ] as const) {
    t.match(explained(name), { verdict: 'allow', rule: { pattern } });
  }
  t.equal(explained(label('\x1b[31m', 'example')).name, '\\027[31m.example');
  t.match(explained(label('a', 'b', 'example')), { verdict: 'deny' });
});

t.test('a pattern is told as it is parsed, whatever its kind', async (t) => {
  for (const text of [
    'a.example',
    '*.a.example',
    '**.a.example',
    'n{0..9}.a.example',
    'n{00..09}x.a.example',
    '{1..2}.a.example',
    'n{0..9}',
    'a.b{1..2}c.d.example',
    'a.{1..2}',
  ]) {
    const one = compiled({
      identities: [
        identity('one', { allow: entries({ pattern: pattern(text), terms: terms(), at: at(1) }) }),
      ],
    });
    const name = text.replace(/^\*+/, 'x').replace(/\{(\d+)\.\.\d+\}/, '$1');
    t.equal(explain(one, one.identities[0]!, null, wire(name), 1, NOW).rule?.pattern, text);
  }
});

function decided(where: Snapshot, who: Identity, name: string, type: number): Decision {
  const octets = wire(name);
  const labels = new Uint8Array(128);
  const decision = new Decision();
  decide(
    where,
    who.view,
    { name: octets, labels, labelCount: labelOffsets(octets, labels) },
    type,
    false,
    NOW,
    decision,
  );
  return decision;
}

t.test('EDE text', async (t) => {
  const reason = (name: string, type = 1): string =>
    denialReason(payments, decided(snapshot, payments, name, type));
  t.equal(reason('evil.example'), REASON.NOT_APPROVED);
  t.equal(reason('github.com', 16), REASON.TYPE);
  t.equal(reason('a.corp.example'), REASON.SEARCH);
  t.equal(reason('use-application-dns.net'), REASON.SPECIAL);
  t.equal(reason('a.example'), '', 'no data above approved names is no denial');
  t.equal(reason('github.com'), '');
  t.equal(reason('localhost'), '');
});

t.test('a search miss is one in a larger buffer too, as a query has it', async (t) => {
  const octets = new Uint8Array(264).fill(0x2e);
  const name = wire('a.corp.example');
  octets.set(name);
  const labels = new Uint8Array(128);
  const decision = new Decision();
  decide(
    snapshot,
    payments.view,
    { name: octets, labels, labelCount: labelOffsets(name, labels) },
    1,
    false,
    NOW,
    decision,
  );
  t.equal(denialReason(payments, decision), REASON.SEARCH);
});

import t from 'tap';
import { Enclosure } from '../../../src/config/files/enclosure.ts';
import { FileReader } from '../../../src/config/files/files.ts';
import { readYaml } from '../../../src/config/files/yaml.ts';
import { Lists } from '../../../src/config/policy/lists.ts';
import { readPolicyFile } from '../../../src/config/policy/policy-file.ts';
import { TermPool } from '../../../src/config/policy/rules.ts';
import { Problems } from '../../../src/config/problems.ts';
import { policySchema } from '../../../src/config/schema/policy-schema.ts';
import { checkShape } from '../../../src/config/schema/shape.ts';
import { DEFAULT_TERMS, FOREVER, type PolicyInput, type RuleInput } from '../../../src/policy/input.ts';
import { patternText } from '../../../src/policy/pattern/pattern.ts';
import { nameToText } from '../../../src/wire/name.ts';
import { POLICY, problemsOf } from '../harness.ts';

/** A policy as data. Fails for any problem. */
function read(text: string): PolicyInput {
  const problems = new Problems();
  const yaml = readYaml('p.yaml', text, problems)!;
  const written = checkShape(policySchema, yaml, problems)!;
  const reader = new FileReader();
  const lists = new Lists(reader, new Enclosure([]), problems);
  const input = readPolicyFile(written, {
    marks: yaml.marks,
    problems,
    reader,
    lists,
    terms: new TermPool(),
  });
  if (problems.list.length > 0) throw new Error(JSON.stringify(problems.list));
  return input;
}

t.test('destinations: defaults, entries over them, shared terms', async (t) => {
  const { destinations } = read(`destinations:
  first:
    owner: " platform   security "
    reason: >
      in two
      lines
    types: [TXT, A, a, TYPE65]
    until: 2027-03-31
    private: [10.0.0.0/8, "::1"]
    shared_zone: accept
    max_labels: 2
    max_label_length: 32
    budget: { alert: 2KiB, contain: 8KiB }
    fallback: " Redirect   MIRROR.example. "
    names:
      - a.example
      - { name: "**.B.example", budget: off }
      - { name: c.example, types: [AAAA], until: 2028-01-01T00:00:00Z, reason: other, private: false, fallback: "redirect it by  hand" }
      - n{0..9}.d.example
  second: { owner: o, reason: r, names: [a.example] }
`);
  const [first, second] = destinations;
  t.same(first!.at, { file: 'p.yaml', line: 2, column: 3 });
  t.same(
    first!.rules.map(({ pattern, at }) => [patternText(pattern), at.line, at.column]),
    [
      ['a.example', 16, 9],
      ['**.b.example', 17, 17],
      ['c.example', 18, 17],
      ['n{0..9}.d.example', 19, 9],
    ],
  );
  const terms = first!.rules[0]!.terms;
  t.same(terms, {
    destination: 'first',
    owner: 'platform security',
    reason: 'in two lines',
    types: [1, 16, 65],
    until: Date.UTC(2027, 2, 31) / 1000,
    private: [
      { family: 4, words: [0x0a00_0000], length: 8 },
      { family: 6, words: [0, 0, 0, 1], length: 128 },
    ],
    sharedZone: true,
    maxLabels: 2,
    maxLabelLength: 32,
    budget: { alert: 2048, contain: 8192, containsShared: true },
    fallback: { text: 'redirect mirror.example', redirect: 'mirror.example' },
    ports: null,
    keep: null,
    approvedBy: null,
  });
  t.same(first!.rules[1]!.terms, { ...terms, budget: { alert: 0, contain: 0 } }, 'off');
  t.equal(first!.rules[3]!.terms, terms, 'one object for equal terms');
  const own = first!.rules[2]!.terms;
  t.match(own, {
    types: [28],
    until: Date.UTC(2028, 0, 1) / 1000,
    reason: 'other',
    private: false,
    maxLabels: 2,
    fallback: { text: 'redirect it by hand', redirect: null },
  });
  t.match(second!.rules[0]!.terms, {
    destination: 'second',
    types: null,
    until: FOREVER,
    private: false,
    sharedZone: false,
    maxLabels: 127,
    maxLabelLength: 63,
    budget: null,
    fallback: null,
  });
});

t.test('identities: everything that can be written', async (t) => {
  const { identities } = read(
    `destinations: { d: { owner: o, reason: r, names: [a.example] } }
identities:
  - name: all-of_it2
    owner: team
    review_by: 2027-03-31
    workload: nightly build
    from:
      addresses: [10.20.0.0/16, "2001:db8:20::/48"]
      certificates: ["spiffe://ci.example/a", "dns:A.example", "sha256:${'AB'.repeat(32)}"]
    mode: audit
    audit_until: 2027-01-01T00:00:00Z
    limits: { qps: 10, in_flight: 3 }
    search: [Svc.Cluster.Local]
    allow: [d, { name: x.example, reason: on the spot }, { name: y.example, reason: r, owner: other }]
    stages:
      zeta: { only: [] }
      alpha: { allow: [d] }
      "2x": { only: [] }
    exceptions:
      - { name: e.example, until: 2026-12-24T18:00:00Z, reason: "CHG-1", approved_by: sec }
    expected:
      - { name: "*.t.example", until: 2026-12-24T18:00:00Z, reason: " phones  home ", owner: other }
      - { name: u.example, until: 2026-12-24, reason: r }
  - name: bare
    owner: team
`.replace('      "2x": { only: [] }\n', ''),
  );
  const [all, bare] = identities;
  const { allow, stages, exceptions, expected, search, addresses, ...rest } = all!;
  t.same(rest, {
    name: 'all-of_it2',
    owner: 'team',
    reviewBy: Date.UTC(2027, 2, 31) / 1000,
    workload: 'nightly build',
    mode: 'audit',
    auditUntil: Date.UTC(2027, 0, 1) / 1000,
    limits: { qps: 10, burst: 10, inFlight: 3 },
    certificates: [
      { text: 'spiffe://ci.example/a', at: { file: 'p.yaml', line: 9, column: 22 } },
      { text: 'dns:a.example', at: { file: 'p.yaml', line: 9, column: 47 } },
      { text: `sha256:${'ab'.repeat(32)}`, at: { file: 'p.yaml', line: 9, column: 64 } },
    ],
    terms: DEFAULT_TERMS,
    at: { file: 'p.yaml', line: 3, column: 11 },
  });
  t.same(
    addresses.map(({ prefix, text }) => [prefix.family, prefix.length, text]),
    [
      [4, 16, '10.20.0.0/16'],
      [6, 48, '2001:db8:20::/48'],
    ],
  );
  t.same(search.map(nameToText), ['svc.cluster.local']);
  t.match(allow[0], { destination: 'd', at: { line: 14, column: 13 } });
  const [, spot, owned] = allow as RuleInput[];
  t.match(spot!.terms, { destination: null, owner: 'team', reason: 'on the spot', approvedBy: null });
  t.match(owned!.terms, { owner: 'other' });
  t.same(
    stages.map(({ name, kind, entries }) => [name, kind, entries.length]),
    [
      ['zeta', 'only', 0],
      ['alpha', 'allow', 1],
    ],
    'in the order written',
  );
  t.match(exceptions[0]!.terms, {
    owner: 'team',
    approvedBy: 'sec',
    until: Date.UTC(2026, 11, 24, 18) / 1000,
  });
  t.match(
    expected.map(({ terms, at }) => [terms.owner, terms.reason, terms.until, at.line]),
    [
      ['other', 'phones home', Date.UTC(2026, 11, 24, 18) / 1000, 21],
      ['team', 'r', Date.UTC(2026, 11, 24) / 1000, 22],
    ],
  );
  t.match(bare, {
    reviewBy: null,
    expected: [],
    workload: null,
    mode: 'enforce',
    auditUntil: 0,
    limits: { qps: 0, burst: 0, inFlight: 0 },
    allow: [],
    stages: [],
  });
});

t.test('records and redirects', async (t) => {
  const { records, redirects } = read(`records:
  - { name: A.example., type: a, data: 192.0.2.1 }
  - { name: a.example, type: TXT, data: '"x"', ttl: 5 }
  - { name: a.example, type: TYPE62347, data: '\\# 1 ff', ttl: 2m }
redirects:
  - { name: b.example, to: C.example, private: true }
`);
  t.same(
    records.map(({ name, type, ttl, rdata, at }) => [
      nameToText(name),
      type,
      ttl,
      Buffer.from(rdata).toString('hex'),
      at.line,
    ]),
    [
      ['a.example', 1, 60, 'c0000201', 2],
      ['a.example', 16, 5, '0178', 3],
      ['a.example', 62_347, 120, 'ff', 4],
    ],
  );
  t.same(
    redirects.map((one) => [nameToText(one.name), nameToText(one.to), one.private, one.at.column]),
    [['b.example', 'c.example', true, 13]],
  );
});

t.test('each mistake, where it stands', async (t) => {
  const destination = (keys: string): string =>
    `destinations:\n  d: { owner: o, reason: r, ${keys} }\n${POLICY}    allow: [d]\n`;
  const identity = (lines: string): string => `${POLICY}${lines}`;
  const cases: [policy: string, problems: string[]][] = [
    // Patterns: the column is the very character.
    [destination('names: ["api-*.x.example"]'), ['2:42 pattern-star']],
    [destination('names: ["*"]'), ['2:38 pattern-star']],
    [destination('names: ["**"]'), ['2:38 pattern-star']],
    [destination('names: ["*.com"]'), ['2:37 public-suffix']],
    [destination('names: ["^.*\\\\.x\\\\.example$"]'), ['2:38 pattern-character']],
    [destination('names: [https://x.example/]'), ['2:37 pattern-url']],
    [destination("names: [x.example:443, 'it''s.example']"), ['2:46 pattern-port', '2:55 pattern-character']],
    [destination('names: [192.0.2.1]'), ['2:37 pattern-address']],
    [destination('names: ["n{0..9}{0..9}.x.example"]'), ['2:45 pattern-brace']],
    [destination('names: ["n{9..0}.x.example"]'), ['2:39 pattern-brace']],
    [destination('names: ["n{0..10000}.x.example"]'), ['2:39 pattern-family-size']],
    [destination('names: ["*.n{0..9}.x.example"]'), ['2:41 pattern-mixed']],
    [destination('names: [a..example]'), ['2:39 pattern-label']],
    [destination(`names: [${'a'.repeat(64)}.example]`), ['2:37 pattern-label']],
    [destination('names: ["a b.example"]'), ['2:39 pattern-character']],
    [destination('names: [""]'), ['2:38 pattern-empty']],
    [destination('names: [bücher.example]'), ['2:37 name-converted?']],
    [destination('names: ["ü*.example"]'), ['2:39 name-idn']],
    [destination('names: [*.x.example]'), ['2:37 yaml-alias']],
    [destination('names: [1.10]'), ['2:37 yaml-quote']],
    [destination('names: [true]'), ['2:37 yaml-quote']],
    [destination('names: [~]'), ['2:37 value-empty']],
    [destination('names: [[a.example]]'), ['2:37 value-kind']],
    [destination('names: a.example'), ['2:36 value-kind']],
    [destination('names: [{ types: [A] }]'), ['2:37 key-missing']],
    [destination('names: [{ name: a.example, owner: x }]'), ['2:56 key-unknown']],
    [destination('names: [{ name: a.example, max_labels: 2 }]'), ['2:56 term-unused?']],
    [
      destination('names: [{ name: "*.a.example", max_labels: 2, max_label_length: 9 }]'),
      ['2:60 term-unused?'],
    ],
    [destination('names: [{ name: a.example, shared_zone: accept }]'), ['2:56 term-unused?']],
    [destination('names: [{ name: a.example, budget: off }]'), ['2:56 term-unused?']],
    [destination('names: [{ name: "n{0..9}.a.example", budget: { contain: 2KiB } }]'), ['2:66 term-unused?']],
    [destination('names: [{ name: "*.a.example", budget: { contain: off } }]'), []],
    [destination('names: [{ name: "*.a.example", budget: 2KiB }]'), ['2:68 value-kind']],
    [
      destination('names: [{ name: "*.a.example", budget: { alert: 2KiB, contain: 1KiB } }]'),
      ['2:77 budget-order'],
    ],
    [destination('names: ["*.a.example"], budget: { contian: 2KiB }'), ['2:63 key-unknown']],
    [destination('names: []'), ['2:3 destination-empty?']],
    [destination('types: [A]'), ['2:3 destination-empty?']],
    [destination('names: [a.example], types: A'), ['2:56 value-kind']],
    [destination('names: [a.example], types: []'), ['2:56 value-empty']],
    [
      destination('names: [a.example], types: [A, ANY, FOO, 65]'),
      ['2:60 type-meta', '2:65 type-unknown', '2:70 yaml-quote'],
    ],
    [destination('names: [a.example], until: tomorrow'), ['2:56 time-form']],
    [destination('names: [a.example], until: 2027'), ['2:56 yaml-quote']],
    [destination('names: [a.example], until: 2026-12-24T18:00:00'), ['2:74 time-form']],
    [destination('names: [a.example], until: 2020-01-01'), ['2:37 rule-ended?']],
    [destination('names: [a.example], private: yes'), ['2:58 value-kind']],
    [destination('names: [a.example], private: 10.0.0.0/8'), ['2:58 value-kind']],
    [destination('names: [a.example], private: []'), ['2:58 value-empty']],
    [destination('names: [a.example], private: [10.0.0.1/8]'), ['2:59 prefix-host-bits']],
    [destination('names: [a.example], shared_zone: true'), ['2:62 value-choice']],
    [destination('names: [a.example], max_labels: 128'), ['2:61 value-range']],
    [destination('names: [a.example], max_label_length: 0'), ['2:67 value-range']],
    [destination('names_from: [nosuch.txt]'), ['2:42 file-missing']],
    [destination('names_from: [""]'), ['2:42 value-empty']],
    [destination('names_from: list.txt'), ['2:41 value-kind']],
    [destination('name: [a.example]'), ['2:29 key-unknown']],
    [`destinations:\n  d: { reason: r, names: [a.example] }\n${POLICY}    allow: [d]\n`, ['2:3 key-missing']],
    [
      `destinations:\n  d: { owner: "", reason: " ", names: [a.example] }\n${POLICY}    allow: [d]\n`,
      ['2:15 value-empty', '2:27 value-text'],
    ],
    [
      `destinations:\n  d: { owner: "a\\tb", reason: "a\\eb", names: [a.example] }\n${POLICY}    allow: [d]\n`,
      ['2:31 value-text'],
    ],
    [
      `destinations:\n  d: { owner: 010, reason: "\\ud800", names: [a.example] }\n${POLICY}    allow: [d]\n`,
      ['2:15 yaml-quote', '2:28 value-text'],
    ],
    [
      `destinations:\n  "a.b": { owner: o, reason: r, names: [a.example] }\n${POLICY}`,
      ['2:3 identifier-form', '2:3 destination-unused?'],
    ],
    [`destinations: []\n${POLICY}`, ['1:15 value-kind']],
    [`destinations:\n  d: [a.example]\n${POLICY}    allow: [d]\n`, ['2:6 value-kind']],
    ['- name: me\n', ['1:1 value-kind']],
    ['text\n', ['1:1 value-kind']],
    [`${POLICY}rules: []\n`, ['6:1 key-unknown']],
    // Identities.
    ['identities: {}\n', ['1:13 value-kind']],
    ['identities: [me]\n', ['1:14 value-kind']],
    [
      'identities:\n  - owner: o\n    review_by: 2027-01-01\n    from: { addresses: [::1] }\n',
      ['2:5 key-missing'],
    ],
    [
      'identities:\n  - name: a\n    review_by: 2027-01-01\n    from: { addresses: [::1] }\n',
      ['2:5 key-missing'],
    ],
    [
      'identities:\n  - name: unknown\n    owner: o\n    review_by: 2027-01-01\n    from: { addresses: [::1] }\n',
      ['2:11 identifier-taken'],
    ],
    [
      'identities:\n  - name: a b\n    owner: o\n    review_by: 2027-01-01\n    from: { addresses: [::1] }\n',
      ['2:11 identifier-form'],
    ],
    [
      'identities:\n  - name: a\n    owner: o\n    review_by: soon\n    from: { addresses: [::1] }\n',
      ['4:16 time-form'],
    ],
    [
      'identities:\n  - name: a\n    owner: o\n    review_by: 2027-01-01\n    from: [127.0.0.1]\n',
      ['5:11 value-kind'],
    ],
    [
      'identities:\n  - name: a\n    owner: o\n    review_by: 2027-01-01\n    from: { address: [127.0.0.1] }\n',
      ['5:13 key-unknown'],
    ],
    [identity('    allow: [github.com]\n'), ['6:13 allow-pattern']],
    [identity('    allow: ["*.x.example"]\n'), ['6:13 allow-pattern']],
    [identity('    allow: [nosuch]\n'), ['6:13 destination-unknown']],
    [identity('    allow: [{ name: a.example }]\n'), ['6:13 key-missing']],
    [identity('    allow: [{ name: a.example, reason: r, approved_by: x }]\n'), ['6:43 key-unknown']],
    [identity('    allow: [{ name: "*.com", reason: r }]\n'), ['6:21 public-suffix']],
    [identity('    allow: [{ name: "*.a.github.io", reason: r }]\n'), ['6:21 shared-zone']],
    [
      identity('    allow: [{ name: "*.a.github.io", reason: r, shared_zone: accept }]\n'),
      ['6:21 shared-zone?', '6:21 shared-zone-budget?'],
    ],
    [identity('    allow:\n'), ['6:5 value-empty']],
    [identity('    mode: audit\n'), ['2:11 audit?', '6:5 audit-until']],
    [identity('    mode: audit\n    audit_until: 2027-01-01\n'), ['2:11 audit?']],
    [identity('    mode: off\n'), ['6:11 value-choice']],
    [identity('    audit_until: 2027-01-01\n'), ['6:5 term-unused?']],
    [identity('    limits: { burst: 5 }\n'), ['6:15 limit-burst']],
    [identity('    limits: { qps: 0 }\n'), ['6:20 value-range']],
    [identity('    limits: { qps: 5/s }\n'), ['6:20 value-kind']],
    [identity('    search: ["*.a.example", a..b]\n'), ['6:15 name-exact', '6:31 pattern-label']],
    [identity('    proof: {}\n    claims: {}\n'), ['6:12 value-choice', '7:13 value-kind']],
    [identity('    proof: maybe\n    self_advance: yes\n'), ['6:12 value-choice', '7:19 value-kind']],
    [identity('    max_lease: 0s\n    quarantine: 1500ms\n'), ['6:16 value-range', '7:17 value-range']],
    [identity('    max_lease: 6\n    quarantine: soon\n'), ['6:16 yaml-quote', '7:17 duration-form']],
    [identity('    claims: []\n'), ['6:13 value-empty']],
    [identity('    claims: [{ repository_id: 1 }]\n'), ['6:14 key-missing']],
    [identity('    claims: [{ issuer: "https://ci.example" }]\n'), ['6:16 claims-form']],
    [identity('    claims: [{ issuer: ci.example, repository_id: 1 }]\n'), ['6:24 claims-form']],
    [identity('    claims: [{ issuer: "https://ci.example", ref: main }]\n'), ['6:16 claims-loose?']],
    [
      identity('    claims: [{ issuer: "https://ci.example", repository_id: 7, ref: [a] }]\n'),
      ['6:69 value-kind'],
    ],
    [identity('    stages: [fetch]\n'), ['6:13 value-kind']],
    [identity('    stages: { 1st: { allow: [] } }\n'), ['6:15 identifier-form']],
    [identity('    stages: { a: {} }\n'), ['6:15 stage-form']],
    [identity('    stages: { a: { allow: [], only: [] } }\n'), ['6:15 stage-form']],
    [identity('    stages: { a: { alow: [] } }\n'), ['6:15 stage-form', '6:20 key-unknown']],
    [identity('    stages: { a: }\n'), ['6:15 value-empty']],
    [identity('    stages: { a: { only: [nosuch] } }\n'), ['6:27 destination-unknown']],
    [identity('    exceptions: [a.example]\n'), ['6:18 value-kind']],
    [
      identity('    exceptions:\n      - { name: a.example, until: 2027-01-01 }\n'),
      ['7:9 key-missing', '7:9 key-missing'],
    ],
    [
      identity(
        '    exceptions:\n      - { name: a.example, until: 2020-01-01, reason: r, approved_by: x }\n',
      ),
      ['7:17 rule-ended?'],
    ],
    // Each entry has an end and a reason, and no key of a rule that approves.
    [identity('    expected: [a.example]\n'), ['6:16 value-kind']],
    [identity('    expected: [{ name: a.example, reason: r }]\n'), ['6:16 key-missing']],
    [identity('    expected: [{ name: a.example, until: 2027-01-01 }]\n'), ['6:16 key-missing']],
    [identity('    expected: [{ name: a.example, until: soon, reason: r }]\n'), ['6:42 time-form']],
    [
      identity('    expected: [{ name: a_b*.example, until: 2027-01-01, reason: r }]\n'),
      ['6:27 pattern-star'],
    ],
    [
      identity('    expected: [{ name: a.example, until: 2027-01-01, reason: r, private: true }]\n'),
      ['6:65 key-unknown'],
    ],
    [
      identity('    expected: [{ name: a.example, until: 2020-01-01, reason: r }]\n'),
      ['6:24 expected-ended?'],
    ],
    [
      identity('    expected: [{ name: "**.github.io", until: 2099-01-01, reason: r }]\n'),
      ['6:24 expected-wide'],
    ],
    // A fallback is a sentence or one exact name; an exception has none.
    [destination('names: [a.example], fallback: redirect a..example'), ['2:70 pattern-label']],
    [destination('names: [a.example], fallback: "redirect *.a.example"'), ['2:69 name-exact']],
    [destination('names: [a.example], fallback: ""'), ['2:59 value-empty']],
    [
      identity(
        '    exceptions:\n      - { name: a.example, until: 2027-01-01, reason: r, approved_by: x, fallback: y }\n',
      ),
      ['7:74 key-unknown'],
    ],
    // What ends in a colon is a map to YAML.
    [identity('    search: [a.example:]\n'), ['6:14 value-kind']],
    // Local data.
    [`${POLICY}records: [{ name: "*.a.example", type: A, data: 192.0.2.1 }]\n`, ['6:20 name-exact']],
    [`${POLICY}records: [{ name: a.example, type: CNAME, data: b.example }]\n`, ['6:36 record-type']],
    [`${POLICY}records: [{ name: a.example, type: A, data: 192.0.2 }]\n`, ['6:45 record-data']],
    [`${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1.5 }]\n`, ['6:45 record-data']],
    [`${POLICY}records: [{ name: a.example, type: TXT, data: 5 }]\n`, ['6:47 yaml-quote']],
    [`${POLICY}records: [{ name: a.example, type: TXT, data: hello world }]\n`, ['6:53 record-data']],
    [`${POLICY}records: [{ name: a.example, type: MX, data: "10 a..b" }]\n`, ['6:52 name-form']],
    [`${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1, ttl: -1 }]\n`, ['6:61 value-range']],
    [
      `${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1, ttl: 1500ms }]\n`,
      ['6:19 record-unapproved?', '6:61 value-range'],
    ],
    [`${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1, ttl: 060 }]\n`, ['6:61 yaml-number']],
    [`${POLICY}records: [{ name: a.example, type: A }]\n`, ['6:11 key-missing']],
    [`${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1 }]\n`, ['6:19 record-unapproved?']],
    [`${POLICY}redirects: [{ name: a.example, to: "*.b.example" }]\n`, ['6:37 name-exact']],
    [`${POLICY}redirects: [{ name: a.example, to: a.example }]\n`, ['6:21 redirect-loop']],
    [`${POLICY}redirects: [{ name: a.example, to: b.example, type: A }]\n`, ['6:47 key-unknown']],
  ];
  for (const [policy, problems] of cases) {
    const told = problemsOf(t, { 'policy.yaml': policy });
    t.same(
      told,
      problems.map((problem) => `policy.yaml:${problem}`),
      policy,
    );
  }
});

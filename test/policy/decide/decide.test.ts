import t from 'tap';
import { isNonTerminal } from '../../../src/policy/decide/beside.ts';
import { decide } from '../../../src/policy/decide/decide.ts';
import { Decision, VERDICT } from '../../../src/policy/decide/decision.ts';
import { FOREVER, type RuleTerms } from '../../../src/policy/input.ts';
import { labelOffsets } from '../../../src/wire/name.ts';
import { labelled } from '../../wire/build.ts';
import {
  aRecord,
  ask,
  compiled,
  destination,
  entries,
  identity,
  NOW,
  redirect,
  rule,
  single,
  types,
  verdict,
  wire,
} from '../build.ts';

t.test('the table of patterns', async (t) => {
  const snapshot = single(['a.example', '*.b.example', '**.c.example', 'n{0..199}.d.example']);
  const cases: [string, string][] = [
    ['a.example', 'allow'],
    ['x.a.example', 'deny'],
    ['evila.example', 'deny'],
    ['b.example', 'empty'],
    ['x.b.example', 'allow'],
    ['x.y.b.example', 'deny'],
    ['evilb.example', 'deny'],
    ['c.example', 'empty'],
    ['x.c.example', 'allow'],
    ['x.y.z.c.example', 'allow'],
    ['evilc.example', 'deny'],
    ['d.example', 'empty'],
    ['n0.d.example', 'allow'],
    ['n7.d.example', 'allow'],
    ['n199.d.example', 'allow'],
    ['n200.d.example', 'deny'],
    ['n07.d.example', 'deny'],
    ['n.d.example', 'deny'],
    ['n1x.d.example', 'deny'],
    ['xn1.d.example', 'deny'],
    ['m1.d.example', 'deny'],
    ['x.n1.d.example', 'deny'],
    ['example', 'empty'],
    ['.', 'empty'],
    ['com', 'deny'],
    ['a.example.com', 'deny'],
    ['b', 'deny'],
  ];
  for (const [name, expected] of cases) t.equal(verdict(snapshot, name), expected, name);
});

t.test('patterns match wire labels, never dotted strings', async (t) => {
  const snapshot = single(['github.com', '*.a.example', '**.b.example', 'x\\.y.c.example']);
  const one = (...labels: string[]): Buffer =>
    labelled(...labels.map((label) => Buffer.from(label, 'latin1')));
  t.equal(verdict(snapshot, one('github.com')), 'deny');
  t.equal(verdict(snapshot, one('github', 'com')), 'allow');
  t.equal(verdict(snapshot, one('x.a', 'example')), 'deny');
  t.equal(verdict(snapshot, one('x', 'a.example')), 'deny');
  t.equal(
    verdict(snapshot, one('x.y', 'a', 'example')),
    'deny',
    'under a wildcard only what host names hold',
  );
  t.equal(verdict(snapshot, one('evil\x01b', 'example')), 'deny');
  t.equal(verdict(snapshot, one('x', 'y', 'c', 'example')), 'deny');
  t.equal(verdict(snapshot, one('x.y', 'c', 'example')), 'allow');
  t.equal(verdict(snapshot, one('\0', 'a', 'example')), 'deny');
  t.equal(verdict(snapshot, one('_a-0', 'a', 'example')), 'allow');
  t.equal(
    verdict(snapshot, one('*', 'a', 'example')),
    'deny',
    'a star in a question is an octet like others',
  );
});

t.test('the root and names above approved ones are empty non-terminals (RFC 8020)', async (t) => {
  const snapshot = single([
    'x.y.a.example',
    '*.p.b.example',
    '**.q.c.example',
    'n{0..3}.r.d.example',
    'k.m{1..2}.s.e.example',
  ]);
  for (const name of [
    ...['.', 'example', 'a.example', 'y.a.example'],
    ...['b.example', 'p.b.example', 'c.example', 'q.c.example'],
    ...['d.example', 'r.d.example', 'e.example', 's.e.example', 'm1.s.e.example', 'm2.s.e.example'],
  ]) {
    const asked = ask(snapshot, snapshot.identities[0]!.view, name);
    t.match(asked, { verdict: 'empty', ground: 'ABOVE', pattern: null }, name);
    for (const type of ['TXT', 'ANY', 'NS'])
      t.equal(verdict(snapshot, name, type), 'empty', `${name} ${type}`);
  }
  for (const name of ['z.a.example', 'm3.s.e.example', 'm.s.e.example', 'k.m3.s.e.example']) {
    t.equal(verdict(snapshot, name), 'deny', name);
  }
});

t.test('local names make ancestors too, where a wildcard approves them', async (t) => {
  const records = [aRecord('x.y.z.a.example'), aRecord('p.q.b.example'), aRecord('r.c.example')];
  const snapshot = single(
    [
      rule('**.a.example', { maxLabelLength: 1 }),
      '*.b.example',
      rule('**.c.example', { types: types('TXT') }),
    ],
    { records },
  );
  t.equal(verdict(snapshot, 'x.y.z.a.example'), 'local');
  // `**.` approves them besides; what counts is that they are above a name that is written out.
  t.equal(verdict(snapshot, 'y.z.a.example'), 'allow');
  t.equal(verdict(snapshot, 'q.b.example'), 'allow', 'a name that `*.` approves');
  t.equal(verdict(snapshot, 'p.q.b.example'), 'deny', 'a record approves nothing');
  t.equal(verdict(snapshot, 'r.c.example', 'TXT'), 'local');
  t.equal(verdict(snapshot, 'r.c.example', 'A'), 'empty');
});

t.test(
  'a local name under a wildcard with bounds: what lies between exists, though nothing approves it',
  async (t) => {
    const snapshot = compiled({
      identities: [
        identity('one', {
          allow: entries(rule('**.a.example', { maxLabels: 2 }), rule('**.b.example', { maxLabelLength: 3 })),
        }),
      ],
      records: [aRecord('x.y.a.example'), aRecord('x.long.b.example')],
    });
    t.equal(verdict(snapshot, 'x.y.a.example'), 'local');
    t.equal(verdict(snapshot, 'y.a.example'), 'allow');
    t.equal(verdict(snapshot, 'x.long.b.example'), 'deny');
    t.equal(verdict(snapshot, 'long.b.example'), 'deny', 'above a local name that is not approved');
  },
);

t.test(
  'RFC 8020: NXDOMAIN is never said of a name above a local one, where a wildcard approves that',
  async (t) => {
    const above = (patternText: string, bounds: Partial<RuleTerms>, local: string, name: string): boolean => {
      const snapshot = single([rule(patternText, bounds)], { records: [aRecord(local)] });
      const octets = wire(name);
      const labels = new Uint8Array(128);
      const decision = new Decision();
      const subject = { name: octets, labels, labelCount: labelOffsets(octets, labels) };
      decide(snapshot, snapshot.identities[0]!.view, subject, 1, false, NOW, decision);
      return isNonTerminal(snapshot, snapshot.identities[0]!.view, decision);
    };
    t.equal(above('**.a.example', {}, 'x.y.a.example', 'y.a.example'), true);
    t.equal(above('**.a.example', {}, 'x.y.a.example', 'x.y.a.example'), false, 'nothing is below it');
    t.equal(above('**.a.example', {}, 'x.y.a.example', 'z.a.example'), false);
    t.equal(above('**.a.example', {}, 'x.y.b.example', 'y.b.example'), false, 'another zone');
    t.equal(above('**.a.example', {}, 'x.evila.example', 'evila.example'), false);
    t.equal(above('*.a.example', {}, 'x.y.a.example', 'y.a.example'), false, 'one label');
    t.equal(above('**.a.example', { maxLabels: 2 }, 'x.y.a.example', 'y.a.example'), true);
    t.equal(above('**.a.example', { maxLabels: 1 }, 'x.y.a.example', 'y.a.example'), false);
    t.equal(above('**.a.example', { maxLabelLength: 3 }, 'xyz.y.a.example', 'y.a.example'), true);
    t.equal(above('**.a.example', { maxLabelLength: 2 }, 'xyz.y.a.example', 'y.a.example'), false);
    t.equal(above('**.a.example', { maxLabelLength: 2 }, 'x.yyy.a.example', 'yyy.a.example'), false);
  },
);

t.test('several rules on one name: any of them approves', async (t) => {
  const snapshot = single([
    rule('a.z.example', { types: types('TXT') }),
    rule('*.z.example', { types: types('MX') }),
    rule('a{0..1}.z.example', { types: types('A') }),
    rule('**.z.example', { types: types('AAAA') }),
  ]);
  const decided = (name: string, type: string): string | null =>
    ask(snapshot, snapshot.identities[0]!.view, name, type).pattern;
  t.equal(decided('a.z.example', 'TXT'), 'a.z.example');
  t.equal(decided('a.z.example', 'MX'), '*.z.example');
  t.equal(decided('a.z.example', 'AAAA'), '**.z.example');
  t.equal(verdict(snapshot, 'a.z.example', 'A'), 'empty');
  t.equal(decided('a1.z.example', 'A'), 'a{0..1}.z.example');
});

t.test('several rules on one name: exact, family, `*.`, the longest `**.`', async (t) => {
  const order = ['n1.a.z.example', 'n{0..3}.a.z.example', '*.a.z.example', '**.a.z.example', '**.z.example'];
  for (let skip = 0; skip < order.length; skip++) {
    // In both orders of writing, and with the less specific ending later: specificity comes first.
    for (const patterns of [order.slice(skip), order.slice(skip).reverse()]) {
      const rules = patterns.map((text) => rule(text, { until: NOW + 1000 + order.indexOf(text) }));
      const asked = ask(single(rules), single(rules).identities[0]!.view, 'n1.a.z.example');
      t.equal(asked.pattern, order[skip], patterns.join(', '));
      t.equal(asked.until, NOW + 1000 + skip);
    }
  }
});

t.test(
  'several rules on one name: a family with labels in front is a family, not an exact name',
  async (t) => {
    const exact = rule('x.n1.a.example', { until: NOW + 100, reason: 'exact' });
    const family = rule('x.n{0..3}.a.example', { reason: 'family' });
    for (const rules of [
      [exact, family],
      [family, exact],
    ]) {
      const snapshot = single(rules);
      const { view } = snapshot.identities[0]!;
      t.equal(ask(snapshot, view, 'x.n1.a.example').reason, 'exact', 'although the family ends later');
      t.equal(ask(snapshot, view, 'x.n2.a.example').reason, 'family');
      t.equal(
        ask(snapshot, view, 'x.n1.a.example', 'A', { now: NOW + 100 }).reason,
        'family',
        'when it has ended',
      );
      t.equal(ask(snapshot, view, 'x.n1.a.example').pattern, 'x.n1.a.example');
      t.equal(ask(snapshot, view, 'x.n2.a.example').pattern, 'x.n{0..3}.a.example');
    }
  },
);

t.test('several rules on one name: among equals the later expiry decides', async (t) => {
  const cases: [string, string, string][] = [
    ['a.example', 'a.example', 'a.example'],
    ['*.z.example', '*.z.example', 'a.z.example'],
    ['**.z.example', '**.z.example', 'b.a.z.example'],
    ['n{0..9}.example', 'n{5..15}.example', 'n7.example'],
    // Families are equally specific, whatever their prefixes are.
    ['n{0..99}.example', 'n1{0..9}.example', 'n15.example'],
    ['n{0..99}.example', '{0..9}.n5.example', 'n15.example'],
    ['x1.n{0..9}.example', 'x{0..9}.n5.example', 'x1.n5.example'],
  ];
  for (const [first, second, name] of cases) {
    for (const swap of [false, true]) {
      const long = rule(swap ? second : first, { until: NOW + 200, reason: 'long' });
      const short = rule(swap ? first : second, { until: NOW + 100, reason: 'short' });
      for (const rules of [
        [long, short],
        [short, long],
      ]) {
        const snapshot = single(rules);
        const asked = ask(snapshot, snapshot.identities[0]!.view, name);
        if (name === 'n15.example' && second.includes('.n5.')) t.equal(asked.pattern, first);
        else t.match(asked, { reason: 'long', until: NOW + 200 }, `${first}, ${second}`);
      }
    }
  }
});

t.test('equal rules of several destinations: the later expiry decides across them', async (t) => {
  const snapshot = compiled({
    destinations: [
      destination('d0', [rule('a.example', { destination: 'd0', until: NOW + 5 })]),
      destination('d1', [rule('a.example', { destination: 'd1', until: NOW + 9 })]),
      destination('d2', [rule('a.example', { destination: 'd2', until: NOW + 7 })]),
    ],
    identities: [
      identity('one', { allow: entries('=d0', '=d2') }),
      identity('other', { allow: entries('=d2', '=d1', '=d0') }),
    ],
  });
  t.equal(ask(snapshot, snapshot.identities[0]!.view, 'a.example').until, NOW + 7);
  t.equal(ask(snapshot, snapshot.identities[1]!.view, 'a.example').until, NOW + 9);
});

t.test('default types', async (t) => {
  const snapshot = single([
    'a.example',
    'n{0..1}.b.example',
    'x.n{0..1}.c.example',
    '*.d.example',
    '**.e.example',
  ]);
  for (const [name, https] of [
    ['a.example', 'allow'],
    ['n1.b.example', 'allow'],
    ['x.n1.c.example', 'allow'],
    ['x.d.example', 'empty'],
    ['x.e.example', 'empty'],
  ] as const) {
    for (const type of ['A', 'AAAA', 'CNAME', 'ANY'])
      t.equal(verdict(snapshot, name, type), 'allow', `${name} ${type}`);
    t.equal(verdict(snapshot, name, 'HTTPS'), https, `${name} HTTPS`);
    for (const type of [
      'TXT',
      'MX',
      'SRV',
      'SVCB',
      'NS',
      'SOA',
      'DS',
      'CAA',
      'TYPE0',
      'TYPE128',
      'TYPE65535',
      'OPT',
    ]) {
      const asked = ask(snapshot, snapshot.identities[0]!.view, name, type);
      t.equal(asked.verdict, 'empty', `${name} ${type}`);
      t.equal(asked.ground, 'RULE');
      t.not(asked.pattern, null, 'the rule that approves other types is named');
    }
  }
});

t.test('explicit types replace the defaults, whatever their number is', async (t) => {
  const snapshot = single([
    rule('a.example', { types: [0, 16, 31, 32, 63, 64, 254, 256, 257, 32_768, 65_535] }),
  ]);
  for (let type = 0; type <= 300; type++) {
    const expected = [0, 16, 31, 32, 63, 64, 254, 255, 256, 257].includes(type) ? 'allow' : 'empty';
    if (verdict(snapshot, 'a.example', type) !== expected) t.fail(`type ${type} is not ${expected}`);
  }
  for (const [type, expected] of [
    [511, 'empty'],
    [512, 'empty'],
    // 256 + 16 and so on: the bits of a low type are not those of a high one.
    [272, 'empty'],
    [32_767, 'empty'],
    [32_768, 'allow'],
    [32_784, 'empty'],
    [65_534, 'empty'],
    [65_535, 'allow'],
  ] as const) {
    t.equal(verdict(snapshot, 'a.example', type), expected, `type ${type}`);
  }
});

t.test('max_labels and max_label_length', async (t) => {
  const snapshot = single([
    rule('**.a.example', { maxLabels: 2 }),
    rule('**.b.example', { maxLabelLength: 3 }),
    rule('*.c.example', { maxLabelLength: 3 }),
    rule('**.d.example', { maxLabels: 1, maxLabelLength: 1 }),
  ]);
  const cases: [string, string][] = [
    ['x.a.example', 'allow'],
    ['x.y.a.example', 'allow'],
    ['x.y.z.a.example', 'deny'],
    [`${'x'.repeat(63)}.a.example`, 'allow'],
    ['abc.b.example', 'allow'],
    ['abcd.b.example', 'deny'],
    ['abcd.x.b.example', 'deny'],
    ['x.abcd.b.example', 'deny'],
    ['abc.abc.abc.b.example', 'allow'],
    ['abc.c.example', 'allow'],
    ['abcd.c.example', 'deny'],
    ['x.d.example', 'allow'],
    ['xy.d.example', 'deny'],
    ['x.y.d.example', 'deny'],
  ];
  for (const [name, expected] of cases) t.equal(verdict(snapshot, name), expected, name);
});

t.test('a bounded wildcard does not hide one with a shorter base', async (t) => {
  const snapshot = single([
    rule('**.a.z.example', { maxLabels: 1, reason: 'near' }),
    rule('**.z.example', { reason: 'far' }),
  ]);
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'x.a.z.example').reason, 'near');
  t.equal(ask(snapshot, view, 'x.y.a.z.example').reason, 'far');
  t.equal(ask(snapshot, view, 'a.z.example').reason, 'far', 'the base is a name under the other base');
});

t.test('a rule stops approving at its second, and its ancestors go with it', async (t) => {
  const until = NOW + 10;
  for (const text of [
    'x.a.example',
    '*.a.example',
    '**.a.example',
    'x{0..1}.a.example',
    'y.x{0..1}.a.example',
  ]) {
    const snapshot = single([rule(text, { until })]);
    const name = text.replace('{0..1}', '1').replace(/^\*+/, 'x');
    for (const [now, expected, above] of [
      [NOW, 'allow', 'empty'],
      [until - 1, 'allow', 'empty'],
      [until - 0.001, 'allow', 'empty'],
      [until, 'deny', 'deny'],
      [until + 1, 'deny', 'deny'],
    ] as const) {
      t.equal(verdict(snapshot, name, 'A', { now }), expected, `${name} at ${now - until}`);
      t.equal(verdict(snapshot, 'a.example', 'A', { now }), above, `a.example at ${now - until}`);
      t.equal(verdict(snapshot, 'example', 'A', { now }), above);
      t.equal(verdict(snapshot, '.', 'A', { now }), 'empty', 'the root is always there');
    }
  }
});

t.test('an ancestor lives as long as the last of what is below it', async (t) => {
  const snapshot = single([
    rule('x.a.example', { until: NOW + 10 }),
    rule('y.a.example', { until: NOW + 30 }),
    rule('z.b.a.example', { until: NOW + 20 }),
  ]);
  const at = (name: string, seconds: number): string => verdict(snapshot, name, 'A', { now: NOW + seconds });
  t.equal(at('b.a.example', 19), 'empty');
  t.equal(at('b.a.example', 20), 'deny');
  t.equal(at('a.example', 29), 'empty');
  t.equal(at('a.example', 30), 'deny');
});

t.test(
  'a name that is approved, and an ancestor of another: the approval decides, then the ancestry',
  async (t) => {
    const snapshot = single([rule('a.example', { until: NOW + 10 }), 'x.a.example']);
    t.equal(verdict(snapshot, 'a.example'), 'allow');
    t.equal(verdict(snapshot, 'a.example', 'TXT'), 'empty');
    t.equal(verdict(snapshot, 'a.example', 'A', { now: NOW + 10 }), 'empty');
  },
);

t.test('until of the deciding rule is given, FOREVER where it does not end', async (t) => {
  const snapshot = single([rule('a.example', { until: NOW + 10 }), 'b.example']);
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'a.example').until, NOW + 10);
  t.equal(ask(snapshot, view, 'b.example').until, FOREVER);
  t.equal(ask(snapshot, view, 'c.example').until, FOREVER);
});

t.test('records and redirects are local for every type, where the name is approved', async (t) => {
  const snapshot = compiled({
    identities: [
      identity('one', {
        allow: entries('a.example', rule('b.example', { types: types('TXT') }), '*.c.example'),
      }),
      identity('other', {}),
    ],
    records: [aRecord('a.example'), aRecord('b.example'), aRecord('z.example')],
    redirects: [redirect('x.c.example', 'mirror.test')],
  });
  t.equal(verdict(snapshot, 'a.example', 'A'), 'local');
  t.equal(verdict(snapshot, 'a.example', 'HTTPS'), 'local', 'no data, but not outside');
  t.equal(verdict(snapshot, 'a.example', 'TXT'), 'empty', 'a type that is not approved');
  t.equal(verdict(snapshot, 'b.example', 'A'), 'empty', 'the type of the record decides nothing');
  t.equal(verdict(snapshot, 'b.example', 'TXT'), 'local');
  t.equal(verdict(snapshot, 'x.c.example'), 'local');
  t.equal(verdict(snapshot, 'y.c.example'), 'allow');
  t.equal(verdict(snapshot, 'z.example'), 'deny', 'a record approves nothing');
  t.equal(verdict(snapshot, 'mirror.test'), 'deny', 'nor does a redirect');
  const { view } = snapshot.identities[1]!;
  for (const name of ['a.example', 'b.example', 'x.c.example', 'example'])
    t.equal(ask(snapshot, view, name).verdict, 'deny', name);
});

t.test('DS and DNSKEY of approved names and their ancestors, for a validator alone', async (t) => {
  const snapshot = single(['x.a.example', '*.b.example', 'n{0..3}.c.example', 'l.example'], {
    records: [aRecord('l.example')],
  });
  const { view } = snapshot.identities[0]!;
  for (const name of [
    'x.a.example',
    'a.example',
    'example',
    '.',
    'y.b.example',
    'b.example',
    'n1.c.example',
    'c.example',
  ]) {
    for (const type of ['DS', 'DNSKEY']) {
      t.match(
        ask(snapshot, view, name, type, { dnssec: true }),
        { verdict: 'allow', ground: 'CHAIN_OF_TRUST' },
        `${name} ${type}`,
      );
      t.equal(ask(snapshot, view, name, type).verdict, 'empty', `${name} ${type} without DO`);
    }
    for (const type of ['TXT', 'NSEC', 'RRSIG', 'CDS', 'ANY']) {
      t.not(ask(snapshot, view, name, type, { dnssec: true }).ground, 'CHAIN_OF_TRUST', `${name} ${type}`);
    }
  }
  for (const name of ['z.a.example', 'z.y.b.example', 'n4.c.example', 'com', 'evil.test']) {
    t.equal(ask(snapshot, view, name, 'DS', { dnssec: true }).verdict, 'deny', name);
  }
  t.match(
    ask(snapshot, view, 'l.example', 'DS', { dnssec: true }),
    { verdict: 'empty' },
    'local data is local for every type',
  );
  t.match(
    ask(snapshot, snapshot.views[0]!, '.', 'DNSKEY', { dnssec: true }),
    { verdict: 'empty' },
    'unknown asks nobody',
  );
  t.match(ask(snapshot, snapshot.views[0]!, 'arpa', 'DS', { dnssec: true }), { verdict: 'empty' });
});

t.test(
  'DS of an approved name is approved by the rule that decides for the name, and ends with it',
  async (t) => {
    const snapshot = compiled({
      identities: [
        identity('one', {
          allow: entries(
            rule('a.z.example', { until: NOW + 10, reason: 'short' }),
            rule('a.z.example', { until: NOW + 20, reason: 'long', types: types('TXT') }),
            rule('*.z.example', { until: NOW + 30, reason: 'star' }),
          ),
          exceptions: [rule('b.z.example', { until: NOW + 5, reason: 'exception' })],
        }),
      ],
    });
    const { view } = snapshot.identities[0]!;
    const ds = (name: string, now = NOW) => ask(snapshot, view, name, 'DS', { dnssec: true, now });
    t.match(ds('a.z.example'), { ground: 'CHAIN_OF_TRUST', reason: 'long', until: NOW + 20, dynamic: false });
    t.match(ds('a.z.example', NOW + 20), { ground: 'CHAIN_OF_TRUST', reason: 'star', until: NOW + 30 });
    t.match(ds('b.z.example'), {
      ground: 'CHAIN_OF_TRUST',
      reason: 'exception',
      until: NOW + 5,
      dynamic: true,
    });
    t.match(ds('a.z.example', NOW + 30), { verdict: 'deny' });
  },
);

t.test('approved DS is approved, with DO or without', async (t) => {
  const snapshot = single([rule('a.example', { types: types('DS') })]);
  for (const dnssec of [false, true]) {
    t.match(ask(snapshot, snapshot.identities[0]!.view, 'a.example', 'DS', { dnssec }), {
      verdict: 'allow',
      ground: 'RULE',
    });
  }
});

t.test('the closest ancestor of a question in the view', async (t) => {
  const snapshot = single([
    'x.a.example',
    '*.b.example',
    rule('**.c.example', { maxLabels: 2 }),
    'n{0..3}.d.example',
  ]);
  const { view } = snapshot.identities[0]!;
  const cases: [string, number, number][] = [
    // Without and with the question itself: labels of the ancestor.
    ['.', 0, 0],
    ['example', 0, 1],
    ['com', 0, 0],
    ['q.com', 0, 0],
    ['q.example', 1, 1],
    ['q.a.example', 2, 2],
    ['x.a.example', 2, 3],
    ['q.x.a.example', 3, 3],
    ['q.r.x.a.example', 3, 3],
    ['y.b.example', 2, 3],
    ['q.y.b.example', 3, 3],
    ['z.q.y.b.example', 3, 3],
    ['p.c.example', 2, 3],
    ['p.q.c.example', 3, 4],
    ['p.q.r.c.example', 4, 4],
    ['p.q.r.s.t.c.example', 4, 4],
    ['n1.d.example', 2, 3],
    ['q.n1.d.example', 3, 3],
    ['n9.d.example', 2, 2],
    ['q.n9.d.example', 2, 2],
    ['x.localhost', 1, 1],
    ['q.internal', 1, 1],
    ['q.namegate.internal', 2, 2],
    ['x.use-application-dns.net', 0, 0],
    ['use-application-dns.net', 0, 0],
  ];
  for (const [name, above, atOrAbove] of cases)
    t.match(ask(snapshot, view, name), { above, atOrAbove }, name);
});

t.test('the closest ancestor dies with its rule', async (t) => {
  const snapshot = single([rule('x.a.example', { until: NOW + 10 })]);
  const { view } = snapshot.identities[0]!;
  t.equal(ask(snapshot, view, 'q.x.a.example').above, 3);
  t.equal(ask(snapshot, view, 'q.x.a.example', 'A', { now: NOW + 10 }).above, 0);
});

t.test('the longest names are decided', async (t) => {
  const deep = Buffer.concat([Buffer.from('\x01x'.repeat(120)), wire('a.b.c')]);
  const snapshot = single(['**.a.b.c', rule('**.b.c', { maxLabels: 3 })]);
  t.equal(verdict(snapshot, deep), 'allow');
  const view = snapshot.identities[0]!.view;
  t.match(ask(snapshot, view, Buffer.concat([Buffer.from('\x01x'.repeat(124)), wire('b.c')])), {
    verdict: 'deny',
    above: 5,
  });
  t.match(ask(snapshot, view, Buffer.concat([Buffer.from('\x01x'.repeat(127)), Buffer.from([0])])), {
    verdict: 'deny',
    above: 0,
  });
});

t.equal(Object.keys(VERDICT).length, 4);

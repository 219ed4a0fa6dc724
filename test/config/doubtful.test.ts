import t, { type Test } from 'tap';
import { brief, loadFrom, write } from './harness.ts';

/** What loads, and is most likely not what its author meant: each is a warning, and its neighbours are none. */

const SERVER = 'upstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n';

interface Written {
  readonly listen?: string;
  readonly names?: string;
  readonly identities?: string;
}

function warnings(t: Test, { listen, names, identities }: Written): string[] {
  const dir = write(t, {
    'namegate.yaml': `listen: ${listen ?? '["udp://127.0.0.1:5300"]'}\n${SERVER}`,
    'policy.yaml': `destinations:
  one: { owner: o, reason: r, names: ${names ?? '[a.example]'} }
identities:
${identities ?? '  - { name: i, owner: o, review_by: 2099-01-01, from: { addresses: [192.0.2.0/24] }, allow: [one] }'}
`,
  });
  return brief(dir, loadFrom(dir));
}

const identity = (name: string, addresses: string): string =>
  `  - { name: ${name}, owner: o, review_by: 2099-01-01, from: { addresses: [${addresses}] }, allow: [one] }`;

t.test('a listener on [::]', async (t) => {
  const alone = 'namegate.yaml:1:10 listen-family?';
  const rows: [string, string[]][] = [
    ['["udp://[::]:53"]', [alone]],
    ['["tcp://[::]:53"]', [alone]],
    ['["udp://[::]:53", "udp://0.0.0.0:53"]', []],
    ['["udp://0.0.0.0:53", "udp://[::]:53"]', []],
    ['["udp://[::]:53", "udp://192.0.2.7:53"]', []],
    ['["udp://[::]:53", "udp://0.0.0.0:54"]', [alone]],
    ['["udp://[::]:53", "tcp://0.0.0.0:53"]', [alone]],
    ['["udp://[::1]:53"]', []],
  ];
  for (const [listen, expected] of rows) t.same(warnings(t, { listen }), expected, listen);
});

t.test('an escaped dot', async (t) => {
  const rows: [string, string[]][] = [
    ["['github\\.com']", ['policy.yaml:2:46 pattern-dot?']],
    ["[{ name: '*.git\\.hub.example' }]", ['policy.yaml:2:53 pattern-dot?']],
    ["['a\\\\.example']", []],
    ["['a\\046b.example']", []],
    ['[github.com]', []],
  ];
  for (const [names, expected] of rows) t.same(warnings(t, { names }), expected, names);
});

t.test('a pattern twice', async (t) => {
  const twice = (column: number): string[] => [`policy.yaml:2:${column} pattern-twice?`];
  const rows: [string, string[]][] = [
    ['[a.example, a.example]', twice(50)],
    ['[a.example, A.Example.]', twice(50)],
    ['[a.example, { name: a.example }]', twice(58)],
    ['["*.a.example", "*.a.example"]', twice(54)],
    ['[a.example, "*.a.example"]', []],
    ['[a.example, { name: a.example, types: [TXT] }]', []],
  ];
  for (const [names, expected] of rows) t.same(warnings(t, { names }), expected, names);
});

t.test('a prefix inside that of another identity', async (t) => {
  const rows: [string, string, string[]][] = [
    ['10.0.0.0/8', '10.1.0.0/16', ['policy.yaml:5 address-inside?']],
    ['10.1.0.0/16', '10.0.0.0/8', ['policy.yaml:4 address-inside?']],
    ['10.0.0.0/8', '10.1.0.0/16, 10.2.0.0/16', ['policy.yaml:5 address-inside?']],
    ['192.0.2.128/25', '192.0.2.255', ['policy.yaml:5 address-inside?']],
    ['192.0.2.128/25', '192.0.2.127', []],
    ['"2001:db8::/33"', '"2001:db8:7fff::1"', ['policy.yaml:5 address-inside?']],
    ['"2001:db8::/33"', '"2001:db8:8000::1"', []],
    ['10.0.0.0/8, 10.1.0.0/16', '192.0.2.1', []],
    ['10.0.0.0/8', '11.0.0.0/8', []],
  ];
  for (const [first, second, expected] of rows) {
    const identities = `${identity('i', first)}\n${identity('j', second)}`;
    const found = warnings(t, { identities }).map((line) => line.replace(/^(\S+:\d+):\d+/, '$1'));
    t.same(found, expected, `${first} and ${second}`);
  }
});

t.test('a pattern in two destinations, in a list twice, or on the spot', async (t) => {
  const one = '  one: { owner: o, reason: r, names: [a.example, "*.w.example", "n{0..9}.example"] }';
  const who = (name: string, last: number, terms: string): string =>
    `  - { name: ${name}, owner: o, review_by: 2099-01-01, from: { addresses: [192.0.2.${last}] }, ${terms} }`;
  const both = who('i', 1, 'allow: [one, two]');
  const two = (names: string, more = ''): string =>
    `  two: { owner: p, reason: s, names: [${names}]${more} }`;
  const twin = ['policy.yaml:3:39 pattern-twice?'];
  const rows: [string, string, string, string[]][] = [
    ['both allowed', two('a.example'), both, twin],
    ['a wildcard', two('"*.w.example"'), both, twin],
    ['a family', two('"n{0..9}.example"'), both, twin],
    ['another range', two('"n{0..8}.example"'), both, []],
    ['another kind', two('"**.w.example"'), both, []],
    ['other types', two('{ name: a.example, types: [TXT] }'), both, []],
    ['an end', two('{ name: a.example, until: 2098-01-01 }'), both, []],
    ['each alone', two('a.example'), `${who('i', 1, 'allow: [one]')}\n${who('j', 2, 'allow: [two]')}`, []],
    [
      'together, and each alone',
      two('a.example'),
      [both, who('j', 2, 'allow: [one]'), who('k', 3, 'allow: [two]')].join('\n'),
      [],
    ],
    ['the first alone too', two('a.example'), `${both}\n${who('j', 2, 'allow: [one]')}`, twin],
    [
      'the second alone too',
      two('a.example'),
      `${both}\n${who('j', 2, 'allow: [two]')}`,
      ['policy.yaml:2:39 pattern-twice?'],
    ],
    [
      'a stage that adds',
      two('a.example'),
      who('i', 1, 'allow: [one], stages: { s: { allow: [two] } }'),
      twin,
    ],
    ['a stage of its own', two('a.example'), who('i', 1, 'allow: [one], stages: { s: { only: [two] } }'), []],
    [
      'on the spot',
      two('b.example'),
      who('i', 1, 'allow: [one, two, { name: a.example, reason: r }]'),
      ['policy.yaml:5:109 pattern-twice?'],
    ],
    [
      'an exception',
      two('b.example'),
      who(
        'i',
        1,
        'allow: [one, two], exceptions: [{ name: a.example, until: 2098-01-01, reason: r, approved_by: x }]',
      ),
      [],
    ],
    [
      'a list of another destination',
      two('b.example', ', names_from: [l.txt]'),
      both,
      ['l.txt:2:3 pattern-twice?'],
    ],
    ['a list, twice', two('b.example', ', names_from: [m.txt]'), both, ['m.txt:3:1 pattern-twice?']],
    [
      'a list, and names',
      two('c.example', ', names_from: [m.txt, l.txt]'),
      both,
      ['l.txt:2:3 pattern-twice?', 'm.txt:4:1 pattern-twice?'],
    ],
  ];
  for (const [what, destination, identities, expected] of rows) {
    const dir = write(t, {
      'namegate.yaml': `listen: ["udp://127.0.0.1:5300"]\n${SERVER}`,
      'policy.yaml': `destinations:\n${one}\n${destination}\nidentities:\n${identities}\n`,
      'l.txt': '# a comment\n  a.example\n',
      'm.txt': 'x.example\ny.example\nx.example\nc.example\n',
    });
    t.same(brief(dir, loadFrom(dir)).sort(), expected.sort(), what);
  }
});

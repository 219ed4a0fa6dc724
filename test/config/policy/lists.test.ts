import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { load } from '../../../src/config/load.ts';
import { foreignForm } from '../../../src/config/policy/list-forms.ts';
import { nameOfNode } from '../../../src/policy/tree.ts';
import { nameToText } from '../../../src/wire/name.ts';
import { NOW, POLICY, put, SERVER, write } from '../harness.ts';

const policyOf = (list: string): string =>
  `destinations: { d: { owner: o, reason: r, names_from: [${list}] } }\n${POLICY}    allow: [d]\n`;

/** Loads as `check` in the folder does, so that paths in advice are as a person would paste them. */
function check(dir: string) {
  const here = process.cwd();
  process.chdir(dir);
  try {
    return load('namegate.yaml', { env: {}, now: NOW, salt: 7 });
  } finally {
    process.chdir(here);
  }
}

interface Form {
  readonly what: string;
  readonly text: string;
  /** Lines that the command leaves, as a set; null where there is no command. */
  readonly names: readonly string[] | null;
  readonly says: RegExp;
}

const FORMS: readonly Form[] = [
  {
    what: 'hosts',
    text: '# block\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 a.example\n0.0.0.0\tb.example c.example # note\n',
    names: ['a.example', 'b.example', 'c.example'],
    says: /hosts file/,
  },
  { what: 'hosts, one line', text: '0.0.0.0 host.example\n', names: ['host.example'], says: /hosts file/ },
  {
    what: 'Adblock',
    text: '[Adblock Plus 2.0]\n! Title: x\n||a.example^\n||b.example^$third-party\n@@||c.example^\n',
    names: ['a.example', '**.a.example', 'b.example', '**.b.example', 'c.example', '**.c.example'],
    says: /Adblock.*block/s,
  },
  {
    what: 'dnsmasq',
    text: 'address=/a.example/0.0.0.0\nserver=/b.example/c.example/192.0.2.1\nlocal=/d.example/\n',
    names: ['a.example', 'b.example', 'c.example', 'd.example'].flatMap((name) => [name, `**.${name}`]),
    says: /dnsmasq/,
  },
  {
    what: 'RPZ',
    text: '$TTL 300\n@ SOA localhost. root.localhost. 1 2h 30m 30d 30m\n  NS localhost.\na.example CNAME .\n*.a.example 300 IN CNAME .\n32.1.2.0.192.rpz-ip CNAME .\nb.example. IN A 192.0.2.1\n',
    names: ['**.a.example', 'a.example', 'b.example'],
    says: /RPZ/,
  },
  {
    what: 'Unbound',
    text: 'server:\n  local-zone: "a.example" always_nxdomain\n  local-zone: "b.example." refuse\n',
    names: ['a.example', '**.a.example', 'b.example', '**.b.example'],
    says: /Unbound/,
  },
  {
    what: 'BIND',
    text: 'zone "a.example" { type hint; };\n',
    names: ['a.example', '**.a.example'],
    says: /BIND/,
  },
  {
    what: 'CSV, the second column',
    text: 'rank,domain\n1,a.example\n2,b.example\n3,"c.example"\n',
    names: ['a.example', 'b.example', 'c.example'],
    says: /column 2/,
  },
  {
    what: 'CSV, one line below its head',
    text: 'name,reason\na.example,clone\n',
    names: ['a.example'],
    says: /column 1/,
  },
  {
    what: 'Markdown',
    text: '- `a.example`\n- `*.b.example`\n- c.example\n',
    names: ['*.b.example', 'a.example', 'c.example'],
    says: /Markdown/,
  },
  {
    what: 'CSV with a reason',
    text: 'a.example;clone;2027-01-01\nb.example;fetch;2027-01-01\n',
    names: ['a.example', 'b.example'],
    says: /column 1/,
  },
  { what: 'TSV', text: 'x\ta.example\ny\tb.example\n', names: ['a.example', 'b.example'], says: /column 2/ },
  {
    what: 'CRLF and commas',
    text: '"a.example",\r\n"b.example",\r\n',
    names: ['a.example', 'b.example'],
    says: /commas/,
  },
  {
    what: 'names side by side',
    text: 'a.example b.example\n',
    names: ['a.example', 'b.example'],
    says: /several names/,
  },
  {
    what: 'names side by side with tabs',
    text: 'a.example\tb.example\nc.example\td.example\n',
    names: ['a.example', 'b.example', 'c.example', 'd.example'],
    says: /several names/,
  },
  {
    what: 'URLs',
    text: 'https://a.example/x?y\nhttp://user@b.example:8080/\nhttps://a.example\n',
    names: ['a.example', 'b.example'],
    says: /URLs/,
  },
  {
    what: 'leading dots',
    text: '.a.example\n.b.example\n',
    names: ['a.example', '**.a.example', 'b.example', '**.b.example'],
    says: /leading dots/,
  },
  {
    what: 'ports',
    text: 'a.example:443\nb.example:8443\n',
    names: ['a.example', 'b.example'],
    says: /ports/,
  },
  {
    what: 'a YAML list',
    text: '- a.example\n- "b.example"\n- \'c.example\' # x\n',
    names: ['a.example', 'b.example', 'c.example'],
    says: /YAML/,
  },
  { what: 'JSON', text: '[\n  "a.example"\n]\n', names: null, says: /JSON/ },
  {
    what: 'HTML',
    text: '<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body>Not found</body></html>\n',
    names: null,
    says: /web page.*download the list/s,
  },
  {
    what: 'regular expressions',
    text: '(^|\\.)a\\.example$\n^b[0-9]+\\.example$\n',
    names: null,
    says: /regular expressions/,
  },
  {
    what: 'regular expressions that escape each dot',
    text: 'a\\.example\nwww\\.b\\.example\n\\w+.c.example\n',
    names: null,
    says: /regular expressions/,
  },
  { what: 'addresses', text: '192.0.2.0/24\n2001:db8::1\n', names: null, says: /addresses/ },
  {
    what: 'PEM',
    text: '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n',
    names: null,
    says: /PEM/,
  },
  {
    what: 'a merge',
    text: 'a.example\n<<<<<<< HEAD\nb.example\n=======\nc.example\n>>>>>>> x\n',
    names: null,
    says: /git merge/,
  },
];

for (const { what, text, names, says } of FORMS) {
  t.test(`${what}: recognised once, and the command that is printed mends it`, async (t) => {
    for (const [copies, end] of [
      [1, '\n'],
      [1, '\r\n'],
      [400, '\n'],
    ] as const) {
      const dir = write(t, {
        'namegate.yaml': SERVER,
        'policy.yaml': policyOf('lists/l.txt'),
        'lists/l.txt': text.repeat(copies).replace(/\r?\n/g, end),
      });
      const { problems } = check(dir);
      t.equal(problems.length, 1, `${copies} copies`);
      const { code, message, fix, at } = problems[0]!;
      t.equal(code, 'list-form');
      t.equal(at.file, 'lists/l.txt');
      t.match(`${message}; ${fix}`, says);
      const command = /^convert it: (.*?); and /.exec(fix)?.[1];
      t.equal(command === undefined, names === null, fix);
      if (command === undefined) continue;
      execFileSync('sh', ['-euc', command], { cwd: dir });
      const left = new Set(readFileSync(join(dir, 'lists/l.txt'), 'utf8').trim().split('\n'));
      t.same([...left].sort(), [...names!].sort());
      const again = check(dir);
      t.same(
        again.problems.filter(({ code }) => code !== 'name-repeated'),
        [],
      );
      t.ok(again.snapshot!.rules.count > 0);
    }
  });
}

t.test('lists of ours stay what they are, whatever stands in some lines', async (t) => {
  for (const [text, codes] of [
    ['a.example\n*.b.example # x\n**.c.example\nn{0..9}.d.example\n', ''],
    ['a.example\n0.0.0.0 b.example\nc.example\n', 'pattern-character'],
    ['a.example\n||b.example^\nc.example\n', 'pattern-character'],
    ['a.example\nhttps://b.example\nc.example\n', 'pattern-url'],
    ['com\nnet\n', ''],
    ['_dmarc.a.example\na-b.example\n1.example\n', ''],
    ['a.example,\nb.example\nc.example\n', 'pattern-character'],
    [`${'# A comment: with - marks\n'.repeat(9)}a.example\n`, ''],
  ] as const) {
    const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': policyOf('l.txt'), 'l.txt': text });
    t.equal(
      check(dir)
        .problems.map(({ code }) => code)
        .join(' '),
      codes,
      text,
    );
  }
});

t.test('a list without names is said, blank or with comments alone', async (t) => {
  for (const [text, severity] of [
    ['', 'error'],
    ['\n \r\n\t\n', 'error'],
    ['\ufeff', 'error'],
    ['# nothing yet\n', 'warning'],
    ['\n  # a\n#b', 'warning'],
  ] as const) {
    const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': policyOf('l.txt'), 'l.txt': text });
    t.match(
      check(dir).problems,
      [{ code: 'destination-empty', severity, at: { file: 'l.txt' } }],
      JSON.stringify(text),
    );
    t.equal(check(dir).problems.length, 1);
    put(dir, { 'l.txt': 'a.example' });
    const { problems, snapshot } = check(dir);
    t.same(problems, []);
    t.equal(nameToText(nameOfNode(snapshot!.tree, snapshot!.rules.node[0]!)), 'a.example');
  }
});

t.test('a URL, a backslash path, and a merge in YAML', async (t) => {
  const told = (list: string): string => {
    const dir = write(t, {
      'namegate.yaml': SERVER,
      'policy.yaml': policyOf(list),
      'lists/l.txt': 'a.example\n',
    });
    return check(dir)
      .problems.map(({ code, fix }) => `${code}: ${fix}`)
      .join(' ');
  };
  t.match(told('"https://lists.example/x.txt"'), /^list-form: fetch it/);
  t.equal(told("'lists\\l.txt'"), 'list-form: write lists/l.txt');
  t.equal(told("'C:\\lists\\l.txt'"), 'list-form: write lists/l.txt');
  t.equal(told('lists/l.txt'), '');
  const dir = write(t, {
    'namegate.yaml': SERVER,
    'policy.yaml': `<<<<<<< HEAD\n${POLICY}=======\n${POLICY}>>>>>>> x\n`,
  });
  t.match(check(dir).problems, [{ code: 'yaml-syntax', message: /git merge/, at: { line: 1 } }]);
  t.equal(check(dir).problems.length, 1);
});

t.test('the commands that docs/policy.md shows convert a list of each kind', async (t) => {
  const page = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/^# (an? .+)\n(awk .* (\S+) [|] sort -u)$/gm)];
  const samples: Readonly<Record<string, readonly [text: string, names: string]>> = {
    'a hosts file': [
      '# top\n127.0.0.1 localhost\n0.0.0.0 0.0.0.0\n0.0.0.0 a.example b.example # note\n',
      'a.example b.example',
    ],
    'an Adblock filter list': [
      '! title\n||a.example^\n||b.example^$third-party\nc.example##.banner\n',
      'a.example **.a.example b.example **.b.example',
    ],
    'a dnsmasq configuration': [
      'domain-needed\naddress=/a.example/0.0.0.0\nserver=/b.example/192.0.2.53\n',
      'a.example **.a.example b.example **.b.example',
    ],
    'a response policy zone (RPZ)': [
      '$TTL 60\n@ SOA localhost. root.localhost. 1 2 3 4 5\n@ NS localhost.\na.example CNAME .\n*.a.example 60 IN CNAME .\n32.1.2.0.192.rpz-ip CNAME .\n',
      'a.example **.a.example',
    ],
  };
  t.same(shown.map(([, what]) => what).sort(), Object.keys(samples).sort());
  for (const [, what = '', command = '', file = ''] of shown) {
    const [text, names] = samples[what]!;
    t.equal(
      foreignForm(text)?.what.startsWith(what.replace(/ \(.*/, '')) || what.includes('RPZ'),
      true,
      what,
    );
    const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': policyOf('l.txt'), [file]: text });
    const left = execFileSync('sh', ['-euc', command], { cwd: dir, encoding: 'utf8' });
    t.same(left.trim().split('\n').sort(), names.split(' ').sort(), command);
    put(dir, { 'l.txt': left });
    t.same(check(dir).problems, []);
  }
});

t.test('a list has another form where more than half of its lines have it', async (t) => {
  for (const [line, what] of [
    ['0.0.0.0 a.example', /hosts/],
    ['||a.example^', /Adblock/],
    ['a.example 60 IN CNAME .', /zone/],
    ['note,a.example', /table/],
    ['a.example b.example', /several names/],
  ] as const) {
    const list = (foreign: number, ours: number): string => {
      const lines = [...Array<string>(foreign).fill(line), ...Array<string>(ours).fill('x.example')];
      return `${lines.join('\n')}\n`;
    };
    t.match(foreignForm(list(3, 2))?.what, what);
    t.match(foreignForm(list(1, 0))?.what, what);
    for (const half of [1, 2, 50]) t.equal(foreignForm(list(half, half)), null, `${half} of each, ${line}`);
    t.equal(foreignForm(list(1, 2)), null);
  }
});

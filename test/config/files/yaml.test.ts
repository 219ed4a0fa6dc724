import t from 'tap';
import { decodeUtf8 } from '../../../src/config/files/files.ts';
import { HOLE, MAX_DEPTH, MAX_TOKENS, MAX_YAML, readYaml } from '../../../src/config/files/yaml.ts';
import { Problems } from '../../../src/config/problems.ts';

function read(text: string): { data: unknown; problems: string[]; fixes: string[] } {
  const problems = new Problems();
  const file = readYaml('f', text, problems);
  return {
    data: file === null ? null : file.data,
    problems: problems.list.map(({ code, at }) => `${at.line}:${at.column} ${code}`),
    fixes: problems.list.map(({ fix }) => fix),
  };
}

function plain(data: unknown): unknown {
  return JSON.parse(
    JSON.stringify(data, (_key, value) => (typeof value === 'symbol' ? String(value) : value)),
  );
}

t.test('each trap is refused where it stands', async (t) => {
  const cases: [text: string, problems: string[], fix?: string][] = [
    ['a: *.x.example\n', ['1:4 yaml-alias'], 'quote it: "*.x.example"'],
    ['a: **.x.example\n', ['1:4 yaml-alias'], 'quote it: "**.x.example"'],
    ['a: [b, *.x.example, c]\n', ['1:8 yaml-alias'], 'quote it: "*.x.example"'],
    ['a: { name: *.x.example, types: [A] }\n', ['1:12 yaml-alias'], 'quote it: "*.x.example"'],
    ['- *.x\n- **.y\n', ['1:3 yaml-alias', '2:3 yaml-alias']],
    ['x: *.a{0..9}.b\n', ['1:4 yaml-alias'], 'quote it: "*.a{0..9}.b"'],
    ['a: &b 1\nc: *b\n', ['1:4 yaml-anchor', '2:4 yaml-alias'], 'remove it, or quote it: "&b"'],
    ['a: &.x\n', ['1:4 yaml-anchor'], 'remove it, or quote it: "&.x"'],
    ['a: !!str 1\n', ['1:4 yaml-tag']],
    ['a: !x\n', ['1:4 yaml-tag']],
    ['%YAML 1.1\n---\na: no\n', ['1:1 yaml-directive']],
    ['%TAG ! x\n---\na: no\n', ['1:1 yaml-directive']],
    ['a: 1\n---\nb: 2\n', ['2:1 yaml-documents']],
    ['a: 1\n...\nb: 2\n', ['3:1 yaml-documents']],
    ['a: 1\nb: 2\na: 3\n', ['3:1 yaml-duplicate-key']],
    ['a: { b: 1, b: 2 }\n', ['1:12 yaml-duplicate-key']],
    ['__proto__: 1\n', ['1:1 key-unknown']],
    ['', ['1:1 yaml-empty']],
    ['# nothing\n', ['1:1 yaml-empty']],
    ['---\n', ['1:1 yaml-empty']],
    ['null\n', ['1:1 yaml-empty']],
    // What was never closed is shown where it opens, or where the text ends: the next line is empty.
    ['a: "x\n', ['1:4 yaml-syntax']],
    ["a: 'x\n\n\n", ['1:4 yaml-syntax']],
    ['a: ["b", "c]\nd: e\n', ['1:10 yaml-syntax']],
    ['a: "b\\"c\nd: e\n', ['1:4 yaml-syntax']],
    ['a: [1\n', ['1:5 yaml-syntax']],
    ['a: { b: 1\n\n', ['1:9 yaml-syntax']],
    ['a:\n\tb: 1\n', ['2:1 yaml-syntax'], 'indent with spaces'],
    ['a: @x\n', ['1:4 yaml-syntax'], 'quote the text'],
    ['a: b: c\n', ['1:4 yaml-syntax']],
    ['a: [n{0..9}.x]\n', ['1:6 yaml-syntax'], 'quote the pattern: "n{0..9}.x"'],
    ['? [a]\n: b\n', ['1:3 yaml-syntax']],
    // What follows from a document that ended too early is told once.
    ['- a\nb: c\nd: e\nf: g\n', ['2:1 yaml-syntax']],
  ];
  for (const [text, problems, fix] of cases) {
    const result = read(text);
    t.same(result.problems, problems, JSON.stringify(text));
    if (fix !== undefined)
      t.ok(result.fixes.includes(fix), `${JSON.stringify(text)}: ${result.fixes.join(' | ')}`);
  }
});

t.test('what a trap spoils is a hole, and the rest is read', async (t) => {
  const { data } = read('a: *.x\nb: &.y\nc: &z 3\nd: [*.x, e]\n') as { data: Record<string, unknown> };
  t.equal(data['a'], HOLE);
  t.equal(data['b'], HOLE);
  t.equal(data['c'], 3);
  t.same((data['d'] as unknown[])[1], 'e');
  t.equal((data['d'] as unknown[])[0], HOLE);
});

t.test('values as YAML 1.2 reads them; odd numbers are symbols', async (t) => {
  const text =
    'a: no\nb: yes\nc: 2026-12-24T18:00:00Z\nd: 12\ne: -3\nf: true\ng: ~\nh: 010\ni: 1.10\nj: 0x1f\nk: 1e3\nl: .inf\nm: 2001:db8::1\nn: +5\n';
  const { data, problems } = read(text);
  t.same(problems, []);
  t.same(plain(data), {
    a: 'no',
    b: 'yes',
    c: '2026-12-24T18:00:00Z',
    d: 12,
    e: -3,
    f: true,
    g: null,
    h: 'Symbol(010)',
    i: 'Symbol(1.10)',
    j: 'Symbol(0x1f)',
    k: 'Symbol(1e3)',
    l: 'Symbol(.inf)',
    m: '2001:db8::1',
    n: 'Symbol(+5)',
  });
});

t.test('keys are text, and none reaches a prototype', async (t) => {
  const { data } = read('constructor: 1\n10: x\ntrue: y\n"": z\n') as { data: Record<string, unknown> };
  t.equal(Object.getPrototypeOf(data), null);
  t.same({ ...data }, { 10: 'x', constructor: 1, true: 'y', '': 'z' });
});

t.test('CRLF lines count as lines', async (t) => {
  t.same(read('a: 1\r\nb: *.x\r\nc: 2\r\na: 3\r\n').problems, ['2:4 yaml-alias', '4:1 yaml-duplicate-key']);
});

t.test('positions inside a scalar count quotes and escapes', async (t) => {
  const problems = new Problems();
  const text = `a: plain\nb: 'it''s x'\nc: "\\x41\\u00e4\\"x"\nd: >\n  folded\ne: one\n  two\nf: "\\U0001F600z"\n`;
  const file = readYaml('f', text, problems)!;
  const { data, marks } = file as { data: Record<string, unknown>; marks: typeof file.marks };
  const at = (key: string, offset: number) => {
    const { line, column } = marks.inside(data, key, offset);
    return [line, column];
  };
  t.same(at('a', 2), [1, 6]);
  t.same(at('b', 4), [2, 10], "past '', which is one character");
  t.same(at('c', 0), [3, 5]);
  t.same(at('c', 1), [3, 9], 'past \\x41');
  t.same(at('c', 2), [3, 15], 'past \\u00e4');
  t.same(at('c', 3), [3, 17], 'past \\"');
  t.same(at('d', 3), [4, 4], 'a block scalar: its start');
  t.same(at('e', 5), [6, 4], 'several lines: its start');
  t.same(at('f', 2), [8, 15], 'past two UTF-16 units written as one escape');
});

t.test('what is too much is refused before it is parsed', async (t) => {
  const started = process.cpuUsage();
  const huge = `names:\n${'  - host.example.com\n'.repeat(500_000)}`;
  t.ok(huge.length > 10_000_000);
  t.same(read(huge).problems, ['1:1 yaml-size']);
  t.ok(process.cpuUsage(started).user < 1_000_000);
  t.ok(MAX_YAML < 10_000_000);
});

t.test('many small tokens are refused, too', async (t) => {
  const { problems, data } = read(`[${'1,'.repeat(MAX_TOKENS / 2)}]`);
  t.match(problems, [/^1:\d+ yaml-size$/]);
  t.equal(data, null);
});

t.test('depth is bounded, in every style', async (t) => {
  for (const text of [
    '['.repeat(100_000),
    '- '.repeat(100_000),
    '{a: '.repeat(100_000),
    '? '.repeat(10_000),
  ]) {
    t.match(read(text).problems, [/^1:\d+ yaml-depth$/], text.slice(0, 8));
  }
  const stairs = Array.from({ length: 2_000 }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
  t.match(read(stairs).problems, [/yaml-depth$/]);
  const deep = MAX_DEPTH - 3;
  t.same(read(`a: ${'['.repeat(deep)}${']'.repeat(deep)}`).problems, [], 'what is allowed is read');
});

t.test('a map with many keys is read in linear time', async (t) => {
  // Processor time: a busy machine does not change it.
  const started = process.cpuUsage();
  const { data, problems } = read(Array.from({ length: 40_000 }, (_, i) => `k${i}: 1\n`).join('')) as {
    data: object;
    problems: string[];
  };
  t.same(problems, []);
  t.equal(Object.keys(data).length, 40_000);
  t.ok(process.cpuUsage(started).user < 4_000_000);
});

t.test('UTF-8 is decoded strictly', async (t) => {
  t.equal(decodeUtf8(Buffer.from('\ufeffa: ü\n')), 'a: ü\n', 'without its byte order mark');
  t.same(decodeUtf8(Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x63])), { line: 2, column: 2 });
  t.same(decodeUtf8(Buffer.concat([Buffer.from('ok \ufffd ü '), Buffer.from([0xc3])])), {
    line: 1,
    column: 8,
  });
  t.same(decodeUtf8(Buffer.from([0xff, 0xfe, 0x61, 0x00])), { line: 1, column: 1 });
  t.same(decodeUtf8(Buffer.from([0xed, 0xa0, 0x80])), { line: 1, column: 1 }, 'surrogates are not UTF-8');
});

import t from 'tap';
import { formatProblem } from '../../../src/config/files/excerpt.ts';
import { sortProblems } from '../../../src/config/problems.ts';
import type { Problem } from '../../../src/policy/problem.ts';

function problem(line: number, column: number, over: Partial<Problem> = {}): Problem {
  const at = { file: 'f.yaml', line, column };
  return {
    code: 'key-unknown',
    severity: 'error',
    at,
    message: 'what is wrong',
    fix: 'what to write',
    ...over,
  };
}

/** The excerpt's line and the caret's line. */
function show(text: string, line: number, column: number): [string, string] {
  const [, shown, caret] = formatProblem(problem(line, column), new Map([['f.yaml', text]]), {
    color: false,
  }).split('\n');
  return [shown!, caret!];
}

t.test('place, code, message, the line, a caret and the fix', async (t) => {
  const sources = new Map([['f.yaml', 'one: 1\ntwo: 2\n']]);
  t.equal(
    formatProblem(problem(2, 6), sources, { color: false }),
    'f.yaml:2:6: key-unknown: what is wrong\ntwo: 2\n     ^\nfix: what to write',
  );
  t.equal(
    formatProblem(problem(1, 1, { severity: 'warning' }), sources, { color: false }),
    'f.yaml:1:1: key-unknown: what is wrong (warning)\none: 1\n^\nfix: what to write',
  );
  t.equal(
    formatProblem(problem(1, 1), new Map(), { color: false }),
    'f.yaml:1:1: key-unknown: what is wrong\nfix: what to write',
    'a file that was not read has no line',
  );
  t.equal(
    formatProblem(problem(9, 1), sources, { color: false }),
    'f.yaml:9:1: key-unknown: what is wrong\nfix: what to write',
  );
  const colored = formatProblem(problem(2, 6), sources, { color: true });
  t.match(colored, '\u001b[31m^\u001b[0m');
  t.equal(
    colored.replace(/\u001b\[\d+m/g, ''),
    formatProblem(problem(2, 6), sources, { color: false }),
    'colours are all that differs',
  );
});

t.test('the caret stands under the column', async (t) => {
  t.same(show('\ta:\tb', 1, 5), ['\ta:\tb', '\t  \t^'], 'tabs stay');
  t.same(show('漢字: x', 1, 5), ['漢字: x', '      ^'], 'wide characters take two columns');
  t.same(show('e\u0301: x', 1, 5), ['e\u0301: x', '   ^'], 'marks take none');
  t.same(show('😀: x', 1, 5), ['😀: x', '    ^'], 'a surrogate pair is one wide character');
  t.same(show('a: b\r\nc: d\r\n', 2, 4), ['c: d', '   ^'], 'CRLF');
  t.same(show('abc', 1, 4), ['abc', '   ^'], 'behind the end');
  t.same(show('abc', 1, 99), ['abc', '   ^'], 'never farther');
});

t.test('long lines are cut around the column', async (t) => {
  const text = `${'a'.repeat(200)}X${'b'.repeat(200)}`;
  const [line, caret] = show(text, 1, 201);
  t.ok(line.length <= 102);
  t.match(line, /^…a+Xb+…$/);
  t.equal(line.indexOf('X'), caret.indexOf('^'));
  const [start, first] = show(text, 1, 1);
  t.match(start, /^a+…$/);
  t.equal(first, '^');
  const [end, last] = show(text, 1, 401);
  t.match(end, /^…b+$/);
  t.equal(last.indexOf('^'), end.length - 1);
  const [emoji] = show('😀'.repeat(300), 1, 302);
  t.ok(emoji.isWellFormed(), 'no pair is cut');
});

t.test('nothing that a terminal obeys gets through', async (t) => {
  const sources = new Map([['f.yaml', 'a: \u001b[2J\u009b\u202ex\u0007']]);
  const evil = problem(1, 4, { message: 'no \u001b]0;title\u0007', fix: '\u2066fix\r' });
  const shown = formatProblem(evil, sources, { color: false });
  t.notMatch(shown, /[^\n\P{Cc}]|[\u202a-\u202e\u2066-\u2069]/u);
  t.match(shown, 'a: \ufffd[2J\ufffd\ufffdx\ufffd');
});

t.test('problems are sorted by file, line and column, errors first', async (t) => {
  const at = (file: string, line: number, column: number) => ({ at: { file, line, column } });
  const list = [
    problem(1, 1, at('b', 1, 1)),
    problem(1, 1, at('a', 10, 1)),
    problem(1, 1, at('a', 9, 5)),
    problem(1, 1, { ...at('a', 9, 2), severity: 'warning', code: 'a' }),
    problem(1, 1, { ...at('a', 9, 2), code: 'z' }),
  ];
  t.same(
    sortProblems(list).map(({ at, severity }) => [at.file, at.line, at.column, severity]),
    [
      ['a', 9, 2, 'error'],
      ['a', 9, 2, 'warning'],
      ['a', 9, 5, 'error'],
      ['a', 10, 1, 'error'],
      ['b', 1, 1, 'error'],
    ],
  );
});

t.test('a thousand problems in a long list are shown in moments, in any order', async (t) => {
  const sources = new Map([['f.yaml', 'name.example\n'.repeat(1_000_000)]]);
  const started = process.cpuUsage();
  let shown = 0;
  for (let i = 1; i <= 1_000; i++) {
    if (formatProblem(problem(i * 1_000, 1), sources, { color: false }).includes('\nname.example\n')) shown++;
  }
  t.equal(shown, 1_000);
  t.ok(process.cpuUsage(started).user < 3_000_000);
  t.match(formatProblem(problem(1, 1), sources, { color: false }), 'name.example', 'and back again');
});

import t from 'tap';
import { reportJunit } from '../../../src/cli/history/report-junit.ts';
import { reportMarkdown } from '../../../src/cli/history/report-markdown.ts';
import { machineLine, reportText } from '../../../src/cli/history/report-text.ts';
import { NAMES, REPORT, reportWith } from './sample-report.ts';

/** Reads XML 1.0 strictly, as far as a report uses it; throws for what is not well formed. */
function elementsOf(text: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: number[] = [];
  const decode = (part: string): string => {
    if (/[<>]/.test(part) || /&(?!#\d+;)/.test(part)) throw new Error(`not well formed: ${part}`);
    return part.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
  };
  // https://www.w3.org/TR/xml/#charsets
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/u.test(text)) throw new Error('no character of XML');
  const body = text.replace(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/, '');
  for (const part of body.match(/<[^<>]*>|[^<>]+/g) ?? []) {
    if (!part.startsWith('<')) {
      const at = open.at(-1);
      if (at !== undefined) found[at]!.text += decode(part);
      continue;
    }
    const end = /^<\/([a-z-]+)>$/.exec(part);
    if (end !== null) {
      if (found[open.pop()!]!.name !== end[1]) throw new Error(`ends another: ${part}`);
      continue;
    }
    const begin = /^<([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>$/.exec(part);
    if (begin === null) throw new Error(`no tag: ${part}`);
    const attributes: Record<string, string> = {};
    for (const [, key, value] of begin[2]!.matchAll(/ ([a-z]+)="([^"]*)"/g))
      attributes[key!] = decode(value!);
    found.push({ name: begin[1]!, attributes, text: '' });
    if (begin[3] === '') open.push(found.length - 1);
  }
  if (open.length > 0) throw new Error('not ended');
  return found;
}

t.test('JUnit is well formed, and gives each name back', async (t) => {
  const elements = elementsOf(reportJunit(REPORT));
  const cases = elements
    .filter(({ name }) => name === 'testcase')
    .map(({ attributes }) => attributes['name']);
  t.strictSame(cases, [
    'account',
    ...NAMES.map((name) => `${name} A`),
    ...NAMES.map((name) => `${name} A`),
    ...NAMES.map((_, i) => `203.0.113.1 tcp ${i + 1}`),
  ]);
  const [suite] = elements.filter(({ name }) => name === 'testsuite');
  t.match(suite?.attributes, { tests: String(cases.length), failures: String(cases.length) });
  const good = reportJunit({ ...reportWith([]), complete: true });
  t.strictSame(
    elementsOf(good).flatMap(({ name, attributes }) =>
      name === 'testcase' || name === 'failure' ? [attributes['name']] : [],
    ),
    ['account'],
    'with nothing to fail on, account passes',
  );
});

t.test('Markdown has each name as code, and nothing else of it', async (t) => {
  const text = reportMarkdown(REPORT);
  t.notMatch(text, /[^\n -~]/, 'names are ASCII');
  const cells = text.split('\n').filter((line) => line.startsWith('| <code>'));
  t.equal(cells.length, NAMES.length * 6, 'one line each, in six sections');
  for (const [index, line] of cells.entries()) {
    t.equal(line.split('|').length, 9, 'seven cells');
    const code = /^\| <code>([^<]*)<\/code> \|/.exec(line)?.[1] ?? '';
    const name = code.replace(/&#(\d+);/g, (_, point) => String.fromCodePoint(Number(point)));
    t.equal(name, NAMES[index % NAMES.length]);
  }
  const markup = text.replace(/<\/?code>|<br>/g, '').replace(/&#\d+;/g, '');
  t.notMatch(markup, /[<>&`*_[\]]/, 'nothing that is Markdown or HTML comes from a name or a job');
});

t.test('text has no code of a terminal, no line of a name, and one line for machines', async (t) => {
  const text = reportText(REPORT);
  t.notMatch(text, /[^\n -~]/);
  for (const line of text.split('\n')) t.notMatch(line, /^(::|%0A)/, 'no command of a workflow');
  const machine = text.split('\n').filter((line) => line.startsWith('NAMEGATE_REPORT='));
  t.equal(machine.length, 1);
  t.equal(text.split('\n').at(-1), machine[0]);
  const said = JSON.parse(machine[0]!.slice('NAMEGATE_REPORT='.length)) as {
    unapproved: string[];
    dependencies: string[];
  };
  t.strictSame(said.unapproved, NAMES);
  t.strictSame(said.dependencies, NAMES.slice(0, 20));
});

t.test('the line for machines is bounded, and says what it leaves out', async (t) => {
  const long = Array.from({ length: 500 }, (_, i) => `${'\\001'.repeat(200)}${i}.example`);
  const line = machineLine(reportWith(long));
  t.ok(line.length <= 16_384);
  const { unapproved, left_out: left } = JSON.parse(line.slice('NAMEGATE_REPORT='.length));
  t.equal(unapproved.length + left, 500 + 3);
  t.ok(unapproved.length > 5);
});

import { Ajv } from 'ajv';
import t from 'tap';
import { reportJunit } from '../../../src/cli/history/report-junit.ts';
import { reportMarkdown } from '../../../src/cli/history/report-markdown.ts';
import { reportSarif } from '../../../src/cli/history/report-sarif.ts';
import { machineLine, reportText } from '../../../src/cli/history/report-text.ts';
import type { Report, ReportRow } from '../../../src/history/report.ts';
import { SECTIONS } from '../../../src/history/report.ts';
import { nameToText } from '../../../src/wire/name.ts';

/** Labels that mean something to a terminal, to Markdown, to XML, to a workflow's log or to JSON. */
const LABELS = [
  '<script>alert(1)</script>',
  ']]><!--',
  '&amp;&#0;',
  '`code` **bold** [a](b)',
  '|--|\n|x|',
  '\x1b[31mred\x07',
  '\x00\x01\x7f\x9b\xff',
  '\u202eevil',
  '::error title=x::y',
  '%0A::stop-commands::x',
  '"quoted" \\ back',
  "it's",
  '$(id) `id` ; rm -rf /',
  '</code></td>',
  'a.b',
  ' ',
  '\u2028\u2029',
  'NAMEGATE_REPORT={}',
];

const NAMES = LABELS.map((label) => {
  const octets = Buffer.from(label, 'utf8').subarray(0, 63);
  return nameToText(Buffer.concat([Buffer.from([octets.length]), octets, Buffer.from('\x07example\0')]));
});

const row = (name: string): ReportRow => ({
  name,
  folded: false,
  types: ['A'],
  verdict: 'deny',
  stage: '<b>`stage`|',
  ground: 'nothing',
  rule: 'policy/a b.yaml:3',
  first: '2026-11-29T10:00:00.000Z',
  last: '2026-11-29T10:00:00.000Z',
  count: 1,
});

function reportWith(names: readonly string[]): Report {
  const rows = names.map(row);
  const totals = Object.fromEntries(SECTIONS.map((s) => [s, { names: rows.length, questions: rows.length }]));
  const sections = Object.fromEntries(SECTIONS.map((section) => [section, rows]));
  return {
    verdict: 'a <verdict>',
    complete: false,
    missing: ['why & how'],
    identities: ['build'],
    owners: ['team'],
    leases: ['le-1'],
    job: { 'ref\u001b[0m': 'refs/heads/<x>|`y`\n::error::z' },
    policies: ['p'],
    audit_until: null,
    ask: 'team <a>',
    totals: totals as unknown as Report['totals'],
    sections: sections as unknown as Report['sections'],
    dependencies: names.map((name) => ({
      name,
      since: '2026-11-29T10:00:00.000Z',
      until: null,
      next: 'ask <team> & co',
    })),
    direct: {
      proven: names.length,
      unproven: 0,
      packets: names.length,
      rows: names.map((name, i) => ({
        address: '203.0.113.1',
        protocol: 'tcp',
        port: i + 1,
        proven: true,
        granted_name: name,
        first: '2026-11-29T10:00:00.000Z',
        last: '2026-11-29T10:00:00.000Z',
        count: 1,
      })),
    },
    servers: { asked: 2, complete: 0, silent: ['unix:/`x`: <no>'] },
    near_budget: names.map((name) => ({
      wildcard: name,
      subject: name,
      spent: 9,
      contain: 10,
      names_left: 0,
    })),
    without_tcp: names,
    left_out: 3,
    search_hint: 'search: ["<x>"]',
  };
}

const REPORT = reportWith(NAMES);

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

/** What SARIF 2.1.0 §3 requires of the objects that a report has. */
t.test('SARIF has what its specification requires', async (t) => {
  const log = JSON.parse(reportSarif(REPORT));
  t.equal(log.version, '2.1.0');
  t.equal(log.runs.length, 1);
  const [run] = log.runs;
  const { driver } = run.tool;
  t.equal(typeof driver.name, 'string');
  const ids = driver.rules.map(({ id }: { id: string }) => id);
  t.equal(new Set(ids).size, ids.length);
  for (const { defaultConfiguration, shortDescription } of driver.rules) {
    t.ok(['none', 'note', 'warning', 'error'].includes(defaultConfiguration.level));
    t.ok(shortDescription.text.length > 0);
  }
  t.equal(typeof run.invocations[0].executionSuccessful, 'boolean');
  const failed = run.results.filter(({ ruleId }: { ruleId: string }) => ruleId === 'dependency-failed');
  t.equal(failed.length, NAMES.length, 'what failed upstream is a note each');
  const direct = run.results.filter(({ ruleId }: { ruleId: string }) => ruleId === 'direct-address');
  t.equal(direct.length, NAMES.length, 'an address that was tried is an error each');
  for (const { ruleIndex, ruleId, level } of direct) t.same([ids[ruleIndex], level], [ruleId, 'error']);
  const rows = run.results.filter((result: object) => !failed.includes(result) && !direct.includes(result));
  t.equal(rows.length, NAMES.length * 5);
  for (const { ruleIndex, ruleId } of failed) t.equal(ids[ruleIndex], ruleId);
  for (const result of rows) {
    t.equal(ids[result.ruleIndex], result.ruleId);
    t.ok(typeof result.message.text === 'string' && result.message.text.length > 0);
    t.ok(Number.isInteger(result.occurrenceCount) && result.occurrenceCount >= 1);
    for (const { physicalLocation } of result.locations) {
      t.match(physicalLocation.artifactLocation.uri, /^[^ <>"\\]+$/, 'a URI reference (RFC 3986)');
      t.ok(physicalLocation.region.startLine >= 1);
    }
  }
});

const LEVEL = { type: 'string', enum: ['none', 'note', 'warning', 'error'] };
const TEXT = { type: 'string' };

function closed(required: readonly string[], properties: Readonly<Record<string, object>>): object {
  return { type: 'object', required, properties, additionalProperties: false };
}

/**
 * The part of the official schema of SARIF 2.1.0 for what a report has: the same required members, types and bounds. It is narrower,
 * for it refuses members that the schema knows and no report has.
 */
const SARIF = closed(['version', 'runs'], {
  $schema: TEXT,
  version: { type: 'string', const: '2.1.0' },
  runs: {
    type: 'array',
    items: closed(['tool'], {
      tool: closed(['driver'], {
        driver: closed(['name'], {
          name: TEXT,
          semanticVersion: TEXT,
          rules: {
            type: 'array',
            uniqueItems: true,
            items: closed(['id'], {
              id: TEXT,
              shortDescription: closed(['text'], { text: TEXT }),
              defaultConfiguration: closed([], { level: LEVEL }),
            }),
          },
        }),
      }),
      invocations: {
        type: 'array',
        items: closed(['executionSuccessful'], { executionSuccessful: { type: 'boolean' } }),
      },
      results: {
        type: 'array',
        items: closed(['message'], {
          ruleId: TEXT,
          ruleIndex: { type: 'integer', minimum: -1 },
          level: LEVEL,
          message: closed(['text'], { text: TEXT }),
          locations: {
            type: 'array',
            items: closed([], {
              physicalLocation: closed(['artifactLocation'], {
                artifactLocation: closed([], { uri: TEXT }),
                region: closed([], { startLine: { type: 'integer', minimum: 1 } }),
              }),
            }),
          },
          occurrenceCount: { type: 'integer', minimum: 1 },
          partialFingerprints: { type: 'object', additionalProperties: TEXT },
        }),
      },
    }),
  },
});

t.test('SARIF is valid by the part of its schema that it uses', async (t) => {
  const validate = new Ajv({ strict: true }).compile(SARIF);
  const text = reportSarif(REPORT);
  for (const each of [text, reportSarif(reportWith([]))])
    t.ok(validate(JSON.parse(each)), JSON.stringify(validate.errors));
  const [{ results }] = JSON.parse(text).runs;
  for (const [i, name] of NAMES.entries())
    t.equal(
      results[i].partialFingerprints['namegate/v1'],
      `unapproved-name ${name} A`,
      'each name is there as it was asked',
    );
  for (const path of [['version'], ['runs', 0, 'tool'], ['runs', 0, 'results', 0, 'message']]) {
    const log = JSON.parse(text);
    const last = path.at(-1)!;
    delete path.slice(0, -1).reduce((at, key) => at[key], log)[last];
    t.notOk(validate(log), `it needs ${path.join('.')}`);
  }
});

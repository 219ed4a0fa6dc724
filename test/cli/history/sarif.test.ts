import { Ajv } from 'ajv';
import t from 'tap';
import { reportSarif } from '../../../src/cli/history/report-sarif.ts';
import { complaints, ROOT } from '../../compiler.ts';
import { NAMES, REPORT, reportWith } from './sample-report.ts';

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

t.test('SARIF compiles as what the types made from its whole official schema ask for', async (t) => {
  const head = `import type { Log } from '${ROOT}node_modules/@types/sarif/index.d.ts';\nexport const log: Log = `;
  const text = reportSarif(REPORT);
  const wrong: readonly (readonly [of: string, to: string])[] = [
    ['"version": "2.1.0"', '"version": "2.2.0"'],
    ['"executionSuccessful"', '"executedSuccessfully"'],
    ['"occurrenceCount": 1', '"occurrenceCount": "1"'],
    ['"level": "error"', '"level": "fatal"'],
    ['"startLine"', '"firstLine"'],
    ['"message": {', '"messages": {'],
  ];
  const files = [text, reportSarif(reportWith([])), ...wrong.map(([of, to]) => text.replace(of, to))];
  const said = complaints(
    t.testdir(),
    Object.fromEntries(files.map((file, i) => [`log${i}.ts`, `${head}${file};\n`])),
  );
  for (const i of files.keys()) {
    const isWrong = i >= 2;
    const mine = said.filter((line) => line.includes(`log${i}.ts(`));
    t.equal(mine.length > 0, isWrong, isWrong ? `${wrong[i - 2]!} is refused` : mine.join('\n'));
  }
});

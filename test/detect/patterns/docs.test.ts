import { readFileSync } from 'node:fs';
import t from 'tap';
import { DETECTED, DETECTED_KINDS, keyOfKind, thresholdsOf } from '../../../src/detect/patterns/kinds.ts';

const docs = readFileSync(new URL('../../../docs/detect.md', import.meta.url), 'utf8');

t.test('the docs have the table of kinds', async (t) => {
  const rows = DETECTED_KINDS.map((kind) => {
    const row = DETECTED[kind];
    const severity = 'rises' in row ? `${row.severity}, ${row.rises}` : row.severity;
    return `| \`${kind}\` | ${severity} | ${row.fires} | ${row.next} |`;
  });
  const start = docs.indexOf('|---|---|---|---|\n') + '|---|---|---|---|\n'.length;
  t.equal(docs.slice(start, docs.indexOf('\n\n', start)), rows.join('\n'));
});

t.test('the docs show each threshold with its default', async (t) => {
  const lines = DETECTED_KINDS.map((kind) => {
    const thresholds = thresholdsOf(kind).map(([name, { form, value }]) => `${name}: ${text(form, value)}`);
    return thresholds.length === 0
      ? `  # ${keyOfKind(kind)}: off`
      : `  ${keyOfKind(kind)}: { ${thresholds.join(', ')} }`;
  });
  t.match(docs, `detect:\n${lines.join('\n')}\n`);
});

function text(form: string, value: number): string {
  if (form === 'size') return `${value}B`;
  if (form === 'count') return `${value}`;
  if (value % 86_400_000 === 0) return `${value / 86_400_000}d`;
  return value % 60_000 === 0 && value > 60_000 ? `${value / 60_000}m` : `${value / 1000}s`;
}

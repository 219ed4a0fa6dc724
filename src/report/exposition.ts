import { BOUNDS, Histogram } from '../metric/histogram.ts';
import type { Metric, MetricSource, Sample } from '../metric/metric.ts';

/** Content-Type of the text. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Samples in one piece: some 0.3 ms of work. */
const PIECE = 256;

/**
 * Writes what sources count as Prometheus's text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), piece by piece: the caller lets others have their turn in
 * between. A name that two sources have would be two groups of lines, which no reader takes: that throws.
 */
export function* exposition(sources: Iterable<MetricSource>): Generator<string> {
  const seen = new Set<string>();
  let text = '';
  let count = 0;
  for (const source of sources) {
    for (const { metric, values } of source.samples()) {
      if (seen.has(metric.name)) throw new Error(`${metric.name} is counted in two places`);
      seen.add(metric.name);
      text += heading(metric);
      for (const sample of values) {
        text += lines(metric, sample);
        count += sample.value instanceof Histogram ? BOUNDS.length : 1;
        if (count < PIECE) continue;
        yield text;
        text = '';
        count = 0;
      }
    }
  }
  yield text;
}

function heading({ name, type, help }: Metric): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
}

function lines({ name, labels: names }: Metric, { labels, value }: Sample): string {
  // Nearly all samples are so: a thousand identities have one label each.
  if (names.length === 1 && !(value instanceof Histogram))
    return `${name}{${names[0]}="${escapeLabel(labels[0] ?? '')}"} ${numeral(value)}\n`;
  const pairs = names.map((label, i) => `${label}="${escapeLabel(labels[i] ?? '')}"`).join(',');
  if (!(value instanceof Histogram)) return `${name}${pairs === '' ? '' : `{${pairs}}`} ${numeral(value)}\n`;
  const before = pairs === '' ? '' : `${pairs},`;
  const cumulative = value.cumulative();
  const count = cumulative.at(-1) ?? 0;
  const buckets = BOUNDS.map(
    (bound, i) => `${name}_bucket{${before}le="${numeral(bound)}"} ${cumulative[i]}\n`,
  );
  const braces = pairs === '' ? '' : `{${pairs}}`;
  return `${buckets.join('')}${name}_bucket{${before}le="+Inf"} ${count}\n${name}_sum${braces} ${numeral(value.sum)}\n${name}_count${braces} ${count}\n`;
}

/** What would end the value or the line is escaped; all else may stand, since the text is UTF-8. */
function escapeLabel(value: string): string {
  if (!/[\\"\n]|[\ud800-\udfff]/.test(value)) return value;
  return value.toWellFormed().replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function numeral(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

import type { Histogram } from './histogram.ts';

/**
 * What a room counts, as it hands it out. A room that counts has `samples()`; `assembly/` gathers them, and `report/` writes
 * the text. This room knows nothing but numbers and words, so that every other may know it.
 *
 * A name begins with `namegate_`, or `process_` where all programs call it so. A counter ends in `_total`, and what has a unit
 * ends in `_seconds` or `_bytes` (in front of `_total`). Label values come from the policy, the server file or a fixed list,
 * never from what a client sent.
 */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence, without a line break. */
  readonly help: string;
  /** Names of labels. Two samples of one metric differ in the value of one. */
  readonly labels: readonly string[];
}

/** Values of the labels, in the order of `Metric.labels`, and the number; a histogram where the metric is one. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number | Histogram;
}

/** A metric with what there is of it now. `values` is read once, in pieces: not beyond 100 ms later. */
export interface Samples {
  readonly metric: Metric;
  readonly values: Iterable<Sample>;
}

/** Whoever counts. Called for each scrape, so it costs what a scrape may cost: some microseconds. */
export interface MetricSource {
  samples(): Iterable<Samples>;
}

export function counter(name: string, help: string, ...labels: string[]): Metric {
  return { name, type: 'counter', help, labels };
}

export function gauge(name: string, help: string, ...labels: string[]): Metric {
  return { name, type: 'gauge', help, labels };
}

export function histogram(name: string, help: string, ...labels: string[]): Metric {
  return { name, type: 'histogram', help, labels };
}

/** The only sample of a metric without labels. */
export function single(metric: Metric, value: Sample['value']): Samples {
  return { metric, values: [{ labels: [], value }] };
}

/** Samples of a metric with one label, by its value. */
export function byLabel(metric: Metric, values: Iterable<readonly [string, Sample['value']]>): Samples {
  return { metric, values: Array.from(values, ([label, value]) => ({ labels: [label], value })) };
}

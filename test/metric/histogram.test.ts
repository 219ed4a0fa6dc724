import t from 'tap';
import { BOUNDS, Histogram } from '../../src/metric/histogram.ts';

/** Durations fall into buckets that double; an upper bound belongs to its bucket. */

t.test('bounds double, from 8 µs to 4.2 s', async (t) => {
  t.equal(BOUNDS[0], 0.000008);
  t.equal(BOUNDS.at(-1), 4.194304);
  for (const [i, bound] of BOUNDS.entries()) if (i > 0) t.equal(bound, 2 * BOUNDS[i - 1]!);
});

for (const [milliseconds, at] of [
  [0, 0],
  [-3, 0],
  [0.0001, 0],
  [0.008, 0],
  [0.0081, 1],
  [0.016, 1],
  [0.016001, 2],
  [1, 7],
  [1.024, 7],
  [1.0241, 8],
  [4194.304, 19],
  [4194.305, 20],
  [3_000_000, 20],
  [Number.MAX_SAFE_INTEGER, 20],
] as const) {
  t.test(`${milliseconds} ms`, async (t) => {
    const times = new Histogram();
    times.add(milliseconds);
    const cumulative = times.cumulative();
    t.equal(cumulative.length, BOUNDS.length + 1);
    t.equal(cumulative.indexOf(1), at, 'the first bucket that holds it');
    t.equal(cumulative.at(-1), 1);
    t.ok(Math.abs(times.sum - Math.max(0, milliseconds) / 1000) < 1e-9 * (1 + times.sum));
    if (at < BOUNDS.length) t.ok(milliseconds / 1000 <= BOUNDS[at]!);
    if (at > 0) t.ok(milliseconds / 1000 > BOUNDS[at - 1]!);
  });
}

t.test('one duration of several', async (t) => {
  const times = new Histogram();
  times.add(2, 3);
  times.add(0.001);
  t.same([times.cumulative()[0], times.cumulative().at(-1)], [1, 4]);
  t.ok(Math.abs(times.sum - 0.006001) < 1e-12);
});

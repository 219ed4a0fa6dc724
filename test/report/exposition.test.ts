import t from 'tap';
import { Histogram } from '../../src/metric/histogram.ts';
import { byLabel, counter, gauge, histogram, type MetricSource, single } from '../../src/metric/metric.ts';
import { exposition } from '../../src/report/exposition.ts';

/** The text that Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/. */

function text(...sources: MetricSource[]): string {
  return [...exposition(sources)].join('');
}

const A = counter('a_total', 'What a is.');

t.test('a counter and a gauge', async (t) => {
  const source = {
    samples: () => [
      single(A, 3),
      byLabel(gauge('b', 'With \\ and a\nbreak.', 'who'), [
        ['x', 0.5],
        ['y', Number.POSITIVE_INFINITY],
        ['z', Number.NaN],
      ]),
    ],
  };
  t.equal(
    text(source),
    '# HELP a_total What a is.\n# TYPE a_total counter\na_total 3\n' +
      '# HELP b With \\\\ and a\\nbreak.\n# TYPE b gauge\nb{who="x"} 0.5\nb{who="y"} +Inf\nb{who="z"} NaN\n',
  );
});

for (const [value, written] of [
  ['plain-1', 'plain-1'],
  ['"} 1\nevil_total 7', '\\"} 1\\nevil_total 7'],
  ['a\\', 'a\\\\'],
  ['\\n', '\\\\n'],
  ['ü \u{1f600}', 'ü \u{1f600}'],
  ['\ud800', '\ufffd'],
  ['\r\u2028\0', '\r\u2028\0'],
] as const) {
  // A test's name is printed as it is.
  t.test(`a label ${Buffer.from(value).toString('hex')}`, async (t) => {
    const source = { samples: () => [byLabel(gauge('b', 'B.', 'who'), [[value, 1]])] };
    t.equal(text(source).split('\n').slice(2).join('\n'), `b{who="${written}"} 1\n`);
  });
}

t.test('a histogram', async (t) => {
  const times = new Histogram();
  times.add(0.001);
  times.add(8000);
  const source = { samples: () => [byLabel(histogram('h_seconds', 'H.', 'kind'), [['x', times]])] };
  // The sum is one of doubles: its last digits are chance.
  const lines = (of: MetricSource): string[] =>
    text(of)
      .split('\n')
      .map((line) => line.replace(/(\.\d{6})\d+$/, '$1'));
  const written = lines(source);
  t.equal(written[2], 'h_seconds_bucket{kind="x",le="0.000008"} 1');
  t.equal(written[21], 'h_seconds_bucket{kind="x",le="4.194304"} 1');
  t.same(written.slice(22), [
    'h_seconds_bucket{kind="x",le="+Inf"} 2',
    'h_seconds_sum{kind="x"} 8.000001',
    'h_seconds_count{kind="x"} 2',
    '',
  ]);
  const alone = lines({ samples: () => [single(histogram('h_seconds', 'H.'), times)] });
  t.equal(alone[2], 'h_seconds_bucket{le="0.000008"} 1');
  t.equal(alone[23], 'h_seconds_sum 8.000001');
});

t.test('one name in two places', async (t) => {
  const source = { samples: () => [single(A, 1)] };
  t.throws(() => text(source, source), { message: 'a_total is counted in two places' });
});

t.test('it comes in pieces, each of some 256 samples', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => [`i${i}`, i] as const);
  const pieces = [...exposition([{ samples: () => [byLabel(gauge('b', 'B.', 'who'), many)] }])];
  t.equal(pieces.length, 4);
  for (const piece of pieces) t.ok(piece.split('\n').length <= 260);
  t.equal(pieces.join('').split('\n').length, 1003);
});

import t from 'tap';
import { median, quantile, ratios, spreadOf, spreadText, table } from '../../bench/figures.ts';

t.test('quantiles of ascending values', async (t) => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  t.equal(quantile(values, 0), 1);
  t.equal(quantile(values, 0.5), 6);
  t.equal(quantile(values, 0.99), 10);
  t.equal(quantile(values, 1), 10, 'never past the end');
  t.ok(Number.isNaN(quantile([], 0.5)));
});

t.test('the median sorts by value and leaves its argument alone', async (t) => {
  const values = [10, 9, 100];
  t.equal(median(values), 10);
  t.same(values, [10, 9, 100]);
  t.ok(Number.isNaN(median([])));
});

t.test('a spread is the mean with the least and the most', async (t) => {
  t.same(spreadOf([2, 1, 3]), { mean: 2, least: 1, most: 3 });
  t.equal(spreadText({ mean: 1.049, least: 0.981, most: 1.1 }, 2), '1.05 (0.98 to 1.10)');
});

t.test('ratios go round by round: a disturbance of both cancels out', async (t) => {
  t.same(ratios([1, 10, 2], [2, 20, 4]), { mean: 0.5, least: 0.5, most: 0.5 });
  t.same(ratios([1, 3], [1, 1]), { mean: 2, least: 1, most: 3 });
  t.same(
    ratios([1, 2, 100], [1, 2]),
    { mean: 1, least: 1, most: 1 },
    'a round that one of them lacks is left out',
  );
});

t.test('a table: the first column flush left, the others flush right', async (t) => {
  t.equal(
    table([
      ['server', 'CPU'],
      ['a', '1.25'],
      ['longer name', '10.50'],
    ]),
    ['  server         CPU', '  ------------------', '  a             1.25', '  longer name  10.50', ''].join(
      '\n',
    ),
  );
});

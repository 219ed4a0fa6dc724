import t from 'tap';
import { counter, single } from '../../src/metric/metric.ts';
import { Metrics } from '../../src/report/metrics.ts';

/** Who asks while a text is written gets that one; the loop has its turn between two pieces. */

const A = counter('a_total', 'A.');

t.test('one text for a crowd, and another for who asks later', async (t) => {
  let asked = 0;
  const metrics = new Metrics([{ samples: () => [single(A, ++asked)] }]);
  const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
  t.equal(asked, 1);
  t.equal(texts[0], texts[2]);
  t.match(String(await metrics.text()), /^a_total 2$/m);
});

t.test('others have their turn', async (t) => {
  let turns = 0;
  const many = Array.from({ length: 2560 }, (_, i) => ({ labels: [`${i}`], value: i }));
  const metric = counter('b_total', 'B.', 'which');
  const metrics = new Metrics([{ samples: () => [{ metric, values: many }] }]);
  const turn = (): void => {
    turns++;
    immediate = setImmediate(turn);
  };
  let immediate = setImmediate(turn);
  const text = String(await metrics.text());
  clearImmediate(immediate);
  t.equal(text.split('\n').length, 2563);
  t.ok(turns >= 10, `${turns} turns`);
});

t.test('what is counted elsewhere is asked for first', async (t) => {
  let known = 0;
  const prepare = async (): Promise<void> => {
    known = 7;
  };
  const metrics = new Metrics([{ prepare, samples: () => [single(A, known)] }]);
  t.match(String(await metrics.text()), /^a_total 7$/m);
});

t.test('a source that meets a bug', async (t) => {
  let fails = true;
  const metrics = new Metrics([
    {
      samples: () => {
        if (fails) throw new Error('a bug');
        return [single(A, 1)];
      },
    },
  ]);
  await t.rejects(metrics.text(), { message: 'a bug' });
  fails = false;
  t.match(String(await metrics.text()), /^a_total 1$/m, 'the next one is whole');
});

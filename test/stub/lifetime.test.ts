import t from 'tap';
import { isFault, readCredentials } from '../../src/stub/credentials.ts';
import { ageOf, Lifetime } from '../../src/stub/lifetime.ts';
import { clientFiles, memoryLog } from './peers.ts';

const hour = 3_600_000;
const day = 24 * hour;

t.test('how near its end a certificate is', async (t) => {
  for (const [life, left, age] of [
    [hour, hour + 1, 'early'],
    [hour, hour / 2, 'good'],
    [hour, hour / 5, 'ending'],
    [hour, 1, 'ending'],
    [hour, 0, 'ended'],
    [365 * day, 31 * day, 'good'],
    [365 * day, 30 * day, 'ending'],
    [90 * day, 19 * day, 'good'],
    [90 * day, 18 * day, 'ending'],
  ] as const) {
    t.equal(ageOf({ notBefore: 0, notAfter: life }, life - left), age, `${left} of ${life} ms left`);
  }
});

t.test('each is told once a certificate', async (t) => {
  const { result } = readCredentials(clientFiles(t));
  if (isFault(result)) throw new Error(result.message);
  const log = memoryLog();
  let now = result.notBefore - 1;
  const lifetime = new Lifetime('tls.crt', log, () => now);
  t.teardown(() => lifetime.close());
  const kinds = () => log.lines.splice(0).map(({ level, event }) => [level, event]);
  lifetime.follow(result);
  t.same(kinds(), [['error', 'certificate-early']]);
  for (const [at, told] of [
    [result.notBefore + 1, []],
    [result.notAfter - 2 * hour, [['warn', 'certificate-ending']]],
    [result.notAfter - hour, []],
    [result.notAfter, [['error', 'certificate-ended']]],
    [result.notAfter + hour, []],
  ] as const) {
    now = at;
    lifetime.look();
    t.same(kinds(), told);
  }
  lifetime.follow({ ...result, notAfter: now + 10 * day });
  t.same(kinds(), []);
});

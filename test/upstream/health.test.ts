import t from 'tap';
import { Health } from '../../src/upstream/health.ts';
import { TIMING } from '../../src/upstream/timing.ts';

t.test('the time before the next server is asked follows the round-trip time, within bounds', async (t) => {
  const health = new Health(TIMING);
  t.equal(health.retryAfter(), TIMING.firstRetry, 'unknown: the most');
  for (let i = 0; i < 50; i++) health.answered(i, 2);
  t.equal(health.retryAfter(), TIMING.minRetry, 'quick: not below the least');
  for (let i = 0; i < 50; i++) health.answered(i, 280);
  t.ok(health.retryAfter() > 280 && health.retryAfter() <= TIMING.firstRetry, `${health.retryAfter()}`);
  for (let i = 0; i < 50; i++) health.answered(i, 3000);
  t.equal(health.retryAfter(), TIMING.firstRetry, 'slow: not above the most');
  t.ok(TIMING.firstRetry <= 400);
});

t.test('the backoff doubles to its bound, and one answer ends it', async (t) => {
  const health = new Health({ ...TIMING, backoff: 1000, maxBackoff: 3000 });
  let now = 0;
  for (const wait of [1000, 2000, 3000, 3000]) {
    health.broken(now, 'ECONNREFUSED');
    t.equal(health.up, false);
    t.equal(health.isProbeDue(now + wait - 1), false, `${wait} at ${now}`);
    t.equal(health.isProbeDue(now + wait), true);
    now += wait;
  }
  health.answered(now, 5);
  t.equal(health.up, true);
  t.equal(health.isProbeDue(now + 10_000), false);
  health.broken(now, 'ECONNREFUSED');
  t.equal(health.isProbeDue(now + 1000), true, 'from the start again');
});

t.test('failures that come together count once', async (t) => {
  const health = new Health(TIMING);
  for (let i = 0; i < 100; i++) health.broken(i, 'ECONNREFUSED');
  t.equal(health.down, false, 'not yet worth a line in the log');
  t.equal(health.isProbeDue(TIMING.backoff), true);
});

t.test('the answer with which a server is back says nothing of how quick it is', async (t) => {
  const health = new Health(TIMING);
  health.answered(0, 3);
  health.broken(10, 'ECONNREFUSED');
  health.answered(2000, 900);
  t.equal(health.up, true);
  t.equal(health.rtt, -1, 'not measured yet');
  health.answered(2100, 4);
  t.equal(health.rtt, 4);
});

t.test('silence counts when the server had its time and was silent throughout', async (t) => {
  const health = new Health(TIMING);
  health.silent(100, 0, 0, 'no reply');
  t.equal(health.up, true, 'it had 100 ms');
  health.answered(200, 50);
  health.silent(5000, 100, 100, 'no reply');
  t.equal(health.up, true, 'it answered another question meanwhile');
  health.refused(5500, 'SERVFAIL');
  health.silent(6000, 5400, 5400, 'no reply');
  t.equal(health.up, true, 'it sent something meanwhile');
  health.silent(6400, 6000, 6000, 'no reply');
  t.equal(health.up, false);
});

t.test('the wait over TCP after a reply over UDP is a part of the wait', async (t) => {
  const health = new Health(TIMING);
  // From the moment 0 on: the length is the moment as well.
  const its: number = TIMING.firstRetry;
  t.equal(health.silent(its, 0, its * 0.6, 'truncated'), false, 'it had too little time over TCP');
  t.equal(health.silent(its, 0, its * 0.1, 'truncated'), true);
  health.answered(1000, -1);
  t.equal(
    health.silent(1000 + its, 900, 1000, 'truncated'),
    false,
    'it answered another question when TCP was asked',
  );
});

t.test('a refusal may be about a name; three in a row are about us', async (t) => {
  const health = new Health(TIMING);
  for (let i = 0; i < 10; i++) {
    health.refused(i, 'SERVFAIL');
    health.refused(i, 'SERVFAIL');
    health.answered(i, 5);
  }
  t.equal(health.up, true);
  for (let i = 0; i < 3; i++) health.refused(20 + i, 'REFUSED');
  t.equal(health.up, false);
  t.equal(health.fault, 'REFUSED');
});

t.test('a recovered server can be seen within 5 s', async (t) => {
  t.ok(TIMING.maxBackoff + TIMING.probe < 5000);
  t.ok(TIMING.end < 4000);
});

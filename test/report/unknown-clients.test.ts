import t from 'tap';
import { UnknownClients } from '../../src/report/unknown-clients.ts';

/** One line an hour of each network that no identity has, and few a minute. */

const v4 = (w0: number) => ({ family: 4, w0: w0 >>> 0, w1: 0, w2: 0, w3: 0 }) as const;
const v6 = (w0: number, w1: number) => ({ family: 6, w0, w1, w2: 0, w3: 1 }) as const;
const mapped = (w3: number) => ({ family: 6, w0: 0, w1: 0, w2: 0xffff, w3: w3 >>> 0 }) as const;
const HOUR = 3_600_000;

t.test('a network is told once an hour: /24 and /48', async (t) => {
  const seen = new UnknownClients();
  t.equal(seen.isNew(v4(0xc0000201), 0), true);
  t.equal(seen.isNew(v4(0xc00002ff), 1), false, 'the same /24');
  t.equal(seen.isNew(mapped(0xc0000207), 1), false, 'a mapped address is its IPv4 address');
  t.equal(seen.isNew(v4(0xc0000301), 1), true, 'another /24');
  t.equal(seen.isNew(v6(0x20010db8, 0x00010000), 1), true);
  t.equal(seen.isNew(v6(0x20010db8, 0x0001ffff), 1), false, 'the same /48');
  t.equal(seen.isNew(v6(0x20010db8, 0x00020000), 1), true, 'another /48');
  t.equal(seen.suppressed, 0);
  t.equal(seen.isNew(v4(0xc0000201), HOUR - 1), false);
  t.equal(seen.isNew(v4(0xc0000201), HOUR), true);
});

t.test('few are told a minute, the rest is counted and told later', async (t) => {
  const seen = new UnknownClients();
  let told = 0;
  for (let i = 0; i < 500; i++) if (seen.isNew(v4(i << 8), 0)) told++;
  t.same([told, seen.suppressed], [10, 490]);
  t.equal(seen.isNew(v4(499 << 8), 60_000), true);
});

t.test('the table is bounded, and forgets what is an hour old', async (t) => {
  const seen = new UnknownClients();
  let told = 0;
  let network = 0;
  for (let minute = 0; minute < 59 * 10; minute++) {
    const now = minute * 6_000;
    for (let i = 0; i < 10; i++) if (seen.isNew(v4(network++ << 8), now * 10)) told++;
  }
  t.ok(told > 1024);
  const full = new UnknownClients();
  let first = 0;
  for (let i = 0; i < 3000; i++) if (full.isNew(v4(i << 8), i * 1000)) first++;
  t.ok(first <= 1024, `${first}`);
  t.equal(full.isNew(v4(5000 << 8), HOUR + 1000), true, 'the oldest goes');
});

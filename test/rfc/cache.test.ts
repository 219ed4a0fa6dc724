import t from 'tap';
import { House } from '../resolve/house.ts';
import { type Script, soa } from '../resolve/records.ts';
import { POLICY } from './case.ts';

/**
 * RFC 2308, RFC 8767, RFC 9520 in time: each row is what the upstream says at some second, and how long nobody is asked
 * again. `kept` is in seconds; `code` is the RCODE while it lasts.
 */
interface Row {
  readonly says: string;
  readonly upstream: Script;
  readonly kept: number;
  readonly code: number;
}

const A = { answer: ['www.example.org 60 A 192.0.2.1'] };

const ROWS: Row[] = [
  { says: 'RFC 1035 §3.2.1: an answer for its TTL', upstream: A, kept: 60, code: 0 },
  {
    says: 'RFC 1035 §3.2.1: TTL 0, which a written-out name keeps for 5 s so that nobody reads a clock from it',
    upstream: { answer: ['www.example.org 0 A 192.0.2.1'] },
    kept: 5,
    code: 0,
  },
  {
    says: 'RFC 2308 §5: NXDOMAIN for the SOA’s MINIMUM',
    upstream: { rcode: 3, authority: [soa('example.org', 600, 40)] },
    kept: 40,
    code: 3,
  },
  {
    says: 'RFC 2308 §5: NXDOMAIN for the SOA’s TTL',
    upstream: { rcode: 3, authority: [soa('example.org', 30, 600)] },
    kept: 30,
    code: 3,
  },
  {
    says: 'RFC 2308 §5: NODATA likewise',
    upstream: { authority: [soa('example.org', 600, 40)] },
    kept: 40,
    code: 0,
  },
  {
    says: 'RFC 2308 §5: a long MINIMUM is bounded, to 300 s here',
    upstream: { rcode: 3, authority: [soa('example.org', 86_400, 86_400)] },
    kept: 300,
    code: 3,
  },
  {
    says: 'RFC 2308 §5: NXDOMAIN without a SOA is not kept, but for the 5 s of a written-out name',
    upstream: { rcode: 3 },
    kept: 5,
    code: 3,
  },
  { says: 'RFC 2308 §5: NODATA without a SOA likewise', upstream: {}, kept: 5, code: 0 },
  { says: 'RFC 9520 §3.2: a failure for 1 s at least', upstream: { failure: 'silent' }, kept: 1, code: 2 },
  { says: 'RFC 9520 §2.1: a refusal is a failure', upstream: { failure: 'refused' }, kept: 1, code: 2 },
  { says: 'RFC 9520 §2.2: no network is a failure', upstream: { failure: 'network' }, kept: 1, code: 2 },
];

for (const { says, upstream, kept, code } of ROWS) {
  t.test(says, async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    await house.ask('www.example.org', 'A', {}, upstream);
    if (kept > 0) {
      house.pass(kept - 0.01);
      t.equal((await house.query('www.example.org')).rcode, code);
      t.equal(house.asked.length, 1);
      house.pass(0.01);
    }
    void house.query('www.example.org');
    t.equal(house.asked.length, 2);
  });
}

t.test(
  'RFC 9520 §3.2: the time grows with failures in a row, and an outage’s end is seen within 5 s',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const times: number[] = [];
    let last = 0;
    for (let second = 0; second < 24; second++) {
      void house.query('www.example.org');
      if (house.open.length > 0) {
        times.push(second - last);
        last = second;
        house.settleAll({ failure: 'silent' });
      }
      house.pass(1);
    }
    t.same(times, [0, 1, 2, 4, 4, 4, 4, 4]);
  },
);

t.test('RFC 9520 §3.1: one question at a time, however many ask', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const replies = Array.from({ length: 50 }, () => house.query('www.example.org'));
  t.equal(house.asked.length, 1);
  house.settleAll(A);
  for (const reply of await Promise.all(replies)) t.same(reply.answer, A.answer);
});

t.test('RFC 8767 §4: stale data has a TTL of 30 s', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example.org', 'A', {}, A);
  house.pass(61);
  const reply = await house.ask('www.example.org', 'A', {}, { failure: 'silent' });
  t.same(reply.answer, ['www.example.org 30 A 192.0.2.1']);
  t.same(reply.ede, [{ code: 3, text: '' }], 'RFC 8914 §4.4');
});

t.test('RFC 8767 §5: the client response timer: stale data while the question goes on', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example.org', 'A', {}, A);
  house.pass(61);
  const pending = house.query('www.example.org');
  house.open[0]!.listener.slow();
  t.same((await pending).answer, ['www.example.org 30 A 192.0.2.1']);
  house.settleAll({ answer: ['www.example.org 60 A 192.0.2.2'] });
  t.same((await house.query('www.example.org')).answer, ['www.example.org 60 A 192.0.2.2']);
});

t.test(
  'RFC 8767 §5: the failure recheck timer: while a failure is cached stale data is given at once',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    await house.ask('www.example.org', 'A', {}, A);
    house.pass(61);
    await house.ask('www.example.org', 'A', {}, { failure: 'silent' });
    t.equal((await house.query('www.example.org')).ede[0]?.code, 3);
    t.equal(house.asked.length, 2);
  },
);

t.test('RFC 8767 §5: the maximum stale timer', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example.org', 'A', {}, A);
  house.pass(60 + 3600);
  t.equal((await house.ask('www.example.org', 'A', {}, { failure: 'silent' })).rcode, 2);
});

t.test('RFC 8767 §4: an answer that says that the name is gone replaces stale data', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example.org', 'A', {}, A);
  house.pass(61);
  await house.ask('www.example.org', 'A', {}, { rcode: 3 });
  t.equal((await house.query('www.example.org')).rcode, 3);
  house.pass(5);
  t.equal((await house.ask('www.example.org', 'A', {}, { failure: 'silent' })).rcode, 2);
});

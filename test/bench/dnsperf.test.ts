import t from 'tap';
import { parseLatencies, parseReport } from '../../bench/dnsperf.ts';

/** What dnsperf 2.10 prints with -v, shortened. */
const PRINTED = `DNS Performance Testing Tool
Version 2.10.0

[Status] Command line: dnsperf -s 127.0.0.1 -p 5300 -d denied.txt -l 1.5 -c 8 -q 200 -v -e
[Status] Sending queries (to 127.0.0.1:5300)
> NOERROR api-000.svc-0.bench.example A 0.000412
> NXDOMAIN 4k1w9.bench.example A 0.000107
> T a.slow.example A
> NOERROR api-001.svc-1.bench.example A 0.001250
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         190231
  Queries completed:    190229 (100.00%)
  Queries lost:         2 (0.00%)

  Response codes:       NOERROR 152183 (80.00%), NXDOMAIN 38046 (20.00%)
  Average packet size:  request 56, response 92
  Run time (s):         1.500214
  Queries per second:   126801.243022

  Average Latency (s):  0.001488 (min 0.000042, max 0.009251)
`;

t.test('the statistics', async (t) => {
  t.same(parseReport(PRINTED), {
    completed: 190_229,
    lost: 2,
    qps: 126_801.243022,
    codes: { NOERROR: 152_183, NXDOMAIN: 38_046 },
  });
  t.throws(() => parseReport('dnsperf: cannot connect'), /printed no "Queries completed"/);
  t.same(parseReport(PRINTED.replace(/^.*Response codes.*$/m, '')).codes, {}, 'no answer, no codes');
});

t.test('latencies in milliseconds, ascending; a question without an answer has none', async (t) => {
  const latencies = [...parseLatencies(PRINTED)].map((ms) => Number(ms.toFixed(6)));
  t.same(latencies, [0.107, 0.412, 1.25]);
  t.equal(parseLatencies('').length, 0);
});

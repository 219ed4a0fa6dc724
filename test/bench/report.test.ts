import t from 'tap';
import { LOADS, type LoadName } from '../../bench/loads.ts';
import { bestOf, type Measurement, reportLoad } from '../../bench/report.ts';

function measured(server: string, round: number, cpu: number, some: Partial<Measurement> = {}): Measurement {
  return {
    load: 'denied',
    server,
    round,
    user: cpu / 4,
    system: (cpu * 3) / 4,
    qps: 100_000,
    p50: 0.4,
    p99: 2,
    completed: 1000,
    lost: 0,
    codes: { NXDOMAIN: 1000 },
    ...some,
  };
}

const load = (name: LoadName) => LOADS.find((one) => one.name === name)!;

t.test('the best peer is the one with the least mean', async (t) => {
  const a = [measured('a', 1, 3), measured('a', 2, 5)];
  const b = [measured('b', 1, 1), measured('b', 2, 8)];
  t.equal(
    bestOf([b, a], ({ user, system }) => user + system),
    a,
  );
  t.equal(
    bestOf([], () => 1),
    null,
  );
});

t.test('the ratio is the mean of the rounds’, with its spread, and is judged by its mean', async (t) => {
  const rounds = [
    [2.4, 4],
    [3.2, 4],
  ] as const;
  const measurements = rounds.flatMap(([ours, theirs], i) => [
    measured('namegate', i + 1, ours),
    measured('unbound', i + 1, theirs),
    measured('dnsmasq', i + 1, 9),
  ]);
  const report = reportLoad(load('denied'), measurements);
  t.match(report, 'CPU a query: 0.70 (0.60 to 0.80) times that of unbound (the best peer)');
  t.match(report, 'target 0.70, goal 0.60: target reached');
  t.match(report, /namegate +2\.80 \(2\.40 to 3\.20\) +0\.70 +2\.10 +100,000/);
  const rows = report.split('\n').filter((line) => /^ {2}(namegate|unbound|dnsmasq)/.test(line));
  t.equal(rows[0]!.trim().split(' ')[0], 'namegate', 'ours stands first');
  const missed = reportLoad(load('denied'), [measured('namegate', 1, 9), measured('unbound', 1, 4)]);
  t.match(missed, 'goal 0.60: missed');
});

t.test('where a load names a peer, the target is judged against that one', async (t) => {
  const of = (server: string, cpu: number): Measurement =>
    measured(server, 1, cpu, { load: 'handshake', codes: { NOERROR: 9 } });
  const report = reportLoad(load('handshake'), [of('namegate', 700), of('unbound', 300), of('dnsdist', 400)]);
  t.match(report, 'CPU µs a handshake');
  t.match(report, /times that of unbound \(the best peer\)\n/);
  t.match(report, '1.75 (1.75 to 1.75) times that of dnsdist; target 1.60, goal 1.30: missed');
});

t.test('without peers there is nothing to compare with', async (t) => {
  t.notMatch(reportLoad(load('denied'), [measured('namegate', 1, 3)]), 'times that of');
});

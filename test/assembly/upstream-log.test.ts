import t from 'tap';
import { tellUpstream, watchUpstreams } from '../../src/assembly/upstream-log.ts';
import type { Log } from '../../src/report/log.ts';
import { Readiness } from '../../src/report/readiness.ts';

t.test('a group without a server makes not ready, until it has one', async (t) => {
  let without = ['default', 'corp'];
  const readiness = new Readiness();
  readiness.clear('starting');
  let again = (): void => {};
  watchUpstreams({ look: () => without }, readiness, {
    every: (_ms, chore) => {
      again = chore;
    },
  });
  t.same(readiness.report().reasons, [
    { code: 'no-upstream', text: 'no server to ask in the group default, corp' },
  ]);
  without = [];
  again();
  t.ok(readiness.ready);
});

t.test('a resolv.conf that leaves nobody to ask is an error in the log', async (t) => {
  const told: unknown[][] = [];
  const log = Object.fromEntries(
    ['error', 'warn', 'info'].map((level) => [level, (...line: unknown[]) => told.push([level, ...line])]),
  ) as unknown as Log;
  const event = { kind: 'system-servers', group: 'default' } as const;
  tellUpstream(log, { ...event, servers: [], ours: ['udp://127.0.0.1:53'] });
  tellUpstream(log, { ...event, servers: [], ours: [] });
  tellUpstream(log, { ...event, servers: ['udp://192.0.2.1:53'], ours: [] });
  t.same(
    told.map(([level]) => level),
    ['error', 'error', 'info'],
  );
  t.match(told[0]![2], /namegate alone/);
  t.match(told[1]![2], /no nameserver/);
});

import t from 'tap';
import type { RefusedPacket } from '../../src/enforce/kernel/packet.ts';
import { RefusalWatch } from '../../src/enforce/refusal-watch.ts';
import { Refusals } from '../../src/enforce/refusals.ts';

function packet(
  client: number,
  some: Partial<RefusedPacket> & { readonly to?: readonly number[] } = {},
): RefusedPacket {
  const { to = [203, 0, 113, 1], ...rest } = some;
  return {
    source: Uint8Array.of(10, client >> 16, (client >> 8) & 255, client & 255),
    destination: Uint8Array.from(to),
    protocol: 6,
    port: 443,
    begins: true,
    ...rest,
  };
}

t.test('alike packets are one line', async (t) => {
  const refusals = new Refusals();
  for (let i = 0; i < 3; i++) refusals.take(packet(2));
  refusals.take(packet(2, { begins: false }));
  refusals.take(packet(2, { port: 80 }));
  refusals.take(packet(2, { protocol: 1, port: 0 }));
  refusals.take(packet(2, { protocol: 47, port: 0 }));
  for (const to of [
    [224, 0, 0, 251],
    [239, 255, 255, 250],
    [255, 255, 255, 255],
    [0xff, 2, ...new Array(14).fill(1)],
  ])
    refusals.take(packet(2, { to }));
  const { lines, lost } = refusals.flush();
  t.equal(lost, 0);
  t.same(
    lines.map(({ client, address, protocol, port, begins, count }) =>
      [client, address, protocol, port, begins, count].join(' '),
    ),
    [
      '10.0.0.2 203.0.113.1 tcp 443 true 3',
      '10.0.0.2 203.0.113.1 tcp 443 false 1',
      '10.0.0.2 203.0.113.1 tcp 80 true 1',
      '10.0.0.2 203.0.113.1 icmp  true 1',
      '10.0.0.2 203.0.113.1 47  true 1',
    ],
  );
  t.same(refusals.flush(), { lines: [], lost: 0 }, 'told once');
});

t.test('a client that tries everything leaves room to the others', async (t) => {
  const refusals = new Refusals();
  for (let port = 1; port <= 60_000; port++) refusals.take(packet(2, { port }));
  refusals.take(packet(3));
  const { lines, lost } = refusals.flush();
  t.equal(lost, 0);
  const rest = lines.filter(({ address }) => address === null);
  t.match(rest, [{ client: '10.0.0.2', protocol: null, port: null }]);
  t.equal(lines.filter(({ client }) => client === '10.0.0.3').length, 1);
  t.ok(lines.length < 40);
  t.equal(
    lines.reduce((sum, { count }) => sum + count, 0),
    60_001,
    'nothing is lost',
  );
  for (let client = 0; client < 100_000; client++) refusals.take(packet(client));
  const crowd = refusals.flush();
  t.ok(crowd.lines.length <= 1_024, 'a crowd of forged sources is bounded');
  t.equal(crowd.lines.reduce((sum, { count }) => sum + count, 0) + crowd.lost, 100_000);
});

t.test('what was refused belongs to the lease of then', async (t) => {
  let waiting: RefusedPacket[] = [];
  const watch = new RefusalWatch({
    read: (_, take) => {
      for (const each of waiting) take(each);
      waiting = [];
    },
    refused: () => null,
  });
  const live = (lease: string | null) =>
    ({ op: 'live', client: '10.0.0.2', identity: 'job', lease, ttl_ms: 1_000 }) as const;
  const end = { op: 'end', client: '10.0.0.2', identity: null, lease: null, quarantine_ms: 0 } as const;
  const leases = (): unknown[] => watch.take().flatMap((line) => (line.op === 'refused' ? [line.lease] : []));
  waiting = [packet(2)];
  watch.hear([end, live('le-1')], 0);
  waiting = [packet(2)];
  t.same(leases(), [null, 'le-1']);
  waiting = [packet(2)];
  watch.hear([end], 10);
  waiting = [packet(2)];
  t.same(leases(), ['le-1', 'le-1'], 'the last moment, and what was on its way');
  waiting = [packet(2)];
  watch.hear([end, live('le-2')], 20);
  waiting = [packet(2)];
  t.same(leases(), ['le-1', 'le-2'], 'leased again at once');
  watch.hear([end], 30);
  watch.hear([{ ...end, client: '10.0.0.9' }], 5_000);
  waiting = [packet(2)];
  t.same(leases(), [null], 'long over');
});

t.test('what did not come through is a number', async (t) => {
  let refused: number | null = 1_000;
  let waiting = 0;
  const watch = new RefusalWatch({
    read: (_, take) => {
      for (; waiting > 0; waiting--) take(packet(2));
    },
    refused: () => refused,
  });
  const untold = (): number =>
    watch.take().reduce((sum, line) => sum + (line.op === 'untold' ? line.count : 0), 0);
  t.equal(untold(), 0, 'what was refused before the start is no loss');
  refused += 10;
  waiting = 7;
  t.equal(untold(), 0, 'three may be on their way');
  waiting = 2;
  t.equal(untold(), 1, 'one was not');
  t.equal(untold(), 0, 'told once');
  refused += 5;
  t.equal(untold(), 0);
  refused += 5;
  t.equal(untold(), 5);
  t.equal(untold(), 5);
  refused = null;
  t.equal(untold(), 0, 'the count is not known just now');
  refused = 3;
  t.equal(untold(), 0, 'somebody has set it back');
  refused = 4;
  t.equal(untold(), 0);
  t.equal(untold(), 1);
});

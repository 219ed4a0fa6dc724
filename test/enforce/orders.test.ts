import t from 'tap';
import { clientPlaceOf, holds, portsOf } from '../../src/enforce/client-place.ts';
import { GrantIndex } from '../../src/enforce/grant-index.ts';
import { changesOf } from '../../src/enforce/orders.ts';
import type { GrantOrder } from '../../src/resolve/grants/grant-line.ts';

const GRANT = {
  op: 'grant',
  client: '192.0.2.7',
  identity: 'job',
  lease: null,
  name: 'a.example',
  chain: [],
  address: '203.0.113.1',
  ports: ['tcp/443'],
  ttl_ms: 1000,
  rule: 'policy.yaml:1',
  policy: '0000000000000000',
} as const satisfies GrantOrder;

const END = { op: 'end', identity: null, lease: null, quarantine_ms: 0 } as const;

t.test('places', async (t) => {
  const texts: readonly [string, string | null][] = [
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['192.0.2.7/24', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['2001:db8::7/32', '2001:db8::/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['192.0.2.7/33', null],
    ['192.0.2.7/1/2', null],
    ['fe80::1%eth0', null],
    ['192.0.2.7; flush ruleset', null],
    ['', null],
  ];
  for (const [text, wanted] of texts) t.equal(clientPlaceOf(text)?.text ?? null, wanted, text);
  const prefix = clientPlaceOf('192.0.2.128/25')!;
  t.ok(holds(prefix, Uint8Array.of(192, 0, 2, 200)));
  t.notOk(holds(prefix, Uint8Array.of(192, 0, 2, 100)));
  t.notOk(holds(prefix, new Uint8Array(16)));
});

t.test('ports', async (t) => {
  t.same(portsOf(['tcp/443', 'udp/53-54']), [
    { protocol: 6, port: 443 },
    { protocol: 17, port: 53 },
    { protocol: 17, port: 54 },
  ]);
  for (const wrong of ['443', 'sctp/1', 'tcp/0', 'tcp/65536', 'tcp/9-8', 'tcp/1-65', 'tcp/1 '])
    t.equal(portsOf([wrong]), null, wrong);
});

t.test('an order that is wrong changes nothing, and says why', async (t) => {
  const rows: readonly [string, object][] = [
    ['client is no address', { ...GRANT, client: 'evil } flush ruleset' }],
    ['client is no address', { ...GRANT, client: 7 }],
    ['a grant is for one client', { ...GRANT, client: '192.0.2.0/24' }],
    ['ports are wrong, or too many', { ...GRANT, ports: ['tcp/1-100'] }],
    ['ports are wrong, or too many', { ...GRANT, ports: 'tcp/443' }],
    ["the address is none of the client's family", { ...GRANT, address: '2001:db8::1' }],
    ["the address is none of the client's family", { ...GRANT, address: null }],
    ["the address is none of the client's family", { ...GRANT, address: ['203.0.113.1'] }],
    ["the address is none of the client's family", { ...GRANT, address: '203.0.113.0/24' }],
    ['ttl_ms is no time', { ...GRANT, ttl_ms: -1 }],
    ['ttl_ms is no time', { ...GRANT, ttl_ms: null }],
    ['ttl_ms is no time', { ...GRANT, ttl_ms: 1e300 }],
    ['ttl_ms is no time', { op: 'live', client: '192.0.2.7', ttl_ms: 'long' }],
    ['quarantine_ms is no time', { op: 'end', client: '192.0.2.7', quarantine_ms: Number.NaN }],
  ];
  for (const [wanted, order] of rows)
    t.equal(changesOf(order as GrantOrder, new GrantIndex(), 0), wanted, JSON.stringify(order).slice(0, 90));
});

t.test('a grant never shortens what there is, and an end takes all', async (t) => {
  const index = new GrantIndex();
  const put = (order: GrantOrder, now: number): number => {
    const changes = changesOf(order, index, now);
    if (typeof changes === 'string') throw new Error(changes);
    index.note(changes, now);
    return changes.length;
  };
  t.equal(put({ ...GRANT, ttl_ms: 5000 }, 0), 1);
  t.equal(put(GRANT, 1000), 0, 'shorter');
  t.equal(put({ ...GRANT, ttl_ms: 5000 }, 1000), 1, 'longer');
  t.equal(put({ ...GRANT, client: '192.0.2.8' }, 1000), 1, 'of another');
  t.equal(put({ op: 'live', client: '192.0.2.8', identity: 'x', lease: 'l', ttl_ms: 9000 }, 1000), 2);
  t.equal(index.size, 2);
  t.equal(put({ ...END, client: '192.0.2.0/24' }, 1000), 1, 'who is live by itself goes on');
  t.equal(index.size, 1);
  put({ ...END, client: '192.0.2.8' }, 1000);
  t.equal(index.size, 0);
  t.equal(index.live.size, 0);
  put(GRANT, 0);
  index.sweep(2000);
  t.equal(index.size, 0, 'what has ended is let go');
});

t.test('what was noted can be taken back', async (t) => {
  const index = new GrantIndex();
  const changes = changesOf({ ...GRANT, ttl_ms: 5000 }, index, 0);
  if (typeof changes === 'string') throw new Error(changes);
  const key = changes[0]!.key;
  index.note(changes, 0);
  const back = index.note([{ ...changes[0]!, ttl: null }], 1000);
  t.equal(index.until('192.0.2.7', key), 0);
  index.note(back, 1000);
  t.equal(index.until('192.0.2.7', key), 5000);
});

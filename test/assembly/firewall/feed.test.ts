import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { Feeds } from '../../../src/assembly/firewall/feeds.ts';
import { GrantWays } from '../../../src/assembly/firewall/grant-ways.ts';
import type { GrantWaiter } from '../../../src/resolve/grants/enforcement.ts';
import type { GrantOrder } from '../../../src/resolve/grants/grant-line.ts';
import type { GrantFeedSetting } from '../../../src/settings/enforce-settings.ts';
import { TestLog } from '../../admin/house.ts';
import { Authority, type Issued } from '../../identity/authority.ts';
import { until } from '../../server/namegate.ts';
import { Consumer } from './consumer.ts';

function grant(n: number, client = '192.0.2.7'): GrantOrder {
  const who = { identity: 'job', lease: null, client, name: `n${n}.example`, chain: [] };
  const address = `203.0.${113 + (n >> 8)}.${n & 255}`;
  return { op: 'grant', ...who, address, ports: ['tcp/443'], ttl_ms: 1000, rule: 'p.yaml:1', policy: '0' };
}

const LIVE: GrantOrder = { op: 'live', client: '192.0.2.0/24', identity: 'job', lease: null, ttl_ms: null };

interface Rig {
  readonly feeds: Feeds;
  readonly ways: GrantWays;
  readonly log: TestLog;
  readonly reasons: Map<string, string>;
  readonly held: GrantOrder[];
  readonly bugs: unknown[];
  /** Milliseconds. */
  now: number;
  /** Tells the feeds, and waits for what becomes of it. */
  order(orders: readonly GrantOrder[]): Promise<'good' | 'bad' | 'late'>;
  dial(obeys?: boolean): Promise<Consumer>;
}

async function rig(t: Test, way: GrantFeedSetting['class'], at?: GrantFeedSetting['at']): Promise<Rig> {
  // A short path: a socket's has 107 octets at most.
  const folder = mkdtempSync(join(tmpdir(), 'ng-feed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'feed.sock');
  const log = new TestLog();
  const reasons = new Map<string, string>();
  const held: GrantOrder[] = [];
  const bugs: unknown[] = [];
  const made = { now: 1000 };
  const feeds = new Feeds([{ name: 'edge', class: way, at: at ?? { kind: 'unix', path } }], {
    clock: { monotonic: () => made.now, epoch: () => Date.now() / 1000 },
    log,
    readiness: {
      raise: (code, text) => void reasons.set(code, text),
      clear: (code) => void reasons.delete(code),
    },
    wait: () => 100,
    snapshot: () => [[LIVE], ...held.map((order) => [order]), [{ op: 'snapshot' } as const]].values(),
    bug: (error) => void bugs.push(error),
  });
  await feeds.start();
  t.teardown(() => feeds.close());
  const ways = new GrantWays(feeds.awaited, feeds.followers);
  const order: Rig['order'] = (orders) => {
    const { promise, resolve } = Promise.withResolvers<'good' | 'bad' | 'late'>();
    const waiter: GrantWaiter = {
      settled: (good) => resolve(good ? 'good' : 'bad'),
      expired: () => resolve('late'),
    };
    ways.order(orders, waiter);
    return promise;
  };
  const dial = async (obeys = true): Promise<Consumer> => {
    const consumer = new Consumer(connect({ path }), obeys);
    t.teardown(() => consumer.socket.destroy());
    await until(() => consumer.lines.length > 0 || consumer.over);
    return consumer;
  };
  return Object.assign(made, { feeds, ways, log, reasons, held, bugs, order, dial });
}

t.test('a snapshot, then what happens', async (t) => {
  const here = await rig(t, 'follow');
  here.held.push(grant(1), grant(2));
  const consumer = await here.dial();
  t.same(consumer.lines[0], { op: 'hello', v: 1, feed: 'edge', class: 'follow' });
  consumer.hello();
  await until(() => consumer.snapshots === 1);
  t.same([...consumer.live.keys()], ['192.0.2.0/24']);
  t.same([...consumer.grants.values()], ['n1.example', 'n2.example']);
  t.equal(await here.order([grant(3)]), 'good', 'nobody waits for it');
  const { op, address, ports, client, identity, lease } = grant(1) as Extract<GrantOrder, { op: 'grant' }>;
  t.equal(op, 'grant');
  here.ways.order([{ op: 'revoke', client, identity, lease, name: 'n1.example', address, ports }], null);
  await until(() => consumer.grants.size === 2 && consumer.sequence === 6);
  t.same([...consumer.grants.values()], ['n2.example', 'n3.example']);
  t.equal(consumer.gaps, 0);
  const gone = { client, identity, lease, quarantine_ms: 0 };
  here.ways.order([{ op: 'end', ...gone }], null);
  await until(() => consumer.grants.size === 0);
  t.same(here.bugs, []);
});

t.test('answers wait for a feed of class wait, and for nobody else', async (t) => {
  const here = await rig(t, 'wait');
  t.match(here.reasons.get('enforce-feed'), /nobody follows the feed edge/);
  t.equal(here.ways.down, false, 'it may come within the wait');
  const alone = here.order([grant(1)]);
  here.now += 101;
  t.equal(await alone, 'late', 'nobody is there');
  t.equal(here.ways.down, true);
  const consumer = await here.dial(false);
  consumer.hello();
  await until(() => consumer.snapshots === 1);
  t.equal(here.ways.down, true, 'a snapshot that is not acknowledged is none');
  here.now += 40;
  const counted = (): object => Object.fromEntries(here.feeds.counts);
  t.same(counted(), { edge: { consumers: 1, synced: 0, dropped: 0, oldest: 40 } });
  consumer.acknowledge();
  await until(() => !here.ways.down);
  t.equal(here.reasons.size, 0);
  t.same(counted(), { edge: { consumers: 1, synced: 1, dropped: 0, oldest: 0 } });

  const good = here.order([grant(2), grant(3)]);
  await until(() => consumer.sequence === 4);
  consumer.say({ op: 'ack', seq: 3 });
  await until(() => true);
  consumer.acknowledge();
  t.equal(await good, 'good');
  const bad = here.order([grant(4), grant(5)]);
  await until(() => consumer.sequence === 6);
  consumer.say({ op: 'fault', seq: 5, text: 'no room' });
  consumer.acknowledge();
  t.equal(await bad, 'bad', 'one that could not be put in force');
  const late = here.order([grant(6)]);
  await until(() => consumer.sequence === 7);
  here.now += 101;
  t.equal(await late, 'late', 'silence');
  here.ways.order([grant(9)], null);
  await until(() => consumer.sequence === 8);
  here.now += 7;
  t.match(counted(), { edge: { oldest: 108 } }, 'since the first that is not acknowledged');
  consumer.say({ op: 'ack', seq: 7 });
  await until(() => here.feeds.counts[0]?.[1].oldest === 7);
  consumer.acknowledge();

  const second = await here.dial();
  second.hello();
  await until(() => here.log.lines.filter(({ level }) => level === 'info').length === 2);
  const both = here.order([grant(7)]);
  await until(() => second.sequence > 2 && consumer.sequence === 9);
  second.socket.destroy();
  consumer.acknowledge();
  t.equal(await both, 'good', 'one that has gone is waited for no longer');
  const lost = here.order([grant(8)]);
  await until(() => consumer.sequence === 10);
  consumer.socket.destroy();
  t.equal(await lost, 'bad', 'the last one has gone');
  await until(() => here.reasons.has('enforce-feed'));
  here.now += 101;
  t.equal(here.ways.down, true);
  t.same(here.bugs, []);
});

t.test('a consumer that lies is disconnected, and nobody else notices', async (t) => {
  const here = await rig(t, 'wait');
  const honest = await here.dial();
  honest.hello();
  await until(() => !here.ways.down);
  const hello = '{"op":"hello","v":1}\n';
  const lies: readonly [what: string, said: string][] = [
    ['another version', '{"op":"hello","v":2}\n'],
    ['nothing of hello', '{"op":"ack","seq":1}\n'],
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'],
    ['an empty line', '\n'],
    ['no object', `${hello}null\n`],
    ['a list', `${hello}[]\n`],
    ['an order', `${hello}{"op":"grant","seq":1,"client":"192.0.2.7"}\n`],
    ['the future', `${hello}{"op":"ack","seq":900719925474099}\n`],
    ['no number', `${hello}{"op":"ack","seq":"1"}\n`],
    ['half a number', `${hello}{"op":"ack","seq":1.5}\n`],
    ['less than the first', `${hello}{"op":"ack","seq":0}\n`],
    ['twice the same', `${hello}{"op":"ack","seq":1}\n{"op":"ack","seq":1}\n`],
    ['hello again', `${hello}${hello}`],
    ['a fault of the future', `${hello}{"op":"fault","seq":99,"text":"x"}\n`],
    ['a fault behind', `${hello}{"op":"ack","seq":1}\n{"op":"fault","seq":1,"text":"x"}\n`],
    ['a long line', `${hello}${'x'.repeat(70_000)}`],
    ['no UTF-8', `${hello}\xff\xfe\n`],
  ];
  for (const [what, said] of lies) {
    const liar = await here.dial(false);
    liar.say(said);
    await until(() => liar.over);
    t.equal(await here.order([grant(1)]), 'good', what);
    await until(() => here.feeds.awaited[0]!.size === 1);
  }
  const half = await here.dial(false);
  half.say(`${hello}{"op":"ack","se`);
  await until(() => half.snapshots === 1);
  t.equal(await here.order([grant(2)]), 'good', 'half a line');
  t.notOk(half.over, 'the rest may come');
  half.say('q":1}\n');
  t.equal(await here.order([grant(3)]), 'good');
  t.notOk(half.over);
  t.equal(honest.gaps, 0);
  t.same(here.bugs, []);
});

t.test('a gigabyte without a line end is not kept', async (t) => {
  const here = await rig(t, 'follow');
  const liar = await here.dial(false);
  const block = 'x'.repeat(2 ** 16);
  let sent = 0;
  const more = (): void => {
    while (!liar.over && sent < 2 ** 30) {
      sent += block.length;
      if (!liar.socket.write(block)) return;
    }
  };
  liar.socket.on('drain', more);
  more();
  await until(() => liar.over);
  t.ok(sent < 16 * 2 ** 20, `cut off after ${sent} octets`);
});

t.test('who does not read is told that lines were dropped, and begins anew', async (t) => {
  const here = await rig(t, 'follow');
  const slow = await here.dial();
  slow.hello();
  await until(() => slow.snapshots === 1);
  slow.socket.pause();
  const quick = await here.dial();
  quick.hello();
  await until(() => quick.snapshots === 1);
  let told = 0;
  const batch = Array.from({ length: 2_000 }, (_, n) => grant(n));
  for (; here.log.count('enforce-trouble') === 0; told += batch.length) {
    here.ways.order(batch, null);
    await until(() => quick.sequence >= told);
  }
  await until(() => quick.sequence === told + 2);
  t.equal(quick.dropped, 0, 'the other one lacks nothing');
  here.held.push(grant(7));
  slow.socket.resume();
  await until(() => slow.snapshots === 2);
  t.equal(slow.dropped, 1);
  t.equal(here.feeds.counts[0]?.[1].dropped, 1);
  t.equal(slow.gaps, 0, 'up to there it has all');
  t.same([...slow.grants.values()], ['n7.example']);
  here.ways.order([grant(8)], null);
  await until(() => slow.grants.size === 2);

  const deaf = await here.dial(false);
  deaf.hello();
  await until(() => deaf.snapshots === 1);
  const many = Array.from({ length: 4_000 }, (_, n) => grant(n));
  let sent = 0;
  for (; deaf.dropped === 0 && sent < 50_000; sent += many.length) {
    here.ways.order(many, null);
    await until(() => deaf.sequence >= sent || deaf.dropped > 0);
  }
  t.equal(sent, 36_000, 'who reads and never acknowledges is dropped too');
  t.same(here.bugs, []);
});

t.test('a storm of connections', async (t) => {
  const here = await rig(t, 'wait');
  const honest = await here.dial();
  honest.hello();
  await until(() => !here.ways.down);
  for (let round = 0; round < 6; round++) {
    const crowd = await Promise.all(Array.from({ length: 30 }, () => here.dial(false)));
    for (const one of crowd) one.say('{"op":"hello","v":1}\n');
    t.equal(
      await here.order([grant(round)]),
      'good',
      'who has not acknowledged a snapshot is not waited for',
    );
    for (const one of crowd) one.socket.destroy();
    await until(() => here.feeds.awaited[0]!.size === 1);
  }
  t.notOk(honest.over);
  t.ok(here.log.count('enforce-trouble') <= 2, 'the log is not theirs to fill');
});

t.test('the socket is for its owner alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ng-feed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'own.sock');
  await rig(t, 'follow', { kind: 'unix', path });
  t.equal(statSync(path).mode & 0o777, 0o600);
  const second = rig(t, 'follow', { kind: 'unix', path });
  await t.rejects(second, /another process answers/);
  chmodSync(path, 0o600);
});

t.test('over TLS a certificate says who may listen', async (t) => {
  const ca = new Authority({ name: 'enforcers' });
  const foreign = new Authority({ name: 'jobs' });
  const servers = new Authority({ name: 'servers' });
  const shown = servers.issue({ ips: ['127.0.0.1'], eku: ['serverAuth'] });
  const file = (text: string) => ({ path: 'x.pem', text });
  const port = await freePort();
  const tls = {
    certificate: file(shown.pem),
    key: file(shown.keyPem),
    clients: 'required',
    clientCa: file(ca.pem),
    crl: null,
    crlEnded: 'refuse',
    trustDomains: [],
  } as const;
  const at = { kind: 'tls', host: '127.0.0.1', port, tls, clients: ['dns:edge.example'] } as const;
  const here = await rig(t, 'follow', at);
  const dial = async (as: Issued | null): Promise<Consumer> => {
    const shows = as === null ? {} : { cert: as.pem, key: as.keyPem };
    const socket: Socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...shows });
    const consumer = new Consumer(socket);
    t.teardown(() => socket.destroy());
    await until(() => consumer.lines.length > 0 || consumer.over);
    return consumer;
  };
  const edge = ca.issue({ dns: ['edge.example'] });
  const good = await dial(edge);
  good.hello();
  await until(() => good.snapshots === 1);
  for (const [what, as] of [
    ['none', null],
    ['of another CA', foreign.issue({ dns: ['edge.example'] })],
    ['with another name', ca.issue({ dns: ['job.example'] })],
    ['that has ended', ca.issue({ dns: ['edge.example'], notAfter: new Date(Date.now() - 1000) })],
  ] as const) {
    const refused = await dial(as);
    t.same(refused.lines, [], `a certificate ${what}`);
  }
  here.feeds.take([{ name: 'edge', class: 'follow', at: { ...at, clients: ['dns:next.example'] } }]);
  await until(() => good.over);
  // One address may come five times in a second.
  const second = Math.floor(Date.now() / 1000);
  await until(() => Math.floor(Date.now() / 1000) > second);
  const next = await dial(ca.issue({ dns: ['next.example'] }));
  t.equal(next.lines.length, 1, 'names are taken anew');
});

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

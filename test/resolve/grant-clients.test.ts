import t, { type Test } from 'tap';
import type { Lease } from '../../src/policy/lease/lease.ts';
import { Credential } from '../../src/resolve/client/credential.ts';
import { HeldGrants } from '../../src/resolve/grants/held-grants.ts';
import { GrantReview } from '../../src/resolve/grants/review.ts';
import { RCODE } from '../../src/wire/iana.ts';
import { prefix } from '../policy/build.ts';
import { PlayedEnforcer } from './enforcement.ts';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';

/** Whom the firewall judges: the address of the question, or the one that a lease names. */

const JOB = 'spiffe://ci.example/job';
const POLICY = policy(
  {
    job: {
      from: ['192.0.2.0/24', '198.51.100.8'],
      certificates: [JOB],
      allow: ['local.example', 'six.example', rule('n{0..40}.many.example')],
    },
  },
  {
    records: [
      '{ name: local.example, type: A, data: 203.0.113.9, ttl: 300 }',
      '{ name: six.example, type: AAAA, data: "2001:db8:9::9", ttl: 300 }',
    ],
  },
);

function credential(...names: string[]): Credential {
  return new Credential([...names, 'sha256:00'], null);
}

interface Rig {
  readonly house: House;
  readonly enforcer: PlayedEnforcer;
  readonly review: GrantReview;
  ask(name: string, options: QueryOptions): Promise<string[]>;
}

function rig(t: Test): Rig {
  const enforcer = new PlayedEnforcer();
  const firewall = { ports: ['tcp/443'], open: false };
  const house = new House((content) => t.testdir(content), POLICY, { firewall, gate: enforcer.gate });
  const clock = { monotonic: () => house.now, epoch: () => house.epoch };
  const rooms = { book: enforcer.gate.book, enforcement: enforcer, leases: house.leases, clock };
  const review = new GrantReview(rooms, house.inForce);
  const ask = async (name: string, options: QueryOptions): Promise<string[]> => {
    const asked = house.ask(name, name.startsWith('six') ? 'AAAA' : 'A', options);
    const granted = enforcer.granted();
    enforcer.settle();
    t.equal((await asked).rcode, RCODE.NOERROR, name);
    return granted;
  };
  return { house, enforcer, review, ask };
}

function open({ house }: Rig, some: Partial<Lease>): void {
  const lease: Lease = {
    id: 'l1',
    identity: 'job',
    stage: null,
    addresses: [],
    certificate: null,
    job: null,
    endsAt: house.now + 600_000,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
    ...some,
  };
  house.leases.open(lease, house.now);
}

t.test('a certificate alone: the address of its connection', async (t) => {
  const { ask, enforcer, review } = rig(t);
  const shown = { transport: 'tls', credential: credential(JOB) } as const;
  t.same(await ask('local.example', { ...shown, from: '10.8.0.1' }), [
    'live 10.8.0.1 certified',
    '10.8.0.1 203.0.113.9 tcp/443 360',
  ]);
  t.same(await ask('six.example', { ...shown, from: '2001:db8:7::1' }), [
    'live 2001:db8:7::1 certified',
    '2001:db8:7::1 2001:db8:9::9 tcp/443 360',
  ]);
  t.same(await ask('local.example', { ...shown, from: '127.0.0.1' }), [], 'loopback is not judged');
  const told = [...review.snapshot()];
  t.equal(told.filter((order) => order.op === 'live' && order.certified === true).length, 2);
  t.same(enforcer.findings, []);
});

t.test('the address that a lease names', async (t) => {
  const rows: readonly [what: string, lease: Partial<Lease>, options: QueryOptions][] = [
    ['behind NAT', { addresses: [prefix('192.0.2.1/32')] }, { from: '192.0.2.1' }],
    [
      'a stub on the host',
      { certificate: JOB },
      { from: '127.0.0.1', transport: 'tls', credential: credential(JOB) },
    ],
    [
      'both',
      { addresses: [prefix('192.0.2.0/28')], certificate: JOB },
      { from: '192.0.2.3', transport: 'tls', credential: credential(JOB) },
    ],
  ];
  for (const [what, lease, options] of rows) {
    const here = rig(t);
    const { house, enforcer, ask, review } = here;
    open(here, { ...lease, client: prefix('192.0.2.77/32') });
    t.same(enforcer.granted(), ['end 192.0.2.77 0', 'live 192.0.2.77 l1'], `${what}: it alone is live`);
    t.same(await ask('local.example', options), ['192.0.2.77 203.0.113.9 tcp/443 90'], what);
    t.same(await ask('local.example', options), [], `${what}: it is remembered`);
    t.same(await ask('six.example', options), [], `${what}: of the other family it has no address`);
    const live = [...review.snapshot()].flatMap((order) =>
      order.op === 'live' && order.lease !== null ? order.client : [],
    );
    t.same(live, ['192.0.2.77'], `${what}: in the snapshot too`);
    house.leases.change('l1', { endsAt: house.now + 1_200_000 }, house.now);
    t.same(enforcer.granted()[0], 'live 192.0.2.77 l1', `${what}: more time`);
    house.leases.end('l1', house.now);
    t.same(enforcer.granted(), ['end 192.0.2.77 0'], `${what}: its end is the named one's`);
    t.equal(enforcer.gate.book.size, 0);
  }
});

t.test('a named address is held like one that is bound', async (t) => {
  const here = rig(t);
  const { house } = here;
  open(here, { certificate: JOB, client: prefix('192.0.2.77/32') });
  const conflict = (some: Partial<Lease>) =>
    house.leases.conflict({ id: 'l2', addresses: [], certificate: null, ...some }, house.now);
  t.match(conflict({ addresses: [prefix('192.0.2.77/32')] }), { lease: 'l1', on: 'address' });
  t.match(conflict({ addresses: [prefix('192.0.2.64/28')] }), { on: 'address' }, 'in a prefix');
  const far = [prefix('10.1.1.1/32')];
  t.match(conflict({ addresses: far, client: prefix('192.0.2.77/32') }), { on: 'client' });
  t.equal(conflict({ addresses: far, client: prefix('192.0.2.78/32') }), null);
  house.leases.end('l1', house.now);
  t.equal(conflict({ addresses: [prefix('192.0.2.77/32')] }), null, 'afterwards it is free');
});

t.test('a quarantine is told again to an enforcer that comes, of each address', async (t) => {
  const here = rig(t);
  const { house, review } = here;
  const addresses = ['192.0.2.5/32', '2001:db8:0:0:0:0:0:5/128'].map(prefix);
  open(here, { addresses, quarantine: 60_000 });
  open(here, { id: 'l2', certificate: JOB, client: prefix('192.0.2.77/32'), quarantine: 60_000 });
  house.leases.end('l1', house.now);
  house.leases.end('l2', house.now);
  const calm = () =>
    [...review.snapshot()].flatMap((order) =>
      order.op === 'end' ? `${order.client} ${order.quarantine_ms}` : [],
    );
  t.same(calm().sort(), ['192.0.2.5 60000', '192.0.2.77 60000', '2001:db8::5 60000']);
  open(here, { id: 'l3', certificate: JOB, client: prefix('192.0.2.5/32') });
  t.same(calm().sort(), ['192.0.2.77 60000', '2001:db8::5 60000'], 'a new lease lifts it');
});

t.test("after a lease a policy's own address is its identity's again", async (t) => {
  const here = rig(t);
  const { house, enforcer, review } = here;
  open(here, { addresses: [prefix('198.51.100.8/32')] });
  enforcer.granted();
  house.leases.end('l1', house.now);
  t.same(enforcer.granted(), ['end 198.51.100.8 0', 'live 198.51.100.8 static']);

  open(here, { id: 'l2', addresses: [prefix('198.51.100.8/32')], quarantine: 60_000 });
  enforcer.granted();
  house.leases.end('l2', house.now);
  t.same(enforcer.granted(), ['end 198.51.100.8 60000']);
  house.pass(59);
  review.look();
  t.same(enforcer.granted(), [], 'not before its quarantine is over');
  house.pass(1);
  review.look();
  t.same(enforcer.granted(), ['live 198.51.100.8 static']);
  review.look();
  t.same(enforcer.granted(), [], 'once');
});

t.test('a client that has all it may have takes nothing from others', async (t) => {
  const here = rig(t);
  const { house, enforcer, ask } = here;
  const open = async (n: number, from: string): Promise<number> => {
    const addresses = Array.from({ length: 256 }, (_, i) => `n${n}.many.example 60 A 203.0.${n}.${i}`);
    const asked = house.ask(`n${n}.many.example`, 'A', { from, transport: 'tcp' }, { answer: addresses });
    enforcer.settle();
    return (await asked).rcode;
  };
  for (let n = 0; n < 16; n++) t.equal(await open(n, '192.0.2.7'), RCODE.NOERROR);
  t.equal(await open(16, '192.0.2.7'), RCODE.SERVFAIL, '4,096 and no more');
  t.match(enforcer.findings, [
    { finding: 'grant-limit', client: '192.0.2.7', limit: 'grants of one client' },
  ]);
  t.equal(await open(3, '192.0.2.7'), RCODE.NOERROR, 'what it has it is told');
  t.equal(await open(16, '192.0.2.8'), RCODE.NOERROR, 'another client is none the poorer');
  const [client] = enforcer.gate.book.at({ family: 4, w0: 0xc000_0207, w1: 0, w2: 0, w3: 0 });
  t.same(enforcer.gate.book.of(client!), { clients: 2, grants: 4_352 });
  house.pass(121);
  t.equal(await open(17, '192.0.2.7'), RCODE.NOERROR, 'what has ended makes room');
  enforcer.granted();
  t.same(await ask('local.example', { from: '192.0.2.7' }), ['192.0.2.7 203.0.113.9 tcp/443 360']);
  t.equal(enforcer.gate.book.at({ family: 4, w0: 0xc000_0207, w1: 0, w2: 0, w3: 0 }).length, 1);
});

t.test('what was granted before a start is judged anew', async (t) => {
  const here = rig(t);
  const { house, enforcer } = here;
  const clock = { monotonic: () => house.now, epoch: () => house.epoch };
  const { book } = enforcer.gate;
  const held = new HeldGrants({ book, leases: house.leases, clock });
  open(here, { id: 'by-address', addresses: [prefix('203.0.113.5')] });
  open(here, { id: 'by-certificate', addresses: [], certificate: JOB });
  const place = (text: string) => {
    const { family, words } = prefix(text);
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
    return { family, w0: w0 | 0, w1, w2, w3 };
  };
  const given = (client: string, name = 'local.example', lease = '', identity = 'job') =>
    held.take(
      {
        client: place(client),
        identity,
        lease,
        given: {
          name,
          address: place('203.0.113.9'),
          ports: ['tcp/1'],
          left: 60_000,
          reason: { chain: ['c.example'], rule: null, policy: '' },
        },
      },
      house.inForce,
    );
  const certified = (client: string, lease = '', identity = 'job') =>
    held.take({ client: place(client), identity, lease, given: null }, house.inForce);
  t.match(
    given('192.0.2.7'),
    [
      {
        op: 'grant',
        name: 'local.example',
        ports: ['tcp/443'],
        ttl_ms: 60_000,
        chain: ['c.example'],
      },
    ],
    'the ports are those of now',
  );
  t.equal(given('203.0.113.5', 'local.example', 'by-address').length, 1);
  for (const [what, orders] of [
    ['a name that nothing approves', given('192.0.2.7', 'gone.example')],
    ['a name that is none', given('192.0.2.7', 'a..example')],
    ['a client that no identity has', given('203.0.113.77')],
    ['a client of another identity', given('192.0.2.7', 'local.example', '', 'other')],
    ['a lease that is over', given('203.0.113.5', 'local.example', 'over')],
    ['an address that the lease has not', given('192.0.2.7', 'local.example', 'by-address')],
    ['an address where no certificate was shown', given('203.0.113.6', 'local.example', 'by-certificate')],
  ] as const)
    t.same(orders, [], what);
  certified('203.0.113.6', 'by-certificate');
  t.equal(given('203.0.113.6', 'local.example', 'by-certificate').length, 1, 'behind its certificate');
  certified('203.0.113.20', 'over');
  certified('203.0.113.5', 'over');
  certified('192.0.2.9', '', 'gone');
  certified('203.0.113.21');
  t.match(held.end(house.inForce), [{ op: 'end', client: '203.0.113.20' }], 'nobody else has the address');
  t.equal(held.end(house.inForce).length, 0);
  t.same(
    [...book.all()].map(({ size, lease, certified }) => [size, lease, certified]),
    [
      [1, '', false],
      [1, 'by-address', false],
      [1, 'by-certificate', true],
      [0, '', true],
    ],
  );
});

import t, { type Test } from 'tap';
import type { Lease } from '../../src/policy/lease/lease.ts';
import { GrantReview } from '../../src/resolve/grants/review.ts';
import { FLAG } from '../../src/wire/header.ts';
import { EDE, RCODE } from '../../src/wire/iana.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { prefix } from '../policy/build.ts';
import { PlayedEnforcer } from './enforcement.ts';
import { House } from './house.ts';
import { exception, policy, rule } from './policy.ts';
import { wireName } from './records.ts';

/** No answer with addresses leaves before the firewall has what it opens, however the answer came about. */

const FIREWALL = { ports: ['tcp/443'], open: false };
const JOB = { from: '192.0.2.7' } as const;
const POLICY = policy(
  {
    job: {
      from: ['192.0.2.0/24', '2001:db8::/32'],
      allow: [
        'plain.example',
        'local.example',
        'moved.example',
        rule('ports.example', 'ports: [udp/53, tcp/8000-8010]'),
        rule('kept.example', 'keep: lease'),
        rule('soon.example', 'until: 2026-11-20T00:00:20Z'),
        rule('hint.example', 'types: [HTTPS]'),
      ],
    },
  },
  {
    records: ['{ name: local.example, type: A, data: 198.51.100.9, ttl: 300 }'],
    redirects: ['{ name: moved.example, to: mirror.example }'],
  },
);

function rig(t: Test, firewall = FIREWALL, text = POLICY): { house: House; enforcer: PlayedEnforcer } {
  const enforcer = new PlayedEnforcer();
  return {
    enforcer,
    house: new House((content) => t.testdir(content), text, { firewall, gate: enforcer.gate }),
  };
}

const a = (name: string, ...addresses: string[]) => ({
  answer: addresses.map((address) => `${name} 60 ${address.includes(':') ? 'AAAA' : 'A'} ${address}`),
});

t.test('each way of answering', async (t) => {
  const rows: readonly [what: string, name: string, type: string, script: object, granted: string[]][] = [
    ['forwarded', 'plain.example', 'A', a('plain.example', '203.0.113.1'), ['203.0.113.1 tcp/443 120']],
    ['local', 'local.example', 'A', {}, ['198.51.100.9 tcp/443 360']],
    ['a redirect', 'moved.example', 'A', a('mirror.example', '203.0.113.2'), ['203.0.113.2 tcp/443 120']],
    [
      'ports of the rule',
      'ports.example',
      'A',
      a('ports.example', '203.0.113.3'),
      ['203.0.113.3 tcp/8000-8010,udp/53 120'],
    ],
    ['the end of a rule', 'soon.example', 'A', a('soon.example', '203.0.113.4'), ['203.0.113.4 tcp/443 19']],
    [
      'keep without a lease',
      'kept.example',
      'A',
      a('kept.example', '203.0.113.5'),
      ['203.0.113.5 tcp/443 120'],
    ],
    [
      'several',
      'plain.example',
      'A',
      a('plain.example', '203.0.113.1', '203.0.113.9'),
      ['203.0.113.1 tcp/443 120', '203.0.113.9 tcp/443 120'],
    ],
    [
      'a hint',
      'hint.example',
      'HTTPS',
      { answer: ['hint.example 60 HTTPS 1 . ipv4hint=203.0.113.6'] },
      ['203.0.113.6 tcp/443 120'],
    ],
    [
      'a mapped address is IPv4',
      'plain.example',
      'AAAA',
      a('plain.example', '::ffff:203.0.113.7'),
      ['203.0.113.7 tcp/443 120'],
    ],
    ['nothing for IPv6 over IPv4', 'plain.example', 'AAAA', a('plain.example', '2001:db8:9::1'), []],
    ['no data', 'plain.example', 'A', { authority: ['example 60 SOA ns. mail. 1 2 3 4 60'] }, []],
  ];
  for (const [what, name, type, script, granted] of rows) {
    const { house, enforcer } = rig(t);
    // Within a second, so that whole ones do not hide what the wait adds.
    house.pass(0.5);
    let done = false;
    const asked = house.ask(name, type, JOB, script).then((reply) => {
      done = true;
      return reply;
    });
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(done, granted.length === 0, `${what}: it waits where something is to be opened`);
    t.same(
      enforcer.granted().map((text) => text.replace('192.0.2.7 ', '')),
      granted,
      what,
    );
    // The wait takes its time.
    house.pass(0.003);
    enforcer.settle();
    const reply = await asked;
    t.equal(reply.rcode, RCODE.NOERROR, what);
    const again = await house.ask(name, type, JOB, script);
    t.same([...again.answer].sort(), [...reply.answer].sort(), `${what}: then it is answered at once`);
    t.same(enforcer.granted(), [], `${what}: and nothing is asked`);
    t.same(house.bugs, []);
  }
});

t.test('an answer that may not be kept is the one whose grants were asked for', async (t) => {
  const { house, enforcer } = rig(t);
  const zero = (address: string) => ({ answer: [`plain.example 0 A ${address}`] });
  const asked = house.ask('plain.example', 'A', JOB, zero('203.0.113.1'));
  enforcer.settle();
  const [first] = (await asked).answer;
  t.match(first, /203\.0\.113\.1/);
  t.equal(house.questions.length, 1, 'nobody is asked twice');
  t.match(house.exits, ['forwarded']);
});

t.test('a grant is renewed before a client can hold what it no longer opens', async (t) => {
  const { house, enforcer } = rig(t);
  const script = a('plain.example', '203.0.113.1');
  const ask = async (): Promise<string[]> => {
    const asked = house.ask('plain.example', 'A', JOB, script);
    const granted = enforcer.granted();
    enforcer.settle();
    t.equal((await asked).rcode, RCODE.NOERROR);
    return granted;
  };
  t.equal((await ask()).length, 1);
  const granted: number[] = [];
  for (let second = 0; second < 300; second += 20) {
    house.pass(20);
    const until = granted.at(-1) ?? 0;
    if ((await ask()).length > 0) granted.push(second);
    else t.ok(second - until < 120, 'it lives');
  }
  t.ok(granted.length >= 2 && granted.length < 10, `renewed ${granted.length} times in five minutes`);
});

t.test('what is not there in time', async (t) => {
  const { house, enforcer } = rig(t);
  const script = a('plain.example', '203.0.113.1');
  for (const [what, end] of [
    ['a fault', () => enforcer.settle(false)],
    ['silence', () => enforcer.expire()],
  ] as const) {
    const asked = house.ask('plain.example', 'A', JOB, script);
    end();
    const reply = await asked;
    t.match(reply, { rcode: RCODE.SERVFAIL, ede: [{ code: EDE.NOT_READY }] }, what);
  }
  t.match(enforcer.findings, [
    { finding: 'grant-missing', client: '192.0.2.7', name: 'plain.example', given: false },
    {},
  ]);
  const late = house.ask('plain.example', 'A', JOB, script);
  const [waiter] = enforcer.expire();
  t.equal((await late).rcode, RCODE.SERVFAIL);
  waiter!.settled(true);
  t.equal(
    (await house.ask('plain.example', 'A', JOB, script)).rcode,
    RCODE.NOERROR,
    'what comes late counts for the next',
  );
  enforcer.down = true;
  t.equal((await house.ask('local.example', 'A', JOB)).rcode, RCODE.SERVFAIL, 'nobody is there');
  t.same(house.exits.filter((exit) => exit === 'ungranted').length, 4);
  t.same(house.bugs, []);

  const open = rig(t, { ...FIREWALL, open: true });
  open.enforcer.down = true;
  t.equal((await open.house.ask('local.example', 'A', JOB)).rcode, RCODE.NOERROR, 'fail: open');
  t.match(open.enforcer.findings, [{ finding: 'grant-missing', given: true }]);
});

t.test('who is granted nothing', async (t) => {
  const { house, enforcer } = rig(t, FIREWALL, POLICY.replace('192.0.2.0/24', '192.0.2.0/24", "127.0.0.0/8'));
  t.equal((await house.ask('local.example', 'A', { from: '127.0.0.1' })).rcode, RCODE.NOERROR, 'loopback');
  t.equal((await house.ask('localhost', 'A', JOB)).rcode, RCODE.NOERROR, 'for loopback');
  const forged = await house.ask('local.example', 'A', { ...JOB, spoofable: true });
  t.ok((forged.flags & FLAG.TC) !== 0, 'a source that may be forged is sent to TCP');
  t.same(enforcer.granted(), []);
  const asked = house.ask('local.example', 'A', { ...JOB, transport: 'tcp' });
  enforcer.settle();
  await asked;
  t.equal(
    (await house.ask('local.example', 'A', { ...JOB, spoofable: true })).flags & FLAG.TC,
    0,
    'what is there is given',
  );
  t.equal(
    (await house.ask('local.example', 'A', { from: '::ffff:c000:207' })).rcode,
    RCODE.NOERROR,
    'the same client, mapped',
  );
});

t.test('as many as may be', async (t) => {
  const { house, enforcer } = rig(t);
  const many = (count: number) =>
    a('plain.example', ...Array.from({ length: count }, (_, i) => `203.0.${113 + (i >> 8)}.${i & 255}`));
  const asked = house.ask('plain.example', 'A', { ...JOB, transport: 'tcp' }, many(256));
  t.equal(enforcer.granted().length, 256);
  enforcer.settle();
  t.equal((await asked).rcode, RCODE.NOERROR);
  house.pass(100);
  const over = await house.ask('plain.example', 'A', { ...JOB, transport: 'tcp' }, many(257));
  t.equal(over.rcode, RCODE.SERVFAIL);
  t.match(enforcer.findings, [{ finding: 'grant-limit', client: '192.0.2.7', name: 'plain.example' }]);

  const { book } = enforcer.gate;
  const client = book.find(ipAddress(4, 0xc000_0207), '', 'job')!;
  const reason = { chain: [], rule: null, policy: '0' };
  const fill = (i: number) => {
    const at = { family: 4 as const, w0: i, w1: 0, w2: 0, w3: 0 };
    book.put(client, at, Uint8Array.from(wireName('other.example')), [], house.now + 90_000, reason);
  };
  for (let i = 0; client.size < 4_095; i++) fill(i);
  enforcer.granted();
  const last = house.ask('local.example', 'A', JOB);
  t.equal(enforcer.granted().length, 1, 'the 4,096th');
  enforcer.settle();
  t.equal((await last).rcode, RCODE.NOERROR);
  const more = await house.ask('moved.example', 'A', JOB, a('mirror.example', '203.0.113.2'));
  t.equal(more.rcode, RCODE.SERVFAIL, 'and one more');
  t.match(enforcer.findings.at(-1), { finding: 'grant-limit', name: 'moved.example' });
  house.pass(100_000);
  const later = house.ask('moved.example', 'A', JOB, a('mirror.example', '203.0.113.2'));
  enforcer.settle();
  t.equal((await later).rcode, RCODE.NOERROR, 'when others have ended');
});

function leaseOf(house: House, some: Partial<Lease> = {}): Lease {
  return {
    id: 'l1',
    identity: 'job',
    stage: null,
    addresses: [prefix('192.0.2.7/32')],
    certificate: null,
    job: null,
    endsAt: house.now + 600_000,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
    ...some,
  };
}

t.test('leases, stages and reloads', async (t) => {
  const staged = policy({
    job: {
      from: ['192.0.2.0/24'],
      allow: ['plain.example', rule('kept.example', 'keep: lease')],
      exceptions: [exception('extra.example', '2026-12-01')],
      more: [
        'stages: { fetch: { allow: [{ name: early.example, owner: o, reason: r }] }, build: { only: [] } }',
      ],
    },
  });
  const { house, enforcer } = rig(t, FIREWALL, staged);
  const clock = { monotonic: () => house.now, epoch: () => house.epoch };
  const review = new GrantReview(
    { book: enforcer.gate.book, enforcement: enforcer, leases: house.leases, clock },
    house.inForce,
  );
  t.same(
    [...review.snapshot()].map(({ op }) => op),
    ['live', 'snapshot'],
  );
  const ask = async (name: string, address: string, from = '192.0.2.7'): Promise<string[]> => {
    const asked = house.ask(name, address.includes(':') ? 'AAAA' : 'A', { from }, a(name, address));
    const granted = enforcer.granted();
    enforcer.settle();
    t.equal((await asked).rcode, RCODE.NOERROR, name);
    return granted;
  };

  await ask('plain.example', '203.0.113.1');
  house.leases.open(
    leaseOf(house, { addresses: [prefix('192.0.2.7/32'), prefix('2001:db8:0:0:0:0:0:7/128')] }),
    house.now,
  );
  t.same(
    enforcer.granted(),
    ['end 192.0.2.7 0', 'end 2001:db8::7 0', 'live 192.0.2.7 l1', 'live 2001:db8::7 l1'],
    'it begins with nothing',
  );
  t.same(
    await ask('plain.example', '203.0.113.1'),
    ['192.0.2.7 203.0.113.1 tcp/443 90'],
    'a short TTL, and anew',
  );
  t.same(
    await ask('plain.example', '2001:db8:9::1'),
    ['2001:db8::7 2001:db8:9::1 tcp/443 90'],
    'its other address too',
  );
  t.same(await ask('early.example', '203.0.113.2'), ['192.0.2.7 203.0.113.2 tcp/443 90']);
  t.same(
    await ask('kept.example', '203.0.113.3'),
    ['192.0.2.7 203.0.113.3 tcp/443 600'],
    'as long as the lease',
  );
  t.same(await ask('extra.example', '203.0.113.4'), ['192.0.2.7 203.0.113.4 tcp/443 90']);

  house.leases.change('l1', { endsAt: house.now + 900_000 }, house.now);
  t.match(
    enforcer.granted(),
    [
      'live 192.0.2.7 l1',
      'live 2001:db8::7 l1',
      '- 192.0.2.7 203.0.113.3 tcp/443',
      '192.0.2.7 203.0.113.3 tcp/443 900',
    ],
    'more time',
  );

  house.leases.change('l1', { stage: 'build' }, house.now);
  const gone = enforcer
    .granted()
    .filter((text) => text.startsWith('-'))
    .sort();
  t.same(
    gone,
    ['203.0.113.1', '203.0.113.2', '203.0.113.3', '2001:db8:9::1']
      .map((address) => `- ${address.includes(':') ? '2001:db8::7' : '192.0.2.7'} ${address} tcp/443`)
      .sort(),
    'a stage takes what it does not approve',
  );

  house.leases.end('l1', house.now);
  t.same(enforcer.granted(), ['end 192.0.2.7 0', 'end 2001:db8::7 0']);
  await ask('plain.example', '203.0.113.1');

  house.reload(staged.replace('extra.example', 'further.example'));
  review.swap(house.inForce);
  review.look();
  t.same(enforcer.granted(), [], 'a reload leaves what is approved as before');
  house.reload(staged.replace('plain.example', 'other.example'));
  review.swap(house.inForce);
  review.look();
  t.same(enforcer.granted(), ['- 192.0.2.7 203.0.113.1 tcp/443'], 'so does a reload');
  house.reload(staged.replace('192.0.2.0/24', '198.51.100.0/24'));
  review.swap(house.inForce);
  t.same(enforcer.granted(), ['end 192.0.2.0/24 0', 'live 198.51.100.0/24 static']);
  house.leases.open(leaseOf(house, { id: 'l2', quarantine: 5000 }), house.now);
  enforcer.granted();
  house.leases.end('l2', house.now);
  t.same(enforcer.granted(), ['end 192.0.2.7 5000'], 'with its quarantine');
  t.same([...review.snapshot()].filter(({ op }) => op === 'end').length, 1, 'which a new enforcer hears of');
});

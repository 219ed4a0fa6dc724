import t from 'tap';
import { HOLDER } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { ledgerRecords, restoreRecord } from '../../src/detect/ledger-state.ts';
import { Credential } from '../../src/resolve/client/credential.ts';
import { ClaimedNames } from '../../src/resolve/ledger/claimed-names.ts';
import { DEFAULT_BUDGETS } from '../../src/settings/settings.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';

/** Who pays: the addresses of a lease together, and certificates that one machine or several show. */

const POLICY = `
identities:
  - name: build
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.0.0/24] }
    allow: [{ name: "**.t.example", reason: test }]
`;
const FINE = { authority: ['t.example 60 SOA . . 1 1 1 1 60'] };
const FOUR = '10.9.0.1';
const SIX = '2001:db8::1';

t.test(
  'fifty leases that bind an address of IPv4 and one of IPv6: both claims pay, by whichever it asks',
  async (t) => {
    const ticks = new Ticks();
    const charges = newCharges(ticks);
    const house = new House((content) => t.testdir(content), POLICY, { charges });
    let names = 0;
    let octets = 0;
    for (let job = 0; job < 50; job++) {
      const id = `le-${job}`;
      const lease = {
        id,
        identity: 'build',
        stage: null,
        job: null,
        addresses: [
          { family: 4 as const, words: [0x0a09_0001], length: 32 },
          { family: 6 as const, words: [0x2001_0db8, 0, 0, 1], length: 128 },
        ],
        certificate: null,
        endsAt: house.now + 1e6,
        quarantine: 0,
        sourceEnforced: true,
        known: true,
      };
      t.equal(house.leases.open(lease, house.now), null);
      for (let i = 0; i < 60; i++) {
        ticks.tick++;
        const before = house.asked.length;
        const name = `${'x'.repeat(20)}${names++}.t.example`;
        await house.ask(name, 'A', { from: i % 2 === job % 2 ? SIX : FOUR, transport: 'tcp' }, FINE);
        if (house.asked.length > before) octets += name.length - '.t.example'.length;
      }
      house.leases.end(id, house.now);
    }
    t.ok(octets > 1000 && octets * Math.log2(40) <= 4096 * 8, `${octets} octets of names`);
    const claims = [...charges.ledger.holders.all()].filter(({ kind }) => kind === HOLDER.CLAIM);
    t.strictSame(claims.map(({ subject }) => subject).sort(), [FOUR, SIX, '2001:db8:0:0::/64'].sort());
  },
);

t.test(
  'a certificate by one address of each family is one machine; a third address makes it several',
  async (t) => {
    const claimed = new ClaimedNames();
    const [FOUR_A, FOUR_B, SIX_A, SIX_B] = [
      [1, 2, false],
      [1, 3, false],
      [5, 2, true],
      [4, 2, true],
    ] as const;
    t.notOk(claimed.isShared('job.example', ...FOUR_A, 0));
    t.notOk(claimed.isShared('job.example', ...SIX_A, 1));
    t.notOk(claimed.isShared('job.example', ...FOUR_A, 2));
    t.ok(claimed.isShared('job.example', ...SIX_B, 3));
    t.ok(claimed.isShared('job.example', ...FOUR_A, 4), 'and so it stays');
    t.notOk(claimed.isShared('other.example', ...FOUR_A, 5));
    t.ok(claimed.isShared('other.example', ...FOUR_B, 6), 'half of its key is another');
  },
);

/** Asks new names of 20 octets, and returns how many left. */
async function lost(
  { house, ticks }: { house: House; ticks: Ticks },
  options: { from: string; credential?: Credential },
  asked: number,
  prefix: string,
): Promise<number> {
  let left = 0;
  for (let i = 0; i < asked; i++) {
    ticks.tick++;
    const before = house.asked.length;
    const name = `${prefix.padEnd(17, 'x')}${String(i).padStart(3, '0')}.t.example`;
    await house.ask(name, 'A', { ...options, transport: 'tcp' }, FINE);
    if (house.asked.length > before) left++;
  }
  return left;
}

const BY_SIX = POLICY.replace('[10.0.0.0/24]', '["2001:db8::/32", 10.0.0.0/24]');

function leaseOf(house: House, id: string, words: number[]): void {
  const lease = {
    id,
    identity: 'build',
    stage: null,
    job: null,
    addresses: [{ family: 6 as const, words, length: 128 }],
    certificate: null,
    endsAt: house.now + 1e6,
    quarantine: 0,
    sourceEnforced: true,
    known: true,
  };
  if (house.leases.open(lease, house.now) !== null) throw new Error('the lease was refused');
}

t.test(
  'a /64 alerts alone, and contains where `contain` is written: in the rule or the server file',
  async (t) => {
    const withRule = BY_SIX.replace('reason: test', 'reason: test, budget: { contain: 1KiB }');
    const written = { alert: 512, contain: 1024, containsShared: true };
    for (const [what, policy, budgets, contains] of [
      ['nothing written', BY_SIX, DEFAULT_BUDGETS, false],
      ['on the rule', withRule, DEFAULT_BUDGETS, true],
      ['for leases', BY_SIX, { ...DEFAULT_BUDGETS, lease_wildcard: written }, true],
      ['for claims', BY_SIX, { ...DEFAULT_BUDGETS, claim_wildcard: written }, true],
      ['for alerts', BY_SIX, { ...DEFAULT_BUDGETS, lease_wildcard: { alert: 256, contain: 1024 } }, false],
    ] as const) {
      const ticks = new Ticks();
      const charges = newCharges(ticks);
      const house = new House(t.testdir.bind(t), policy, { charges, budgets });
      const left = await lost({ house, ticks }, { from: '2001:db8::1' }, 120, 'a');
      t.equal(left < 100, contains, `${what}: ${left} left`);
    }
  },
);

t.test('an address of IPv6 that a lease bound goes on in its claim without the lease', async (t) => {
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  const house = new House(t.testdir.bind(t), BY_SIX, { charges });
  const from = '2001:db8::1';
  let left = 0;
  for (let job = 0; job < 3; job++) {
    leaseOf(house, `job-${job}`, [0x2001_0db8, 0, 0, 1]);
    left += await lost({ house, ticks }, { from }, 100, `j${job}`);
    house.leases.end(`job-${job}`, house.now);
  }
  left += await lost({ house, ticks }, { from }, 400, 'n');
  t.ok(left > 100 && left * 20 * Math.log2(40) <= 4096 * 8, `${left} names of 20 octets`);
  const next = await lost({ house, ticks }, { from: '2001:db8::2' }, 60, 'm');
  t.equal(next, 60, 'its neighbour in the /64 is refused nothing');
  // A process that takes up the balances knows it too.
  const charged = newCharges(ticks, charges.ledger);
  charged.takeUp(Buffer.alloc(16, 9), house.now);
  const later = new House(t.testdir.bind(t), BY_SIX, { charges: charged });
  t.equal(await lost({ house: later, ticks }, { from }, 20, 'r'), 0, 'after a restart');
});

t.test('a certificate pays by the name that the policy recognises, whichever others it has', async (t) => {
  const certified = BY_SIX.replace(/addresses: .*\]/, 'certificates: [NAME]');
  for (const [written, own] of [
    ['dns:job.example', 'dns:job.example'],
    ['spiffe://ci.example/runner/*', 'spiffe://ci.example/runner/1'],
  ] as const) {
    const ticks = new Ticks();
    const charges = newCharges(ticks);
    const policy = certified.replace('NAME', JSON.stringify(written));
    const house = new House(t.testdir.bind(t), policy, { charges });
    let left = 0;
    let credential = new Credential(['sha256:00'], null);
    for (let renewal = 0; renewal < 4; renewal++) {
      const names = [
        `dns:a${renewal}.pods.example`,
        own,
        `dns:z${renewal}.pods.example`,
        `sha256:${renewal}`,
      ];
      credential = new Credential(names, null);
      left += await lost({ house, ticks }, { from: '2001:db8::1', credential }, 60, `r${renewal}`);
    }
    t.ok(left > 0 && left * 20 * Math.log2(40) <= 1024 * 8, `${written}: ${left} names of 20 octets`);
    house.reload(policy.replace(JSON.stringify(written), '"dns:a3.pods.example"'));
    const more = await lost({ house, ticks }, { from: '2001:db8::1', credential }, 3, 'm');
    t.equal(more, 3, 'a reload that recognises it by another name charges that one');
    const subjects = [...charges.ledger.holders.all()].map(({ subject }) => subject);
    t.ok(subjects.includes(own) && subjects.includes('dns:a3.pods.example'));
  }
});

t.test('whoever asks in turn, and under whichever wildcard, has the keys that it has alone', async (t) => {
  const policy = BY_SIX.replace('allow: [', 'allow: [{ name: "**.u.example", reason: test }, ');
  // 32.1.13.184 is the first word of 2001:db8::.
  const asked = [
    ['10.0.0.1', 'a.t.example'],
    ['10.0.0.2', 'a.u.example'],
    ['2001:db8::1', 'g.t.example'],
    ['2001:db8::1:0:0:1', 'h.u.example'],
    ['2001:db8::1', 'd.t.example'],
    ['2001:db8::2', 'i.u.example'],
    ['2001:db8:1::1', 'b.u.example'],
    ['2001:db8:0:1::1', 'c.u.example'],
    ['32.1.13.184', 'f.t.example'],
    ['10.0.0.1', 'e.u.example'],
  ] as const;
  const everyone = policy.replace('10.0.0.0/24', '10.0.0.0/24, 32.1.13.184');
  async function keysOf(questions: readonly (readonly [string, string])[]): Promise<string[]> {
    const charges = newCharges(new Ticks());
    const house = new House(t.testdir.bind(t), everyone, { charges });
    leaseOf(house, 'job', [0x2001_0db8, 0, 0, 1]);
    // Keys from before balances are taken up are of another hash.
    charges.takeUp(Buffer.alloc(16, 9), house.now);
    for (const [from, name] of questions) await house.ask(name, 'A', { from, transport: 'tcp' }, FINE);
    return [...charges.ledger.holders.all()]
      .filter(({ subject }) => subject !== 'build')
      .map(({ kind, low, high, subject, base }) => `${kind} ${low} ${high} ${subject} ${base.join('.')}`);
  }
  const alone: string[] = [];
  for (const one of asked) alone.push(...(await keysOf([one])));
  const together = await keysOf(asked);
  t.ok(together.length > asked.length);
  t.strictSame(together.toSorted(), [...new Set(alone)].sort());
  t.equal(together.filter((key) => key.includes(' 32.1.13.184 ')).length, 2, 'a client and a claim');
});

t.test('what several machines show is known to be shared after a restart', async (t) => {
  const certified = POLICY.replace('addresses: [10.0.0.0/24]', 'certificates: ["dns:job.example"]');
  const credential = new Credential(['dns:job.example', 'sha256:00'], null);
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  const house = new House(t.testdir.bind(t), certified, { charges });
  for (const from of ['10.0.0.1', '10.0.0.2']) await lost({ house, ticks }, { from, credential }, 10, from);
  const records = JSON.parse(JSON.stringify([...ledgerRecords(charges.ledger, ticks.tick, true)]));
  const ledger = new Ledger();
  for (const record of records) t.ok(restoreRecord(ledger, record, ticks.tick));
  const taken = newCharges(ticks, ledger);
  taken.takeUp(Buffer.alloc(16, 9), house.now);
  const later = new House(t.testdir.bind(t), certified, { charges: taken });
  await lost({ house: later, ticks }, { from: '10.0.0.1', credential }, 200, 'z');
  const left = await lost({ house: later, ticks }, { from: '10.0.0.2', credential }, 20, 'y');
  t.equal(left, 20, 'whoever was seen first denies nothing to the other');
});

t.test(
  'under a lease on a certificate that the policy lacks, the name that the lease binds pays',
  async (t) => {
    const policy = POLICY.replace('addresses: [10.0.0.0/24]', 'certificates: ["dns:other.example"]');
    const ticks = new Ticks();
    const charges = newCharges(ticks);
    const house = new House(t.testdir.bind(t), policy, { charges });
    let left = 0;
    for (let job = 0; job < 12; job++) {
      const lease = {
        id: `job-${job}`,
        identity: 'build',
        stage: null,
        job: null,
        addresses: [],
        certificate: 'dns:runner.example',
        endsAt: house.now + 1e6,
        quarantine: 0,
        sourceEnforced: false,
        known: true,
      };
      t.equal(house.leases.open(lease, house.now), null);
      // Each job has a certificate with a first name and a fingerprint of its own, and an address.
      const names = [`dns:a${job}.pods.example`, 'dns:runner.example', `sha256:${job}`];
      const credential = new Credential(names, null);
      left += await lost({ house, ticks }, { from: '10.0.0.1', credential }, 80, `j${job}`);
      house.leases.end(lease.id, house.now);
    }
    const claims = [...charges.ledger.holders.all()].filter(({ kind }) => kind === HOLDER.CLAIM);
    t.strictSame(claims.map(({ subject }) => subject).sort(), ['10.0.0.1', 'dns:runner.example']);
    t.ok(left > 100 && left * 20 * Math.log2(40) <= 4096 * 8, `${left} names of 20 octets`);
  },
);

t.test('a certificate that the policy and a lease know by two names pays by both', async (t) => {
  const policy = POLICY.replace('addresses: [10.0.0.0/24]', 'certificates: ["dns:a.example"]');
  const ticks = new Ticks();
  const charges = newCharges(ticks);
  const house = new House(t.testdir.bind(t), policy, { charges });
  const credential = new Credential(['dns:a.example', 'dns:b.example', 'sha256:00'], null);
  const lease = {
    id: 'job',
    identity: 'build',
    stage: null,
    job: null,
    addresses: [],
    certificate: 'dns:b.example',
    endsAt: house.now + 1e6,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
  };
  house.leases.open(lease, house.now);
  await lost({ house, ticks }, { from: '10.0.0.1', credential }, 5, 'x');
  const balances = [...charges.ledger.holders.all()]
    .filter(({ kind }) => kind === HOLDER.CLAIM)
    .map((one) => [one.subject, one.balance(ticks.tick)] as const);
  t.strictSame(balances.map(([subject]) => subject).sort(), ['10.0.0.1', 'dns:a.example', 'dns:b.example']);
  t.equal(new Set(balances.map(([, units]) => units)).size, 1, 'each as much');
});

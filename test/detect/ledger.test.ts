import t from 'tap';
import { CROSSING } from '../../src/detect/crossing.ts';
import { HOLDER, type Holder, SLICES, TICKS_A_SLICE } from '../../src/detect/holder.ts';
import { Ledger, RESERVATION } from '../../src/detect/ledger.ts';
import { billOf } from './build.ts';

const DAY = SLICES * TICKS_A_SLICE;

/** Asks new names until one is refused or `most` have left; returns how many left. */
function drain(
  ledger: Ledger,
  asked: Partial<Parameters<typeof billOf>[0]>,
  tick: number,
  most = 1000,
): number {
  const prefix = `p${tick}`;
  for (let i = 0; i < most; i++) {
    const name = `${prefix}-${i}.${asked.base ?? 't.example'}`;
    if (!ledger.charge(billOf({ ...asked, name }), tick + i)) return i;
  }
  return most;
}

function only(ledger: Ledger): Holder {
  const all = [...ledger.holders.all()];
  if (all.length !== 1) throw new Error(`${all.length} holders`);
  return all[0]!;
}

t.test('what would cross is refused, and changes no balance', async (t) => {
  const ledger = new Ledger();
  t.ok(drain(ledger, {}, 0) > 50);
  const holder = only(ledger);
  const spent = holder.balance(100);
  t.notOk(ledger.charge(billOf({ name: 'other.t.example' }), 2000));
  t.equal(holder.balance(2000), spent);
  t.equal(ledger.refusedBy, holder);
  t.ok(ledger.charge(billOf({ name: 'p0-0.t.example', accounts: [[HOLDER.LEASE, 'l2', 512, 1024]] }), 2001));
});

t.test('a quote says the same as the charge, and changes nothing', async (t) => {
  const ledger = new Ledger();
  for (let i = 0; i < 200; i++) {
    const bill = billOf({ name: `q${i % 90}.t.example` });
    const quoted = ledger.quote(bill, i * 5);
    const { cost } = ledger;
    const before = [...ledger.holders.all()].map((holder) => holder.balance(i * 5));
    t.equal(ledger.quote(bill, i * 5), quoted);
    t.strictSame(
      [...ledger.holders.all()].map((holder) => holder.balance(i * 5)),
      before,
    );
    const paid = ledger.charge(bill, i * 5);
    t.equal(paid, quoted);
    t.equal(ledger.cost, cost);
  }
});

t.test('a name that was paid for is cheap for a day, and then new again', async (t) => {
  const ledger = new Ledger();
  const name = 'a-name-that-is-long-enough.t.example';
  ledger.charge(billOf({ name }), 0);
  ledger.quote(billOf({ name }), 10);
  const repeat = ledger.cost;
  ledger.quote(billOf({ name: name.replace('a', 'b') }), 10);
  t.ok(repeat < ledger.cost / 4);
  ledger.quote(billOf({ name }), DAY - 1);
  t.ok(ledger.cost < repeat + 40 * 1024, 'just before its end');
  ledger.quote(billOf({ name }), DAY);
  t.ok(ledger.cost > repeat + 40 * 1024, 'and at it');
});

t.test('the window is never shorter than a day, and ends', async (t) => {
  for (const start of [0, 1, TICKS_A_SLICE / 2, TICKS_A_SLICE - 1]) {
    const ledger = new Ledger();
    ledger.charge(billOf({ name: 'a.t.example' }), start);
    const holder = only(ledger);
    t.ok(holder.balance(start + 8 * TICKS_A_SLICE) > 0, `charged at ${start}`);
    t.equal(holder.balance(start + DAY), 0);
    t.equal(holder.balance(start), 0, 'time that goes back brings nothing back');
  }
});

t.test('a wider wildcard is charged too, and refuses only what its own rules decide', async (t) => {
  const ledger = new Ledger();
  drain(ledger, { base: 'a.t.example', wider: ['t.example'] }, 0, 60);
  const wide = [...ledger.holders.all()].find(({ base }) => base.length === 11)!;
  const deep = [...ledger.holders.all()].find(({ base }) => base.length === 13)!;
  t.ok(wide.balance(60) > deep.balance(60), 'the octets in front of its own base count');
  const left = drain(ledger, { base: 't.example' }, 5000);
  const whole = drain(new Ledger(), { base: 't.example' }, 5000);
  t.ok(left < (whole * 2) / 3, `${left} of ${whole}: it has less left for its own`);
  t.ok(
    ledger.charge(billOf({ name: 'q.a.t.example', base: 'a.t.example', wider: ['t.example'] }), 9000),
    'but the deeper one goes on',
  );
});

t.test('thresholds of a wider key are those of its own rules, whatever a narrower one writes', async (t) => {
  for (const [what, alert, contain] of [
    ['off', 0, 0],
    ['less', 64, 128],
    ['more', 4096, 8192],
  ] as const) {
    const ledger = new Ledger();
    drain(ledger, {}, 0);
    drain(ledger, {}, 3000);
    const wide = only(ledger);
    ledger.crossings.length = 0;
    const accounts = [[HOLDER.LEASE, 'l1', alert, contain]] as const;
    const narrow = { base: 'a.t.example', wider: ['t.example'], accounts };
    ledger.charge(billOf({ ...narrow, name: 'q.a.t.example' }), 6000);
    t.ok(ledger.chargeUnits(billOf({ ...narrow, name: 'q.a.t.example' }), 1024, 6001));
    ledger.sweep(6002);
    t.strictSame([wide.alert, wide.contain], [512 * 8192, 1024 * 8192], what);
    t.ok(wide.containedAt >= 0, `${what}: it is still contained`);
    t.notOk(
      ledger.crossings.some(({ holder }) => holder === wide),
      `${what}: and nothing is told of it`,
    );
  }
});

t.test('units are charged to every key of the bill, as a question is', async (t) => {
  const accounts = [
    [HOLDER.LEASE, 'l1', 512, 1024],
    [HOLDER.CLAIM, '192.0.2.1', 512, 1024],
    [HOLDER.IDENTITY, 'build', 512, 0],
  ] as const;
  const asked = { name: 'q.a.t.example', base: 'a.t.example', wider: ['t.example'], accounts };
  const ledger = new Ledger();
  ledger.charge(billOf(asked), 1);
  const balances = () => [...ledger.holders.all()].map((holder) => [holder, holder.balance(2)] as const);
  const before = new Map(balances());
  t.equal(before.size, 5);
  t.ok(ledger.chargeUnits(billOf(asked), 1024, 2));
  for (const [holder, balance] of balances()) t.equal(balance, before.get(holder)! + 1024, holder.subject);
});

t.test(
  'an addition to a full table takes nobody of the same bill, and every holder is still found',
  async (t) => {
    const flood = (ledger: Ledger, tick: number) => {
      for (let i = 0; i < 6; i++)
        ledger.charge(
          billOf({ name: `${'x'.repeat(40)}${i}.t.example`, accounts: [[HOLDER.LEASE, `f${i}`, 0, 0]] }),
          tick,
        );
    };
    const known = [[HOLDER.CLAIM, 'known', 8, 16]] as const;
    const both = [[HOLDER.LEASE, 'new', 8, 16], ...known] as const;
    for (const [what, ask] of [
      ['a question', (ledger: Ledger) => ledger.charge(billOf({ name: 'b.t.example', accounts: both }), 20)],
      [
        'units',
        (ledger: Ledger) => ledger.chargeUnits(billOf({ name: 'b.t.example', accounts: both }), 1024, 20),
      ],
      [
        'one that is refused in audit',
        (ledger: Ledger) =>
          ledger.charge(billOf({ name: `${'y'.repeat(60)}.t.example`, accounts: both, audited: true }), 20),
      ],
    ] as const) {
      const ledger = new Ledger(7, 1 << 20);
      ledger.charge(billOf({ name: 'a.t.example', accounts: known }), 1);
      const spent = only(ledger).balance(1);
      flood(ledger, 10);
      ask(ledger);
      const all = [...ledger.holders.all()];
      t.equal(all.length, ledger.holders.count, `${what}: the list has every holder`);
      const holder = all.find(({ subject }) => subject === 'known');
      t.ok(holder !== undefined && holder.balance(20) > spent, `${what}: and who was known is charged`);
    }
  },
);

t.test('units of a key that was evicted are counted from what it had', async (t) => {
  const ledger = new Ledger(2, 1 << 20);
  drain(ledger, {}, 0);
  for (const subject of ['a', 'b'])
    for (let i = 0; i < 9; i++)
      ledger.charge(
        billOf({
          name: `${'x'.repeat(60)}${i}.t.example`,
          base: 'u.example',
          accounts: [[HOLDER.LEASE, subject, 0, 0]],
        }),
        3000,
      );
  t.notOk([...ledger.holders.all()].some(({ subject }) => subject === 'l1'));
  t.notOk(ledger.chargeUnits(billOf({ name: 'q.t.example' }), 100 * 1024, 4000));
});

t.test('the identity pays once for all wildcards', async (t) => {
  const ledger = new Ledger();
  const accounts = [
    [HOLDER.LEASE, 'l1', 512, 1024],
    [HOLDER.IDENTITY, 'build', 1, 0],
  ] as const;
  ledger.charge(billOf({ name: 'a.b.t.example', base: 'b.t.example', wider: ['t.example'], accounts }), 1);
  t.equal(ledger.holders.count, 3);
  ledger.charge(billOf({ name: 'a.u.example', base: 'u.example', accounts }), 2);
  t.equal(ledger.holders.count, 4);
});

t.test('crossings are told once: the alert, the containment, its end', async (t) => {
  const ledger = new Ledger();
  const told: number[] = [];
  const take = () => told.push(...ledger.crossings.splice(0).map(({ what }) => what));
  drain(ledger, {}, 0);
  drain(ledger, {}, 3000);
  take();
  t.strictSame(told, [CROSSING.ALERT, CROSSING.CONTAIN]);
  t.ok(only(ledger).samples.length === 5);
  ledger.sweep(4000);
  take();
  t.equal(told.length, 2, 'not yet free');
  ledger.sweep(DAY + 4000);
  take();
  t.strictSame(told, [CROSSING.ALERT, CROSSING.CONTAIN, CROSSING.END]);
});

t.test('an audited question leaves, and says that it would not have', async (t) => {
  const ledger = new Ledger();
  t.equal(drain(ledger, { audited: true }, 0, 200), 200);
  t.not(ledger.refusedBy, null);
  t.ok(only(ledger).balance(200) > 1024 * 8192);
});

t.test('off charges on', async (t) => {
  const ledger = new Ledger();
  t.equal(drain(ledger, { accounts: [[HOLDER.LEASE, 'l1', 0, 0]] }, 0, 500), 500);
  t.ok(only(ledger).balance(500) > 1024 * 8192);
  t.strictSame(ledger.crossings, []);
});

t.test('what is spent was reserved before', async (t) => {
  const ledger = new Ledger();
  let drawn = 0;
  for (let i = 0; i < 80; i++) {
    const before = [...ledger.holders.all()][0]?.reserved ?? 0;
    if (!ledger.charge(billOf({ name: `r${i}.t.example` }), i)) break;
    const holder = only(ledger);
    if (ledger.unwritten.size > 0) drawn += holder.reserved + ledger.cost - before;
    ledger.unwritten.clear();
    t.ok(holder.reserved >= 0);
    t.equal(drawn % RESERVATION, 0);
    t.equal(holder.balance(i) + holder.reserved, drawn);
  }
  ledger.charge(billOf({ name: 'r0.t.example' }), 2 * TICKS_A_SLICE);
  t.ok(ledger.unwritten.size === 1, 'a reservation belongs to its slice');
});

t.test('a flood of holders hides nothing', async (t) => {
  const ledger = new Ledger(200, 1 << 20);
  drain(ledger, {}, 0);
  const spent = only(ledger).balance(1000);
  for (let i = 0; i < 5000; i++) {
    const accounts = [[HOLDER.LEASE, `f${i}`, 512, 1024]] as const;
    ledger.charge(billOf({ name: `x${i}.t.example`, accounts }), 2000 + i);
  }
  t.ok(ledger.holders.count <= 200);
  t.ok(ledger.holders.octets <= 1 << 20);
  t.ok(ledger.holders.evicted >= 4800);
  t.notOk(ledger.charge(billOf({ name: 'again.t.example' }), 9000), 'the contained one is contained');
  const back = [...ledger.holders.all()].find(({ subject }) => subject === 'l1')!;
  t.ok(back.balance(9000) >= spent);
  t.ok(
    ledger.charge(billOf({ name: 'a.t.example', accounts: [[HOLDER.LEASE, 'new', 512, 1024]] }), 9001),
    'and an honest one is not',
  );
});

t.test('an evicted holder comes back with what it had at least', async (t) => {
  const ledger = new Ledger(2, 1 << 20);
  for (const subject of ['a', 'b', 'c', 'd']) {
    drain(ledger, { accounts: [[HOLDER.LEASE, subject, 512, 1024]] }, 0, subject === 'a' ? 40 : 30);
  }
  ledger.quote(billOf({ name: 'z.t.example', accounts: [[HOLDER.LEASE, 'a', 512, 1024]] }), 100);
  t.ok(ledger.left < 1024 * 8192 - 40 * 30 * 1024);
});

t.test('a bill with more keys than the table has room charges all of them', async (t) => {
  const ledger = new Ledger(3, 1 << 20);
  const accounts = [HOLDER.LEASE, HOLDER.CLAIM, HOLDER.WILDCARD].map(
    (kind) => [kind, 's', 512, 1024] as const,
  );
  for (let i = 0; i < 20; i++) {
    t.ok(ledger.charge(billOf({ name: `k${i}.t.example`, accounts }), i));
    const sums = [...ledger.holders.all()].map((holder) => holder.balance(i));
    t.equal(new Set(sums).size, 1);
  }
});

t.test('a reset frees the holder, and its fold', async (t) => {
  const ledger = new Ledger();
  drain(ledger, {}, 0);
  ledger.crossings.length = 0;
  t.equal(ledger.reset(({ subject }) => subject === 'nobody').length, 0);
  t.equal(ledger.reset(({ subject }) => subject === 'l1').length, 1);
  t.strictSame(
    ledger.crossings.map(({ what }) => what),
    [CROSSING.END],
  );
  t.equal(only(ledger).balance(3000), 0);
  t.ok(ledger.charge(billOf({ name: 'free.t.example' }), 3000));
});

t.test('a key remembers 1,024 names, and the oldest is the one that it forgets', async (t) => {
  const ledger = new Ledger();
  const accounts = [[HOLDER.LEASE, 'l1', 0, 0]] as const;
  for (let i = 0; i < 1025; i++) ledger.charge(billOf({ name: `n${i}.t.example`, accounts }), i);
  const costOf = (name: string) => {
    ledger.quote(billOf({ name, accounts }), 2000);
    return ledger.cost;
  };
  t.ok(costOf('n0.t.example') > costOf('n1.t.example'));
  t.equal(costOf('n1.t.example'), costOf('n1024.t.example'));
});

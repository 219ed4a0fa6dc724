import t from 'tap';
import { HOLDER, SLICES, TICKS_A_SLICE } from '../../src/detect/holder.ts';
import { CROSSING, Ledger, RESERVATION } from '../../src/detect/ledger.ts';
import { holderRecord, ledgerRecords, restoreRecord } from '../../src/detect/ledger-state.ts';
import { billOf } from './build.ts';

const accounts = [
  [HOLDER.LEASE, 'l1', 512, 1024],
  [HOLDER.CLAIM, '10.0.0.1', 2048, 4096],
] as const;

/** What a process that ended without warning leaves: every reservation that was made. */
function killed(ledger: Ledger, journal: object[], tick: number): Ledger {
  const next = new Ledger();
  for (const record of journal) restoreRecord(next, JSON.parse(JSON.stringify(record)), tick);
  t.equal(next.holders.count, ledger.holders.count);
  return next;
}

t.test(
  'after a kill at any moment the balance is what was spent, or more by what was reserved',
  async (t) => {
    let ledger = new Ledger();
    let journal: object[] = [];
    let tick = 0;
    for (let i = 0; i < 120; i++) {
      tick += i % 5;
      const paid = ledger.charge(billOf({ name: `k${i}.t.example`, accounts }), tick);
      for (const holder of ledger.reserved) journal.push(holderRecord(holder, tick, false));
      ledger.reserved.clear();
      const before = [...ledger.holders.all()].map((holder) => [holder.kind, holder.balance(tick)] as const);
      const after = killed(ledger, journal, tick);
      for (const [kind, spent] of before) {
        const found = [...after.holders.all()].find((holder) => holder.kind === kind)!.balance(tick);
        t.ok(found >= spent && found <= spent + RESERVATION, `${kind}: ${found - spent}`);
      }
      if (i % 40 === 39) {
        ledger = after;
        journal = [...ledgerRecords(ledger, tick, false)];
      }
      if (!paid) break;
    }
  },
);

t.test('an orderly stop keeps balances and paid names exactly', async (t) => {
  const ledger = new Ledger();
  for (let i = 0; i < 30; i++) ledger.charge(billOf({ name: `o${i % 20}.t.example`, accounts }), i * 3);
  const records = [...ledgerRecords(ledger, 100, true)];
  const next = new Ledger();
  for (const record of records) t.ok(restoreRecord(next, JSON.parse(JSON.stringify(record)), 100));
  t.strictSame([...ledgerRecords(next, 100, true)], records);
  for (const name of ['o3.t.example', 'new.t.example']) {
    ledger.quote(billOf({ name, accounts }), 200);
    next.quote(billOf({ name, accounts }), 200);
    t.equal(next.cost, ledger.cost, name);
    t.equal(next.left, ledger.left);
  }
});

t.test('a containment outlives a restart, and is told no second time', async (t) => {
  const ledger = new Ledger();
  let tick = 0;
  while (ledger.charge(billOf({ name: `c${tick}.t.example`, accounts }), tick)) tick++;
  const next = new Ledger();
  for (const record of ledgerRecords(ledger, tick, true)) restoreRecord(next, record, tick);
  t.notOk(next.charge(billOf({ name: 'more.t.example', accounts }), tick + 1));
  t.strictSame(next.crossings, []);
  next.sweep(tick + SLICES * TICKS_A_SLICE);
  t.strictSame(
    next.crossings.map(({ what }) => what),
    [CROSSING.END],
  );
});

t.test('folds come back', async (t) => {
  const ledger = new Ledger(2, 1 << 20);
  for (let i = 0; i < 6; i++) {
    ledger.charge(billOf({ name: 'a.t.example', accounts: [[HOLDER.LEASE, `l${i}`, 512, 1024]] }), i);
  }
  const next = new Ledger(2, 1 << 20);
  for (const record of ledgerRecords(ledger, 10, true)) restoreRecord(next, record, 10);
  const bill = billOf({ name: 'b.t.example', accounts: [[HOLDER.LEASE, 'l0', 512, 1024]] });
  ledger.quote(bill, 20);
  next.quote(bill, 20);
  t.equal(next.left, ledger.left);
});

t.test('what is no record is refused, and changes nothing', async (t) => {
  const ledger = new Ledger();
  ledger.charge(billOf({ name: 'a.t.example', accounts }), 1);
  const good = holderRecord([...ledger.holders.all()][0]!, 1, true);
  const bad = [
    {},
    { ...good, kind: 9 },
    { ...good, low: 2 ** 40 },
    { ...good, spent: [1] },
    { ...good, spent: good.spent.map(() => -1) },
    { ...good, spent: good.spent.map(() => null) },
    { ...good, slice: -1 },
    { ...good, subject: 7 },
    { fold: 'x', slice: 0, spent: 'no' },
  ];
  const next = new Ledger();
  for (const record of bad) t.notOk(restoreRecord(next, record, 1), JSON.stringify(record).slice(0, 60));
  t.equal(next.holders.count, 0);
});

import t from 'tap';
import { CROSSING } from '../../src/detect/crossing.ts';
import { HOLDER, SLICES, TICKS_A_SLICE } from '../../src/detect/holder.ts';
import { Ledger, RESERVATION } from '../../src/detect/ledger.ts';
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
      for (const holder of ledger.unwritten) journal.push(holderRecord(holder, tick, false));
      ledger.unwritten.clear();
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

/** What comes back from records, each as it would be read from a file. */
function restored(records: Iterable<object>, tick: number): Ledger {
  const ledger = new Ledger();
  for (const record of records) restoreRecord(ledger, JSON.parse(JSON.stringify(record)), tick);
  ledger.recallUntold();
  return ledger;
}

/** Tells what there is to tell; returns it. */
function tell(ledger: Ledger): number[] {
  return ledger.crossings.splice(0).map((crossing) => {
    ledger.told(crossing);
    return crossing.what;
  });
}

t.test(
  'a containment outlives a crash with its moment, and is told once, whenever the crash comes',
  async (t) => {
    for (const when of ['before it was told', 'after it was told', 'after an orderly stop'] as const) {
      const ledger = new Ledger();
      const journal: object[] = [];
      let tick = 0;
      const write = (): void => {
        for (const holder of ledger.unwritten) journal.push(holderRecord(holder, tick, false));
        ledger.unwritten.clear();
      };
      const told: number[] = [];
      while (ledger.charge(billOf({ name: `c${tick}.t.example`, accounts }), tick)) {
        tick++;
        write();
      }
      const since = tick;
      write();
      if (when !== 'before it was told') told.push(...tell(ledger));
      write();
      const next = restored(
        when === 'after an orderly stop' ? ledgerRecords(ledger, tick, true) : journal,
        tick,
      );
      told.push(...tell(next));
      t.strictSame(told, [CROSSING.ALERT, CROSSING.CONTAIN], when);
      t.equal([...next.holders.all()].find(({ kind }) => kind === HOLDER.LEASE)!.containedAt, since);
      t.notOk(next.charge(billOf({ name: 'more.t.example', accounts }), tick + 1));
      t.strictSame(tell(next), []);
      t.equal(next.unwritten.size > 0, when === 'before it was told', 'that they were told is to be written');
      next.unwritten.clear();
      const end = tick + SLICES * TICKS_A_SLICE;
      next.sweep(end);
      t.ok(next.unwritten.size > 0, 'and so is the end');
      const last = restored(ledgerRecords(next, end, false), end);
      t.strictSame(tell(last), [CROSSING.END]);
      t.strictSame(tell(restored(ledgerRecords(last, end, false), end)), []);
    }
  },
);

t.test('one that was evicted is written no more: its record would stand for its successor', async (t) => {
  const ledger = new Ledger(2, 1 << 20);
  const of = (lease: string) => [[HOLDER.LEASE, lease, 512, 1024]] as const;
  for (let i = 0; ledger.charge(billOf({ name: `c${i}.t.example`, accounts: of('l0') }), i); i++);
  for (let i = 0; i < 3; i++) {
    for (const lease of ['l1', 'l2', 'l0', 'l3', 'l4'])
      ledger.charge(billOf({ name: `e${i}.t.example`, accounts: of(lease) }), 200 + i);
  }
  ledger.unwritten.clear();
  tell(ledger);
  for (const holder of ledger.unwritten) t.ok([...ledger.holders.all()].includes(holder));
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

t.test('what was folded while a journal was read is no less for a fold that is read after it', async (t) => {
  const spent = (units: number): number[] =>
    Array.from({ length: SLICES }, (_, at) => (at === 0 ? units : 0));
  const [fold] = [...overflowing(500).holders.folds()];
  for (const [first, second] of [
    [300, 700],
    [700, 300],
  ]) {
    const next = new Ledger(2, 1 << 20);
    for (const units of [first, second])
      restoreRecord(next, { fold: fold![0], slice: 0, spent: spent(units! * 1024) }, 10);
    t.equal(next.holders.foldedBalance(fold![0], 10), 700 * 1024);
  }
});

/** A ledger that has evicted somebody. */
function overflowing(names: number): Ledger {
  const ledger = new Ledger(2, 1 << 20);
  for (let i = 0; i < names; i++)
    ledger.charge(billOf({ name: 'a.t.example', accounts: [[HOLDER.LEASE, `l${i}`, 512, 1024]] }), 5);
  return ledger;
}

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
    { ...good, untold: 'yes' },
    { fold: 'x', slice: 0, spent: 'no' },
  ];
  const next = new Ledger();
  for (const record of bad) t.notOk(restoreRecord(next, record, 1), JSON.stringify(record).slice(0, 60));
  t.equal(next.holders.count, 0);
});

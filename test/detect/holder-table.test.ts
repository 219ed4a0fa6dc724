import t from 'tap';
import { HOLDER, SLICES, TICKS_A_SLICE } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { billOf } from './build.ts';

/** Folds: what evicted holders leave. */

t.test('a flood of claims under ever new wildcards leaves no more folds than a window has', async (t) => {
  const ledger = new Ledger(100, 1 << 20);
  const count = (): number => [...ledger.holders.folds()].length;
  let most = 0;
  // A policy that has other wildcards every three hours, for a week: a claim's fold belongs to no identity.
  for (let slice = 0; slice < 60; slice++) {
    for (let i = 0; i < 60; i++) {
      const base = `w${slice}-${i % 30}.example`;
      const accounts = [[HOLDER.CLAIM, `10.${slice}.0.${i}`, 2048, 4096]] as const;
      ledger.charge(billOf({ name: `n${i}.${base}`, base, accounts }), slice * TICKS_A_SLICE + i);
    }
    ledger.unwritten.clear();
    most = Math.max(most, count());
  }
  t.ok(ledger.holders.evicted > 3_000, `${ledger.holders.evicted} evicted`);
  t.ok(most > 250 && most <= 2 * SLICES * 30 + 256, `${most} folds of ${60 * 30} wildcards`);
});

t.test('claims of all identities share a fold by wildcard, and it is gone when its window is', async (t) => {
  const ledger = new Ledger(4, 1 << 20);
  for (let i = 0; i < 40; i++) {
    const identity = i % 2 === 0 ? 'a' : 'b';
    const accounts = [[HOLDER.CLAIM, `10.0.0.${i}`, 2048, 4096]] as const;
    ledger.charge(billOf({ name: `n${i}.t.example`, identity, accounts }), i);
  }
  const [fold, ...others] = [...ledger.holders.folds()];
  t.equal(others.length, 0);
  t.ok(ledger.holders.foldedBalance(fold![0], 100) > 0);
  t.equal(ledger.holders.foldedBalance(fold![0], SLICES * TICKS_A_SLICE), 0);
});

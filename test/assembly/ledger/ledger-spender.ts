import { writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { SYSTEM_TIMERS } from '../../../src/assembly/chores.ts';
import { systemBoot } from '../../../src/assembly/ledger/ledger-clock.ts';
import { LedgerKeeper } from '../../../src/assembly/ledger/ledger-keeper.ts';
import { HOLDER } from '../../../src/detect/holder.ts';
import { billOf } from '../../detect/build.ts';

// Spends from the ledger in a folder as fast as it can, and says after each question that left what its key had spent then.
// It runs until it is killed.
const [folder, round] = process.argv.slice(2);
const keeper = new LedgerKeeper({
  monotonic: () => performance.now(),
  boot: systemBoot(),
  timers: SYSTEM_TIMERS,
  notices: {
    notWritten: () => process.exit(3),
    found: () => {},
    bug: () => process.exit(4),
  },
});
await keeper.open(folder!);
setInterval(() => {}, 1_000);
for (let i = 0; ; i++) {
  const name = `${'x'.repeat(i % 40)}${i}-${round}.t.example`;
  keeper.ledger.charge(billOf({ name, accounts: [[HOLDER.LEASE, 'l1', 512, 1_000_000_000]] }), keeper.tick);
  const [holder] = keeper.ledger.holders.all();
  const spent = holder!.balance(keeper.tick);
  const gone = new Promise<void>((resolve) =>
    keeper.leave(i, () => {
      writeSync(1, `${spent}\n`);
      resolve();
    }),
  );
  if (i % 3 === 0) await gone;
}

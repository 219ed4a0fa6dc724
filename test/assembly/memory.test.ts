import t from 'tap';
import { trimChore } from '../../src/assembly/memory.ts';
import type { Native } from '../../src/socket/native.ts';

const MIB = 1_048_576;

t.test('freed memory is given back when much more is resident, and not before', async (t) => {
  const sizes = [100, 107, 109, 104, 111, 113, 121, 122];
  let trims = 0;
  const native = { trim: () => void trims++ } as unknown as Native;
  const chore = trimChore(native, () => sizes.shift()! * MIB);
  const seen: number[] = [];
  while (sizes.length > 0) {
    chore.work();
    seen.push(trims);
  }
  t.same(seen, [0, 1, 1, 1, 2, 2, 3], '109 is 9 more than 100, 113 than 104, 122 than 113');
});

import t from 'tap';
import { COUNT_ENTRIES, COUNT_WAYS } from '../../src/outbox/count-table.ts';
import { CountTags } from '../../src/outbox/count-tags.ts';

const SETS = COUNT_ENTRIES / COUNT_WAYS;
const PRINTS = [0, 1, -1, 0x7f, 0x80, 0xff, 0x100, 0x1234_5678, -0x8000_0000, 0x8080_8080 | 0];

t.test('what an entry has is never said to be missing', (t) => {
  for (const set of [0, 1, SETS - 1]) {
    const tags = new CountTags();
    for (const print of PRINTS) t.notOk(tags.mayHave(set, print), 'nothing is there yet');
    for (let way = 0; way < COUNT_WAYS; way++)
      for (const print of PRINTS) {
        tags.put(set * COUNT_WAYS + way, print);
        t.ok(tags.mayHave(set, print), `${print} in way ${way}`);
      }
    t.notOk(tags.mayHave((set + 1) % SETS, PRINTS[0]!), 'and the next set has nothing');
  }
  t.end();
});

t.test('each of a set is found beside the others, and another is seldom looked for', (t) => {
  const tags = new CountTags();
  const prints = [0x11, 0x2200, 0x33, -5];
  prints.forEach((print, way) => {
    tags.put(8 + way, print);
  });
  for (const print of prints) t.ok(tags.mayHave(2, print));
  let looked = 0;
  for (let print = 0; print < 256; print++) if (tags.mayHave(2, print)) looked++;
  // 0 and 1 share an octet, and a borrow may tell of one octet too many.
  t.ok(looked <= 10, `${looked} of 256`);
  tags.put(8, 0x44);
  t.notOk(tags.mayHave(2, 0x11), 'what had to go is not looked for');
  t.end();
});

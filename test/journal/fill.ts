/** Fills a journal until the system says no, makes room, and writes on: what it says is one line. */
import { Journal } from '../../src/journal/journal.ts';

process.on('SIGXFSZ', () => {});
const kept: object[] = [];
const journal = await Journal.open(process.argv[2]!, () => {}, { state: () => kept });
let fault = null;
let n = 0;
while (fault === null) {
  const record = { n: n++, text: 'x'.repeat(37) };
  fault = await journal.append(record, () => kept.push(record));
}
const before = kept.length;
// Half of what is kept goes, and the journal is written anew without it.
kept.splice(0, Math.ceil(before / 2));
const cured = await journal.rewrite();
const last = await journal.append({ n: -1 }, () => kept.push({ n: -1 }));
await journal.close();
const again = await Journal.open(
  process.argv[2]!,
  ({ records, torn }) => {
    if (torn || JSON.stringify(records) !== JSON.stringify(kept)) throw new Error('it holds something else');
  },
  { state: () => kept },
);
await again.close();
console.log(`fault ${fault.code} after ${before}, then ${cured ?? last}, kept ${kept.length}`);

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { DETECTED_KINDS } from '../../../src/detect/patterns/kinds.ts';
import { parseScript, run } from './script.ts';

const folder = new URL('../../vectors/detect/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.txt'));

for (const file of files) {
  t.test(`${file} tells what it says`, async (t) => {
    const script = parseScript(readFileSync(new URL(file, folder), 'utf8'));
    t.strictSame(Object.fromEntries(run(script).told), Object.fromEntries(script.expected));
  });
}

t.test('each kind has a script that fires it, and one near it that does not', async (t) => {
  for (const kind of DETECTED_KINDS) {
    const own = files
      .filter((file) => file.startsWith(`${kind}-`))
      .map((file) => parseScript(readFileSync(new URL(file, folder), 'utf8')));
    t.ok(
      own.some(({ expected }) => expected.has(kind)),
      `${kind} fires`,
    );
    t.ok(
      own.some(({ expected }) => !expected.has(kind)),
      `${kind} does not fire near by`,
    );
  }
});

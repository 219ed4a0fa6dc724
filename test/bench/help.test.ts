import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { run } from '../../bench/processes.ts';

const BENCH = new URL('../../bench/', import.meta.url);

/** Each file of the bench that is started by itself says what it does, and does nothing else. */
const programs = readdirSync(BENCH).filter(
  (file) =>
    file.endsWith('.ts') && /import\.meta\.main|parseArgs\(/.test(readFileSync(new URL(file, BENCH), 'utf8')),
);

t.ok(programs.length >= 7, programs.join(', '));

for (const file of programs) {
  t.test(`bench/${file} --help`, async (t) => {
    const text = await run([process.execPath, new URL(file, BENCH).pathname, '--help'], { patience: 60_000 });
    t.match(text, /\bbench[:/]?\S*\b/, 'how it is started');
    t.match(text, /[a-z)]\.\n/, 'what it does');
    t.notMatch(text, /\*\/|^import /m, 'the comment and nothing else');
  });
}

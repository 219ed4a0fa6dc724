/**
 * The long run of both oracles: `npm run test:oracle -- --questions 10000000`. Ends with 1 at the first difference or leak,
 * which it prints with its seed and the smallest policy that shows it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compileInPlace } from './compare.ts';
import { compileFromFiles } from './from-files.ts';
import { watchForLeaks } from './leak.ts';
import { consult } from './oracle.ts';

const HELP = `npm run test:oracle -- [--questions N] [--seed N] [--leak-questions N] [--reloads N]
  --questions       questions about random policies, decided by src/policy and by the reference (10000000)
  --leak-questions  questions of two identities while the upstream lies (100000)
  --reloads         reloads during those (1000)
  --seed            of both; the same seed gives the same run (1)`;

/** Of so many policies one is written to files and read by the loader; the others are compiled in place. */
const FROM_FILES = 50;

const { values } = parseArgs({
  options: {
    questions: { type: 'string', default: '10000000' },
    seed: { type: 'string', default: '1' },
    'leak-questions': { type: 'string', default: '100000' },
    reloads: { type: 'string', default: '1000' },
    help: { type: 'boolean', default: false },
  },
});
const numbers = [values.questions, values.seed, values['leak-questions'], values.reloads].map(Number);
if (values.help || numbers.some((number) => !Number.isSafeInteger(number) || number < 0)) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
const [questions = 0, seed = 0, leakQuestions = 0, reloads = 0] = numbers;

/** Prints how far it is, every twentieth of the way. */
function progressOf(what: string, total: number): (done: number) => void {
  const started = performance.now();
  let next = total / 20;
  return (done) => {
    if (done < next && done < total) return;
    while (next <= done) next += total / 20;
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${what}: ${done} of ${total} in ${seconds} s`);
  };
}

function conclude(failure: string | null, good: string): void {
  console.log(failure ?? good);
  if (failure !== null) process.exitCode = 1;
}

const folder = mkdtempSync(join(tmpdir(), 'namegate-oracle-'));
try {
  if (questions > 0) {
    const fromFiles = compileFromFiles(folder);
    const result = await consult({
      questions,
      seed,
      how: (index) => (index % FROM_FILES === 0 ? fromFiles : compileInPlace),
      progress: progressOf('policy', questions),
    });
    const seen = Object.entries(result.seen).map(([what, count]) => `${what} ${count}`);
    conclude(
      result.failure,
      `policy: no difference in ${result.questions} questions about ${result.policies} policies (of each seventh: ${seen.join(', ')})`,
    );
  }
  if (leakQuestions > 0 && reloads > 0 && process.exitCode === undefined) {
    const progress = progressOf('leaks', leakQuestions);
    const { failure, counts } = await watchForLeaks({ questions: leakQuestions, reloads, seed, progress });
    const told = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    conclude(failure, `leaks: none (${told.join(', ')})`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

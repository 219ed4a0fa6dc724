/**
 * The long run of the oracles, `npm run test:oracle`. Ends with 1 at the first difference or leak, which it prints with its
 * seed and the smallest policy that shows it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareBindings } from './bindings.ts';
import { compileInPlace } from './compare.ts';
import { compileFromFiles } from './from-files.ts';
import { watchForLeaks } from './leak.ts';
import { consult } from './oracle.ts';

const HELP = `npm run test:oracle -- [--questions N] [--bindings N] [--leak-questions N] [--reloads N] [--seed N]
  --questions       questions about random policies, decided by src/policy and by the reference (10000000)
  --bindings        changes of random leases, after each of which every client is looked up in both ways (20000)
  --leak-questions  questions of two identities while the upstream lies (100000)
  --reloads         reloads during those (1000)
  --seed            of all; the same seed gives the same run (1)
0 leaves a part out. Exit code: 0 good, 1 a difference or a leak, 2 the command is wrong.`;

/** Of so many policies one is written to files and read by the loader; the others are compiled in place. */
const FROM_FILES = 50;

const { questions, bindings, leakQuestions, reloads, seed } = read();

/** The command line; what is wrong with it ends the process with 2. */
function read() {
  const wrong = (why: string): never => {
    console.error(`${why}\n${HELP}`);
    process.exit(2);
  };
  try {
    const { values } = parseArgs({
      options: {
        questions: { type: 'string', default: '10000000' },
        bindings: { type: 'string', default: '20000' },
        'leak-questions': { type: 'string', default: '100000' },
        reloads: { type: 'string', default: '1000' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const number = (flag: Exclude<keyof typeof values, 'help'>): number =>
      /^\d{1,10}$/.test(values[flag])
        ? Number(values[flag])
        : wrong(`--${flag} is no number: ${values[flag]}`);
    const [leaks, swaps] = [number('leak-questions'), number('reloads')];
    if (leaks > 0 && swaps === 0) wrong('--leak-questions needs a reload at least: the first policy is one');
    return {
      questions: number('questions'),
      bindings: number('bindings'),
      leakQuestions: leaks,
      reloads: swaps,
      seed: number('seed'),
    };
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

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
  if (bindings > 0 && process.exitCode === undefined) {
    const { steps, seen, failure } = compareBindings(bindings, seed);
    const told = Object.entries(seen).map(([what, count]) => `${what} ${count}`);
    conclude(failure, `bindings: no difference after ${steps} changes of leases (${told.join(', ')})`);
  }
  if (leakQuestions > 0 && process.exitCode === undefined) {
    const progress = progressOf('leaks', leakQuestions);
    const { failure, counts } = await watchForLeaks({ questions: leakQuestions, reloads, seed, progress });
    const told = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    conclude(failure, `leaks: none (${told.join(', ')})`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

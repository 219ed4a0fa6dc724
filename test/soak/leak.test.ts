import { fileURLToPath } from 'node:url';
import t from 'tap';
import { minutesFor, patienceFor } from './minutes.ts';

/**
 * The leak oracle of test/server, again and again, each time with another seed. It keeps all that it saw, so each run is
 * short, and a process of its own.
 */

const PROGRAM = fileURLToPath(new URL('../server/leak.test.ts', import.meta.url));
const RUN_SECONDS = 60;
const SECONDS = minutesFor('leak') * 60;
const RUNS = Math.max(1, Math.round(SECONDS / RUN_SECONDS));
const SEED = Number(process.env['NAMEGATE_TEST_SEED'] ?? Date.now() % 1_000_000_000);

t.setTimeout(patienceFor('leak'));

for (let run = 0; run < RUNS; run++) {
  const seed = String(SEED + run);
  const env = {
    ...process.env,
    NAMEGATE_TEST_SEED: seed,
    NAMEGATE_LEAK_SECONDS: String(Math.ceil(SECONDS / RUNS)),
  };
  await t.spawn(
    process.execPath,
    [PROGRAM],
    { env, timeout: 10 * RUN_SECONDS * 1000 },
    `NAMEGATE_TEST_SEED=${seed}`,
  );
}

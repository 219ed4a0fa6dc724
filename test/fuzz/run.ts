/**
 * `npm run fuzz`: seeded mutations of `test/vectors/` and of valid messages, to the readers, to the whole server, and as
 * upstream replies. Ends with 1 at the first fault, which it prints with its seed and a file for `--replay`.
 */
import { parseArgs } from 'node:util';
import { DRIVERS, type Driver, type RunOptions, type RunResult, readCase } from './case.ts';
import { fuzzServer, replayServer } from './server.ts';
import { fuzzUpstream, replayUpstream } from './upstream.ts';
import { fuzzWire, replayWire } from './wire.ts';

const HELP = `npm run fuzz -- [--cases N] [--seed N] [--only wire|server|upstream] [--replay FILE]
  --cases   cases in all (1000000)
  --seed    the same seed makes the same cases; another one each time unless given
  --only    one driver: the readers in this process, the server over UDP and TCP, or replies of upstreams
  --replay  runs the case in FILE, as a failed run wrote it, or one of test/vectors, through its driver or --only`;

/** Of all cases, by what one costs. */
const SHARES: Readonly<Record<Driver, number>> = { wire: 0.57, server: 0.33, upstream: 0.1 };

const FUZZ: Readonly<Record<Driver, (options: RunOptions) => Promise<RunResult>>> = {
  wire: fuzzWire,
  server: fuzzServer,
  upstream: fuzzUpstream,
};

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
    replay: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const [cases = 0, seed = 0] = [values.cases, values.seed].map(Number);
const only = DRIVERS.find((driver) => driver === values.only) ?? null;
const usable = [cases, seed].every((number) => Number.isSafeInteger(number) && number >= 0);
if (values.help || !usable || (values.only !== undefined && only === null)) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
process.exitCode = values.replay === undefined ? await fuzz() : await replay(values.replay);

async function fuzz(): Promise<number> {
  for (const driver of only === null ? DRIVERS : [only]) {
    const share = only === null ? Math.round(cases * SHARES[driver]) : cases;
    if (share === 0) continue;
    const started = performance.now();
    const seconds = (): number => Math.round((performance.now() - started) / 1000);
    let next = share / 10;
    const progress = (done: number): void => {
      if (done < next) return;
      while (next <= done) next += share / 10;
      console.log(`${driver}: ${done} of ${share} in ${seconds()} s`);
    };
    const result = await FUZZ[driver]({ cases: share, seed, progress });
    if (result.failure !== null) {
      console.log(result.failure);
      return 1;
    }
    console.log(`${driver}: ${result.cases} cases of seed ${seed} in ${seconds()} s: ${result.told}`);
  }
  return 0;
}

async function replay(file: string): Promise<number> {
  const { driver, each } = readCase(file);
  const chosen = only ?? driver;
  let failed = 0;
  for (const one of chosen === null ? DRIVERS : [chosen]) {
    const ways = driver === null && one !== 'wire' ? (['udp', 'tcp'] as const) : [each.over];
    for (const over of ways) {
      const fault =
        one === 'wire'
          ? replayWire(each.octets)
          : await (one === 'server' ? replayServer : replayUpstream)({ ...each, over });
      console.log(`${one}${one === 'wire' ? '' : ` over ${over}`}: ${fault ?? 'good'}`);
      if (fault !== null) failed = 1;
    }
  }
  return failed;
}

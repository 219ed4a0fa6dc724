/**
 * `npm run fuzz`: seeded mutations of `test/vectors/` and of valid messages, to the readers, to the whole server, and as
 * upstream replies. Ends with 1 at the first fault, which it prints with its seed and a file for `--replay`.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DRIVERS, type Driver, type RunOptions, type RunResult, readCase } from './case.ts';
import { fuzzServer, replayServer } from './server.ts';
import { fuzzUpstream, replayUpstream } from './upstream.ts';
import { fuzzWire, replayWire } from './wire.ts';

const HELP = `npm run fuzz -- [--cases N] [--seed N] [--only wire|server|upstream] [--replay FILE]
  --cases   cases in all, 1000000 unless given; of less than 50000 a run says nothing of memory
  --seed    0 to 4294967295: the same seed makes the same cases; another one each time unless given
  --only    one driver: the readers in this process, the server over UDP and TCP, or replies of upstreams
  --replay  runs the case in FILE, as a failed run wrote it, or one of test/vectors, through its driver or --only
Exit code: 0 good, 1 a fault, 2 the command is wrong.`;

/** Of all cases, by what one costs. */
const SHARES: Readonly<Record<Driver, number>> = { wire: 0.57, server: 0.33, upstream: 0.1 };

const FUZZ: Readonly<Record<Driver, (options: RunOptions) => Promise<RunResult>>> = {
  wire: fuzzWire,
  server: fuzzServer,
  upstream: fuzzUpstream,
};

const options = read();
process.exitCode = options.replay === null ? await fuzz(options) : await replay(options.replay, options.only);

interface Options {
  readonly cases: number;
  readonly seed: number;
  readonly only: Driver | null;
  readonly replay: string | null;
}

/** The command line; what is wrong with it ends the process with 2. */
function read(): Options {
  const wrong = (why: string): never => {
    console.error(`${why}\n${HELP}`);
    process.exit(2);
  };
  try {
    const { values } = parseArgs({
      options: {
        cases: { type: 'string', default: '1000000' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        only: { type: 'string' },
        replay: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const number = (flag: string, text: string, least: number, most: number): number => {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most
        ? value
        : wrong(`--${flag} is not a number from ${least} to ${most}: ${text}`);
    };
    const only = DRIVERS.find((driver) => driver === values.only) ?? null;
    if (values.only !== undefined && only === null)
      wrong(`--only is none of ${DRIVERS.join(', ')}: ${values.only}`);
    if (values.replay !== undefined && !existsSync(values.replay))
      wrong(`--replay: there is no file ${values.replay}`);
    return {
      cases: number('cases', values.cases, 1, 2 ** 32),
      seed: number('seed', values.seed, 0, 0xffff_ffff),
      only,
      replay: values.replay ?? null,
    };
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

async function fuzz({ cases, seed, only }: Options): Promise<number> {
  const drivers = (only === null ? DRIVERS : [only])
    .map((driver) => ({ driver, share: only === null ? Math.round(cases * SHARES[driver]) : cases }))
    .filter(({ share }) => share > 0);
  console.log(`seed ${seed}: ${drivers.map(({ driver, share }) => `${driver} ${share}`).join(', ')} cases`);
  for (const { driver, share } of drivers) {
    const started = performance.now();
    const rate = (done: number): string => {
      const seconds = (performance.now() - started) / 1000;
      return `${Math.round(seconds)} s, ${Math.round(done / Math.max(seconds, 0.001))} a second`;
    };
    let next = share / 10;
    const progress = (done: number): void => {
      if (done < next || done >= share) return;
      while (next <= done) next += share / 10;
      console.log(`${driver}: ${done} of ${share}, ${Math.round((100 * done) / share)} %, ${rate(done)}`);
    };
    const result = await FUZZ[driver]({ cases: share, seed, progress });
    if (result.failure !== null) {
      console.log(
        `${result.failure}\nall of it again: npm run fuzz -- --only ${driver} --cases ${share} --seed ${seed}`,
      );
      return 1;
    }
    console.log(
      `${driver}: ${result.cases} cases of seed ${seed} are good, ${rate(result.cases)}: ${result.told}`,
    );
  }
  return 0;
}

async function replay(file: string, only: Driver | null): Promise<number> {
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

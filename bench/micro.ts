/**
 * Nanoseconds and octets of heap that a query costs in each stage of the story, in one process and without a socket.
 *
 *     npm run bench:micro -- [--rounds N]
 *
 * Time: the median of some rounds, after a warm-up that lets each stage be compiled. Octets: what the heap in use grows by
 * (process.memoryUsage().heapUsed) over many queries, right after a collection and with a young generation so large that none
 * comes between; what reading it costs is taken off, and again the median counts. A stage that allocates nothing shows 0.
 * Of the ledger's charges the 50th and 99th percentile of single ones are printed too. Nothing is written down in either.
 * Stages that build on what an earlier one leaves include that one, as their names say.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { median, table } from './figures.ts';
import { printHelp } from './help.ts';
import { scratchFolder } from './processes.ts';
import type { Stage } from './stage.ts';
import { charges, stages } from './stages.ts';

/** Milliseconds that a stage runs before it is measured, and in one round. */
const WARM_MS = 300;
const ROUND_MS = 30;
const WARM_QUERIES = 1024;
/** Queries between two looks at the heap: few enough for the young generation to hold what a miss leaves. */
const HEAP_QUERIES = 4096;

function main(rounds: number): void {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('start it with --expose-gc, as npm run bench:micro does');
  const runs = stages(scratchFolder('micro')).map((stage) => new Run(stage));
  // Twice, since what comes later shows the compiler more of what is called.
  for (const run of [...runs, ...runs]) run.warm();
  for (let round = 0; round < rounds; round++) for (const run of runs) run.measure(collect);
  const rows = runs.map((run) => [run.name, run.nanoseconds.toFixed(0), run.octets.toFixed(0)]);
  const model = cpus()[0]?.model ?? 'unknown processor';
  process.stdout.write(`${model}, ${availableParallelism()} cores, Node ${process.version}\n`);
  process.stdout.write(`a query, median of ${rounds} rounds\n\n`);
  process.stdout.write(table([['stage', 'ns', 'octets'], ...rows]));
  process.stdout.write(`\n${charges(scratchFolder('charges'))}`);
  if (Number.isNaN(sink)) throw new Error('a stage returned no number');
}

/** The rounds of one stage. */
class Run {
  readonly name: string;
  readonly #run: Stage['run'];
  readonly #times: number[] = [];
  readonly #heaps: number[] = [];
  /** Queries of a round. */
  #count = WARM_QUERIES;

  constructor({ name, run }: Stage) {
    this.name = name;
    this.#run = run;
  }

  warm(): void {
    const started = performance.now();
    let done = 0;
    for (; performance.now() < started + WARM_MS; done += WARM_QUERIES) sink += this.#run(WARM_QUERIES);
    this.#count = Math.ceil((done * ROUND_MS) / (performance.now() - started));
  }

  /** One round. The stages take turns, so that what disturbs the machine disturbs all of them. */
  measure(collect: () => void): void {
    const started = performance.now();
    sink += this.#run(this.#count);
    this.#times.push(((performance.now() - started) * 1e6) / this.#count);
    this.#heaps.push(heapOf(this.#run, collect));
  }

  get nanoseconds(): number {
    return median(this.#times);
  }

  get octets(): number {
    return Math.max(0, median(this.#heaps));
  }
}

/** Octets of heap a query. */
function heapOf(run: Stage['run'], collect: () => void): number {
  collect();
  sink += run(0);
  const before = heapUsed();
  const idle = heapUsed();
  sink += run(HEAP_QUERIES);
  const after = heapUsed();
  return (after - idle - (idle - before)) / HEAP_QUERIES;
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

/** What stages return goes here, so that it is needed. */
let sink = 0;

if (import.meta.main && !printHelp(import.meta.url)) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) throw new Error('--rounds takes 1 to 1000');
  main(rounds);
}

import { run } from './processes.ts';

/** What dnsperf is told. */
export interface Burst {
  readonly port: number;
  readonly transport: 'udp' | 'tcp' | 'dot';
  /** Path of a file with a question a line. */
  readonly questions: string;
  /** Seconds that it lasts at most. */
  readonly seconds: number;
  /** The file is gone through once: for questions that must be new. */
  readonly once: boolean;
  /** Questions carry OPT, so that refusals carry their reason. */
  readonly edns: boolean;
  readonly core: number;
}

export interface BurstResult {
  readonly completed: number;
  readonly lost: number;
  readonly qps: number;
  /** Answers by RCODE. */
  readonly codes: Readonly<Record<string, number>>;
  /** Milliseconds from question to answer, ascending. */
  readonly latencies: Float64Array;
}

/** Eight clients with 200 questions in flight together, on one thread. */
const SHAPE = ['-c', '8', '-q', '200', '-T', '1', '-b', '4096', '-t', '2'];
const PATIENCE = 15_000;

/**
 * Sends questions as fast as they are answered. `output` is a file for dnsperf's line about each answer: writing these
 * costs it nothing that shows in its rate.
 */
export async function burst(options: Burst, output: string): Promise<BurstResult> {
  const { core, seconds } = options;
  const text = await run(command(options), { core, patience: seconds * 1000 + PATIENCE, output });
  return { ...parseReport(text), latencies: parseLatencies(text) };
}

function command({ port, transport, questions, seconds, once, edns }: Burst): string[] {
  const more = ['-v', ...(once ? ['-n', '1'] : []), ...(edns ? ['-e'] : [])];
  const where = [
    '-s',
    '127.0.0.1',
    '-p',
    String(port),
    '-m',
    transport,
    '-d',
    questions,
    '-l',
    String(seconds),
  ];
  return ['dnsperf', ...where, ...SHAPE, ...more];
}

/** Reads the statistics that dnsperf ends with. Throws where they are not there. */
export function parseReport(text: string): Omit<BurstResult, 'latencies'> {
  const number = (label: string): number => {
    const found = new RegExp(`^\\s*${label}:\\s+([\\d.]+)`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`dnsperf printed no "${label}":\n${text}`);
    return Number(found);
  };
  const codes: Record<string, number> = {};
  const line = /^\s*Response codes:\s+(.*)$/m.exec(text)?.[1] ?? '';
  for (const [, code = '', count] of line.matchAll(/([A-Z0-9]+) (\d+) \(/g)) codes[code] = Number(count);
  return {
    completed: number('Queries completed'),
    lost: number('Queries lost'),
    qps: number('Queries per second'),
    codes,
  };
}

/** Reads the lines of `dnsperf -v`: `> NOERROR name type 0.000123`. */
export function parseLatencies(text: string): Float64Array {
  const found: number[] = [];
  for (const [, seconds] of text.matchAll(/^> \S+ \S+ \S+ (\d+\.\d+)$/gm)) found.push(Number(seconds) * 1000);
  return Float64Array.from(found).sort();
}

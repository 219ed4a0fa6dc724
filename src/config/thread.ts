import { setPriority } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { freeze, type LoadOptions, type LoadResult } from './loaded.ts';
import { type Piece, PieceTaker, piecesOf } from './pieces.ts';

/** A load that runs beside the query path. */
export interface Loading {
  /** What `load` would give, frozen as it does. Rejects only where no thread could run. */
  readonly result: Promise<LoadResult>;
  /** Ends the thread; `result` rejects. */
  stop(): void;
}

interface Job {
  readonly serverFile: string;
  readonly options: LoadOptions & { readonly env: Record<string, string> };
  /** Queries are being answered, and come first. */
  readonly beside: boolean;
}

/** Whether this process has loaded before. */
let loadedOnce = false;

/** What the thread says: the result without its snapshot, then the pieces of that, one each time it is told to go on. */
type Said =
  | { readonly kind: 'result'; readonly result: LoadResult; readonly whole: boolean }
  | { readonly kind: 'piece'; readonly piece: Piece }
  | { readonly kind: 'end' };

/**
 * Loads a server file in a thread of its own: reading and compiling a million names takes seconds, and queries are answered
 * meanwhile. The snapshot's arrays cross over without a copy; what the thread used besides goes with it.
 */
export function loadInThread(serverFile: string, options: LoadOptions): Loading {
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.env)) if (value !== undefined) env[key] = value;
  const job: Job = { serverFile, options: { ...options, env }, beside: loadedOnce };
  loadedOnce = true;
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { namegateLoad: job },
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const result = new Promise<LoadResult>((resolve, reject) => {
    let loaded: LoadResult | null = null;
    const taker = new PieceTaker();
    worker.on('message', (said: Said) => {
      if (said.kind === 'piece') taker.take(said.piece);
      if (said.kind === 'result') loaded = { ...said.result, settings: freeze(said.result.settings) };
      // What waits to be answered has its turn between two pieces.
      setImmediate(() => {
        if (loaded === null) return;
        if (said.kind === 'result' && !said.whole) resolve(loaded);
        if (said.kind === 'end') resolve({ ...loaded, snapshot: taker.done() });
        worker.postMessage('on');
      });
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the loading thread ended with ${code}`)));
  });
  return { result, stop: () => void worker.terminate() };
}

/** The thread's own side. What reads files is loaded here alone: with its packages it takes 30 MiB. */
async function work({ serverFile, options, beside }: Job): Promise<void> {
  const port = parentPort!;
  if (beside) yieldToQueries();
  const { load } = await import('./load.ts');
  const { snapshot, ...rest } = load(serverFile, options);
  // Only what problems point into is looked at again.
  const wanted = new Set(rest.problems.map(({ at }) => at.file));
  const sources = new Map([...rest.sources].filter(([file]) => wanted.has(file)));
  const say = (said: Said): void => port.postMessage(said);
  let pieces = snapshot === null ? null : piecesOf(snapshot);
  const whole = pieces !== null;
  port.on('message', () => {
    const next = pieces?.next();
    if (next?.done === false) {
      say({ kind: 'piece', piece: next.value });
    } else if (pieces !== null) {
      pieces = null;
      say({ kind: 'end' });
    } else {
      port.close();
    }
  });
  say({ kind: 'result', result: { ...rest, sources, snapshot: null }, whole });
}

/**
 * Behind the query path, and not behind all else: at 10, jobs that keep every processor busy held a change of the policy up for
 * half a minute, and a revocation with it.
 */
const NICE = 5;

/** On Linux a priority is a thread's own (setpriority(2)): this thread has the processor when the query path leaves it. */
function yieldToQueries(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICE);
  } catch {
    // A sandbox may forbid it; the load then competes.
  }
}

const job = (workerData as { namegateLoad?: Job } | null)?.namegateLoad;
if (!isMainThread && job !== undefined) await work(job);

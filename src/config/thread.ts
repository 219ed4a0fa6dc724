import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { largeBuffers } from '../policy/arrays.ts';
import { freeze, type LoadOptions, type LoadResult, load } from './load.ts';

/** A load that runs beside the query path. */
export interface Loading {
  /** What `load` would give, frozen as it does. Rejects only where no thread could run. */
  readonly result: Promise<LoadResult>;
  /** Ends the thread; `result` rejects. */
  stop(): void;
}

interface Job {
  readonly serverFile: string;
  readonly options: { readonly env: Record<string, string>; readonly now: number; readonly salt: number };
}

/**
 * Loads a server file in a thread of its own: reading and compiling a million names takes seconds, and queries are answered
 * meanwhile. The snapshot's arrays cross over without a copy; what the thread used besides goes with it.
 */
export function loadInThread(serverFile: string, options: LoadOptions): Loading {
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.env)) if (value !== undefined) env[key] = value;
  const job: Job = { serverFile, options: { env, now: options.now, salt: options.salt } };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { namegateLoad: job },
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const result = new Promise<LoadResult>((resolve, reject) => {
    worker.once('message', (loaded: LoadResult) => resolve({ ...loaded, settings: freeze(loaded.settings) }));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the loading thread ended with ${code}`)));
  });
  return { result, stop: () => void worker.terminate() };
}

/** The thread's own side. */
function work({ serverFile, options }: Job): void {
  const result = load(serverFile, options);
  // Only what problems point into is looked at again.
  const wanted = new Set(result.problems.map(({ at }) => at.file));
  const sources = new Map([...result.sources].filter(([file]) => wanted.has(file)));
  const kept: LoadResult = { ...result, sources };
  const { snapshot } = result;
  parentPort!.postMessage(kept, snapshot === null ? [] : largeBuffers(snapshot));
}

const job = (workerData as { namegateLoad?: Job } | null)?.namegateLoad;
if (!isMainThread && job !== undefined) work(job);

import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { startWithOptions } from './cli/process/runtime-options.ts';
import { takeSignals } from './cli/process/signals.ts';
import type { Milliseconds } from './wire/quantity.ts';

// Before anything else is loaded, which takes a while.
const arguments_ = process.argv.slice(2);
if (['serve', 'stub', 'enforce'].includes(arguments_[0] ?? '')) {
  startWithOptions();
  takeSignals();
}

// Halves the time of a start. It stands beside the code and not in a folder of everybody's: what is kept there is run.
const cache = enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/namegate', import.meta.url)));
// Threads of ours learn of it by this.
if (cache.directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= cache.directory;

const { run } = await import('./cli/program.ts');

/** Milliseconds after which an end does not wait for what holds on: a socket that the system does not give back, say. */
const PATIENCE_MS: Milliseconds = 1_000;

process.exitCode = await run(arguments_);
setTimeout(() => process.exit(), PATIENCE_MS).unref();

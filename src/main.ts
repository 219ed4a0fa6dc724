import { run } from './cli/program.ts';

/** Milliseconds after which an end does not wait for what holds on: a socket that the system does not give back, say. */
const PATIENCE_MS = 1_000;

process.exitCode = await run(process.argv.slice(2));
setTimeout(() => process.exit(), PATIENCE_MS).unref();

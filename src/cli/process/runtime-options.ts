/**
 * Options of Node's that the program runs with. The launcher, the unit, the image and `npm start` give them; a test holds
 * them together.
 *
 * `--disable-sigusr1`: a SIGUSR1 makes Node open its debugger to every user of the machine, from before the first line of
 * a program on. Only this option prevents that.
 *
 * `--max-semi-space-size=8`: MiB. What a question allocates dies young, and V8 would let it fill three times as much before
 * it looks. A smaller young generation takes less memory, and each of its collections stops the query path for less time.
 *
 * `--single-threaded-gc`: each thread collects its own garbage. V8's helpers have the query path's priority. Those of a thread
 * that compiles a policy take its processor away, and each pause waits for helpers that have none.
 */
export const RUNTIME_OPTIONS = [
  '--disable-sigusr1',
  '--max-semi-space-size=8',
  '--single-threaded-gc',
] as const;

/**
 * More of them for `stub`, which stands beside each container and is idle for most of its life.
 *
 * `--invocation-count-for-turbofan`: calls of a function before V8's last compiler takes it; 3,000 otherwise. The loading of
 * modules alone would wake that compiler, whose code takes 5 MiB. A stub that is asked much still gets there.
 */
export const STUB_OPTIONS = ['--invocation-count-for-turbofan=30000'] as const;

/** What Node is started with for a verb; `undefined` where none was written. */
export function optionsFor(verb: string | undefined): readonly string[] {
  return verb === 'stub' ? [...RUNTIME_OPTIONS, ...STUB_OPTIONS] : RUNTIME_OPTIONS;
}

/**
 * Starts a program over with the options that it was started without, as the same process, before it has done anything else.
 * A value of the caller's stays. This file imports nothing, so that no import comes first.
 */
export function startWithOptions(): void {
  const { execArgv, execPath, argv, env } = process;
  const given = [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(' ')].map(nameOf);
  const missing = optionsFor(argv[2]).filter((option) => !given.includes(nameOf(option)));
  if (missing.length === 0 || given.some((option) => option.startsWith('--inspect'))) return;
  // The bound that a system without execve has is the handler that `takeSignals` puts in its place.
  process.execve?.(execPath, [execPath, ...missing, ...execArgv, ...argv.slice(1)], env);
}

/** V8 takes `_` for `-`. */
function nameOf(option: string): string {
  return option.replace(/=.*$/s, '').replaceAll('_', '-');
}

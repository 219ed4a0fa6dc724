/**
 * Options of Node's that the program runs with. The launcher, the unit, the image and `npm start` give them; a test holds
 * them together.
 *
 * `--disable-sigusr1`: a SIGUSR1 makes Node open its debugger to every user of the machine, from before the first line of
 * a program on. Only this option prevents that.
 *
 * `--max-semi-space-size=8`: MiB. What a question allocates dies young, and V8 would let it fill three times as much before
 * it looks. A smaller young generation takes less memory, and each of its collections stops the query path for less time.
 */
export const RUNTIME_OPTIONS = ['--disable-sigusr1', '--max-semi-space-size=8'] as const;

/**
 * Starts a program that was started without the first option over with all of them, as the same process, before it has done
 * anything else. This file imports nothing, so that no import comes first.
 */
export function startWithOptions(): void {
  const { execArgv, execPath, argv, env } = process;
  const [shut] = RUNTIME_OPTIONS;
  const options = [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(' ')];
  if (options.some((option) => option === shut || option.startsWith('--inspect'))) return;
  // The bound that a system without execve has is the handler that `takeSignals` puts in its place.
  process.execve?.(execPath, [execPath, ...RUNTIME_OPTIONS, ...execArgv, ...argv.slice(1)], env);
}

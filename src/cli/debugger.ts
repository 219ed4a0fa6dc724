/**
 * A SIGUSR1 makes Node open its debugger to every user of the machine, from before the first line of a program on. Node's
 * option --disable-sigusr1 is the only way to prevent that; the launcher, the unit, the image and `npm start` give it. A
 * server that was started without it starts over with it, as the same process, before it has done anything else. This file
 * imports nothing, so that no import comes first.
 */
export function keepDebuggerShut(): void {
  const { execArgv, execPath, argv, env } = process;
  const options = [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(' ')];
  if (options.some((option) => option === SHUT || option.startsWith('--inspect'))) return;
  // The bound that a system without execve has is the handler that `takeSignals` puts in its place.
  process.execve?.(execPath, [execPath, SHUT, ...execArgv, ...argv.slice(1)], env);
}

const SHUT = '--disable-sigusr1';

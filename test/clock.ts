/** Clocks for bounds that a busy machine must not break. `performance.now()` is for times that must not be too short. */

/** Milliseconds that one pause of this process counts for at most. A process that waits for a processor has longer ones. */
const LONGEST_PAUSE = 20;
const TICK = 5;

let ran = 0;
let seen = performance.now();

/**
 * Milliseconds in which this process, and others that share the machine with it, got to run: for "it comes at once", where
 * something is waited for. Work that holds the process for long hardly counts: `worked` is for that.
 */
export function running(): number {
  const now = performance.now();
  ran += Math.min(now - seen, LONGEST_PAUSE);
  seen = now;
  return ran;
}

setInterval(running, TICK).unref();

/** Milliseconds that the processors have worked for this process: for "it is not much work". */
export function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Clocks for bounds that a busy machine must not break. `performance.now()` is for times that must not be too short. */
import { readFileSync } from 'node:fs';

/** Milliseconds that one pause of this process counts for at most. A process that waits for a processor has longer ones. */
const LONGEST_PAUSE = 20;
const TICK = 5;
/** What a moment counts for at least, however busy the machine is: what never comes is found in the end. */
const LEAST = 1 / 8;

let ran = 0;
let seen = performance.now();
let stalled = stalledUntilNow();

/**
 * Milliseconds in which this process, and others that share the machine with it, got to run: for "it comes at once", where
 * something is waited for. Time in which somebody waited for a processor does not count, where Linux tells it; it may have
 * been the server that is waited for. Work that holds the process for long hardly counts: `worked` is for that.
 */
export function running(): number {
  const [now, stalledNow] = [performance.now(), stalledUntilNow()];
  const pause = now - seen;
  const free = Math.max(pause - (stalledNow - stalled), pause * LEAST);
  ran += Math.min(free, LONGEST_PAUSE);
  seen = now;
  stalled = stalledNow;
  return ran;
}

/** Milliseconds in which some process of the machine waited for a processor (PSI); 0 where nobody counts them. */
function stalledUntilNow(): number {
  try {
    const [, total = '0'] = /^some .*total=(\d+)/.exec(readFileSync('/proc/pressure/cpu', 'latin1')) ?? [];
    return Number(total) / 1000;
  } catch {
    return 0;
  }
}

/** What waits for a moment of `running`; thousands of questions may be under way at once, so they share one timer. */
const waiting = new Set<{ readonly at: number; readonly work: () => void }>();

/** Calls `work` once so many milliseconds of `running` are over; what it returns calls that off. */
export function afterRunning(milliseconds: number, work: () => void): () => void {
  const waiter = { at: ran + milliseconds, work };
  waiting.add(waiter);
  // Somebody waits: the process must not end before.
  if (waiting.size === 1) timer.ref();
  return () => {
    waiting.delete(waiter);
    if (waiting.size === 0) timer.unref();
  };
}

function tick(): void {
  running();
  for (const waiter of waiting) {
    if (waiter.at > ran) continue;
    waiting.delete(waiter);
    waiter.work();
  }
  if (waiting.size === 0) timer.unref();
}

const timer = setInterval(tick, TICK).unref();

/** Milliseconds that the processors have worked for this process: for "it is not much work". */
export function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

import { performance } from 'node:perf_hooks';
import type { Clock } from '../resolve/ports.ts';

/** The machine's own time. */
export const CLOCK: Clock = {
  monotonic: () => performance.now(),
  epoch: () => Date.now() / 1000,
};

import type { Outcome } from '../resolve/ports.ts';

/** What is under way and ends with the forwarder. */
export interface Running {
  stop(): void;
}

/** A reply was accepted. */
export const REPLIED: Outcome = { kind: 'reply' };

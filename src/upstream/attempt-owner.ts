import type { Acceptance } from '../resolve/ports.ts';
import type { AttemptFault } from './attempt-fault.ts';

/** Who wants the answer. Of `replied` and `failed` one is called, once, and never from within `start`. */
export interface AttemptOwner<Attempt> {
  accept(message: Buffer, verified: boolean): Acceptance;
  replied(attempt: Attempt, message: Buffer, poor: boolean): void;
  failed(attempt: Attempt, fault: AttemptFault): void;
  /** The attempt goes on, with little hope: a reply came that cannot be told from a forged one. Never from within `start`. */
  doubted(): void;
  /** The attempt goes on, but something came that may say that the server knows no OPT. */
  unversed(attempt: Attempt, why: string): void;
}

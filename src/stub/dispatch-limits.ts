import type { Milliseconds } from '../wire/quantity.ts';
import { LINK_LIMITS, type LinkLimits } from './link.ts';

/** What may wait at once, and how long, in counts, octets and milliseconds. */
export interface DispatchLimits extends LinkLimits {
  /** Questions that wait for an answer. */
  readonly questions: number;
  /** Of these, so many may have come over UDP: a flood leaves room for TCP. */
  readonly overUdp: number;
  /** Of all that wait. */
  readonly octets: number;
  /** From a question's arrival to SERVFAIL. Below the 5 s of a stub resolver. */
  readonly patience: Milliseconds;
  /** Once nobody has answered for so long, a question fails at once where no server may be dialled yet. */
  readonly outage: Milliseconds;
  /** When a dial has had no answer for so long, the next server is dialled beside it. */
  readonly stagger: Milliseconds;
  /** A server is dialled again so long after it failed, while a later one serves. */
  readonly comeBack: Milliseconds;
  /** A silent connection of one server is replaced so often at most: a slow name is no dead server. */
  readonly doubtEvery: Milliseconds;
}

export const DISPATCH_LIMITS: DispatchLimits = {
  ...LINK_LIMITS,
  questions: 4096,
  overUdp: 3072,
  octets: 4 * 1024 * 1024,
  patience: 4000,
  outage: 4000,
  stagger: 700,
  comeBack: 30_000,
  doubtEvery: 10_000,
};

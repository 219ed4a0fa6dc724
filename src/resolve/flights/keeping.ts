import { EDE } from '../../wire/iana.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { Answer, Failure } from '../answer/answer.ts';
import type { Outcome } from '../ports.ts';
import type { Renewal } from './flight.ts';

/**
 * Seconds that a failure is kept: the first, and the most. RFC 9520 §3.2 allows 1 s to 5 min; with more than this, a name that
 * is asked for all through an outage would stay away for longer than 5 s after its end.
 */
const FIRST_FAILURE = 1;
const LAST_FAILURE: Seconds = 4;
/** Seconds that a negative answer without an SOA is kept at most. */
const UNSUPPORTED_LIFE: Seconds = 5;
/** Seconds that a renewed answer, or a failure to renew, lives at least. */
const RENEWED_LIFE: Seconds = 60;
/** The least of the codes that are left to private use (RFC 8914 §5.2). */
const PRIVATE_EDE = 49_152;

/** Seconds for which an answer is kept: `leastLife` at least, and `maxTtl` at most unless it has to live longer. */
export function lifeOfAnswer(answer: Answer, renewal: Renewal, leastLife: Seconds, maxTtl: Seconds): Seconds {
  // A negative answer without an SOA may not be kept (RFC 2308 §5), but for as long as a client must not cause another question.
  const most = answer.ttl > 0 || answer.supported ? leastLife : Math.min(leastLife, UNSUPPORTED_LIFE);
  const least = renewal === 'no' ? most : Math.max(RENEWED_LIFE, leastLife);
  return Math.min(Math.max(answer.ttl, least), Math.max(maxTtl, least));
}

/** Seconds for which a failure is kept that comes after so many in a row. */
export function lifeOfFailure(failures: number, renewal: Renewal): Seconds {
  return renewal === 'schedule' ? RENEWED_LIFE : Math.min(LAST_FAILURE, FIRST_FAILURE * 2 ** failures);
}

/** A reply that could not be used, or not as a whole, is the server's fault too. */
export function whyFailed(outcome: Outcome): Failure {
  const reason = outcome.kind === 'reply' ? 'refused' : outcome.reason;
  const cause = outcome.kind === 'reply' ? null : (outcome.cause ?? null);
  const said = cause?.ede ?? -1;
  // "Blocked" means that we did it.
  if (said >= 0 && said < PRIVATE_EDE && said !== EDE.BLOCKED) return { reason, ede: said, cause };
  return { reason, ede: reason === 'network' ? EDE.NETWORK_ERROR : EDE.NO_REACHABLE_AUTHORITY, cause };
}

/** What there is of what is wanted. */
export const HELD = {
  /** Nothing that may be given: an upstream has to be asked. */
  NOTHING: 0,
  /** An answer, and it is fresh. */
  FRESH: 1,
  /** An answer that is no longer fresh and may be given since nobody has a better one (RFC 8767). */
  STALE: 2,
  /** A failure: nobody is asked again yet, or this query has just waited for it. */
  FAILED: 3,
} as const;

export type Held = (typeof HELD)[keyof typeof HELD];

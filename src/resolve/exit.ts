/** Every way out of the story. All but `drop` are replies. A new one is added at the end: numbers may be kept elsewhere. */
export const EXIT = {
  drop: 0,
  formerr: 1,
  notimp: 2,
  badvers: 3,
  refused: 4,
  deny: 5,
  deny_unproven: 6,
  empty: 7,
  local: 8,
  hit: 9,
  stale: 10,
  forwarded: 11,
  servfail: 12,
  withheld: 13,
  limited: 14,
  unproven: 15,
  /** What it could carry out would pass its wildcard's budget. */
  contained: 16,
  /** A denial that an operator said beforehand is no news. */
  deny_expected: 17,
  /** The firewall did not take its grants in time, or a client would have too many. */
  ungranted: 18,
} as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Their names, by number. */
export const EXITS = Object.keys(EXIT) as readonly (keyof typeof EXIT)[];

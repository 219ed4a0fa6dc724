/** Every way out of the story (DESIGN §4). All but `drop` are replies. */
export const EXITS = [
  'drop',
  'formerr',
  'notimp',
  'badvers',
  'refused',
  'deny',
  'deny_unproven',
  'empty',
  'local',
  'hit',
  'stale',
  'forwarded',
  'servfail',
  'withheld',
  'limited',
  'unproven',
] as const;

export const EXIT = Object.fromEntries(EXITS.map((name, index) => [name, index])) as Record<
  (typeof EXITS)[number],
  number
>;

/**
 * How long `npm run test:soak` takes: an hour, or as many minutes as `NAMEGATE_SOAK_MINUTES` says (`4` tries everything).
 * Each file has its share, and a file alone takes that share. Where memory is compared over time, that is done in runs of
 * `SETTLED` minutes or more in all: before, the engine's own memory still grows.
 */

const MINUTES = Number(process.env['NAMEGATE_SOAK_MINUTES'] ?? 60);

/** Twelfths of the whole. */
const SHARES = { flood: 1, leak: 3, reload: 2, soak: 6 } as const;

const SETTLED = 20;

export const settled = MINUTES >= SETTLED;

/** Minutes for one file. */
export function minutesFor(file: keyof typeof SHARES): number {
  return (MINUTES * SHARES[file]) / 12;
}

/** Milliseconds after which a file that takes its share has failed: what is under way at the end has five more minutes. */
export function patienceFor(file: keyof typeof SHARES): number {
  return (minutesFor(file) + 5) * 60_000;
}

/**
 * How much of a thing a test does. `npm test` does what shows a fault that is there; NAMEGATE_TEST_RUNS=all does the rest
 * too: `npm run test:all`.
 */
const ALL = process.env['NAMEGATE_TEST_RUNS'] === 'all';

/** Rounds, cases or seconds. */
export function amount(usual: number, all: number): number {
  return ALL ? all : usual;
}

/** Cases of a table: all of them, or those at these places. */
export function some<Case>(cases: readonly Case[], ...usual: readonly number[]): readonly Case[] {
  return ALL ? cases : usual.map((at) => cases[at]!);
}

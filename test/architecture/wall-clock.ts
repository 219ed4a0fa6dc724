/**
 * Finds bounds that a busy machine breaks: a time of the real clock that must be shorter than so many milliseconds. What
 * comes at once is judged by `running` or `worked` (`test/clock.ts`), by the order of events, or by a clock of the test.
 */

/** Milliseconds from which a bound is a patience, and no measure. */
const PATIENCE = 10_000;

const CLOCK = String.raw`(?:performance\.now\(\)|Date\.now\(\)|process\.hrtime(?:\.bigint)?\(\))`;
const ASSIGNED = new RegExp(String.raw`(\w+)\s*(?::\s*\w+\s*)?=(?![=>])\s*([^;]*${CLOCK}[^;]*);`, 'g');

/** Lines, from 1, of a test that bound the real clock from above. */
export function boundsOfRealTime(text: string): number[] {
  const bare = text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*/g, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
  const moments = new Set<string>();
  const spans = new Set<string>();
  for (const [, name = '', value = ''] of bare.matchAll(ASSIGNED)) {
    // `=> performance.now()` and objects that hold more are no value of this name.
    if (value.includes('=>') || value.includes('function')) continue;
    const isSpan = new RegExp(String.raw`${CLOCK}\s*-|-\s*${CLOCK}`).test(value);
    (isSpan ? spans : moments).add(name);
  }
  const any = (names: ReadonlySet<string>): string => (names.size === 0 ? '(?!)' : [...names].join('|'));
  const moment = String.raw`(?:${CLOCK}|\b(?:${any(moments)})\b)`;
  const span = String.raw`(?:${moment}\s*-\s*(?:${moment}|[\w.!]+)|\b(?:${any(spans)})\b)`;
  const bound = new RegExp(String.raw`${span}\s*\)?\s*<=?\s*([\w.]+)`, 'g');
  return bare.split('\n').flatMap((line, index) => {
    const bounds = [...line.matchAll(bound)].map(([, most = '']) => Number(most.replaceAll('_', '')));
    return bounds.some((most) => !(most >= PATIENCE)) ? [index + 1] : [];
  });
}

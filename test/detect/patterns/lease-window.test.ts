import t from 'tap';
import { parseScript, run } from './script.ts';

const DAY = 86_400_000;

/** What is told once a lease stays open for as long as leases live, so that nothing is told anew after a day. */
const ROWS: readonly (readonly [what: string, script: string, days: number])[] = [
  ['other-stage', 'deny A pypi.org lease=le-1 stage', 7],
  ['other-stage', 'deny A pypi.org stage', 1],
  ['after-end', 'ended le-1 10.0.0.1\nwait 6s\ndeny A a.example', 7],
];

for (const [kind, script, days] of ROWS) {
  t.test(`${kind}, ${days} days: ${script}`, async (t) => {
    const seen = run(parseScript(script)).seen.filter(({ finding }) => finding === kind);
    t.strictSame(
      seen.map(({ window }) => window),
      [days * DAY],
    );
  });
}

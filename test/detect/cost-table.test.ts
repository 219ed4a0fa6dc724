import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  deltaBits,
  END,
  knownNameCost,
  newNameCost,
  occasionCost,
  trustNameCost,
  UNITS_A_BIT,
} from '../../src/detect/charge.ts';
import { newNames } from '../../src/detect/estimate.ts';

const SECOND = 100;

/** Bits as the table has them: two digits at most, rounded up. */
function bits(units: number): string {
  return String(Math.ceil((units / UNITS_A_BIT) * 100) / 100);
}

t.test('docs/ledger.md has the costs that the code charges', async (t) => {
  const text = readFileSync(new URL('../../docs/ledger.md', import.meta.url), 'utf8');
  const table = text.slice(text.indexOf('<!-- costs'), text.indexOf("A label's length octet"));
  const told = [...table.matchAll(/^\| (?!part)([^|]+) \| ([\d.]+) \|$/gm)].map(([, , value]) => value);
  const type = occasionCost(0, 3) - 3 * UNITS_A_BIT;
  t.same(told, [
    bits(occasionCost(0, 3) - UNITS_A_BIT - type),
    ...[0, SECOND, 60 * SECOND, 3600 * SECOND].map((ticks) => String(deltaBits(ticks + 1))),
    bits(type),
    bits(newNameCost(2) - newNameCost(1)),
    bits(newNameCost(0)),
    bits(knownNameCost()),
    bits(trustNameCost(2) - trustNameCost(1)),
    bits(END),
  ]);
  const [, name] = /costs some (\d+) bits/.exec(text)!;
  t.equal(Math.round((newNameCost(21) + occasionCost(1800 * SECOND, 3)) / UNITS_A_BIT), Number(name));
  t.match(text, `So 1 KiB is about ${newNames(1024)} such names a day`);
});

t.test('what a budget means grows with it, and never says more than it pays for', async (t) => {
  t.same(
    [0, 1, 16].map((octets) => newNames(octets)),
    [0, 0, 0],
  );
  for (let octets = 32, before = 0; octets <= 2 ** 20; octets *= 2) {
    const names = newNames(octets);
    t.ok(names > before);
    const wait = Math.floor(8_640_000 / names);
    t.ok(
      names * (newNameCost(21) + occasionCost(wait, 3)) + END <= octets * 8 * UNITS_A_BIT,
      `${octets}: ${names}`,
    );
    before = names;
  }
  t.ok(newNames(1024, 7) > newNames(1024, 20));
});

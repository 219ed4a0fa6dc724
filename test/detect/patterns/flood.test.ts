import t from 'tap';
import { Detectors } from '../../../src/detect/patterns/detectors.ts';
import { DEFAULT_THRESHOLDS } from '../../../src/detect/patterns/kinds.ts';
import type { Noticed } from '../../../src/detect/patterns/observed.ts';
import { hash, START } from './script.ts';

/** Random denied names, and the clients that they come from. `NAMEGATE_FLOOD=1000000` asks for more. */
const NAMES = Number(process.env['NAMEGATE_FLOOD'] ?? 60_000);
const CLIENTS = 10_000;

t.test('a flood of random names from many clients grows nothing, and hides nobody', async (t) => {
  const detectors = new Detectors(hash(1, 2), hash(3, 4), DEFAULT_THRESHOLDS);
  const out: Noticed[] = [];
  let seed = 1;
  const next = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed;
  };
  const ask = (at: number, claim: string, name: Uint8Array, domain: number): void =>
    detectors.take(
      {
        at,
        identity: 'ci',
        claim,
        lease: '',
        name,
        domain,
        type: 1,
        verdict: 'deny',
        count: 1,
        proven: true,
        expected: false,
        isOfOtherStage: false,
        isInQuarantine: false,
        resembles: '',
        isOfPattern: false,
      },
      out,
    );
  const told = new Set<string>();
  const name = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x6f, 0x6d, 0]);
  const before = process.cpuUsage();
  for (let i = 0; i < NAMES; i++) {
    name.write(next().toString(16).padStart(8, '0').repeat(2), 1, 'hex');
    ask(START + i, `10.0.${next() % CLIENTS}`, name, 0);
    for (const { finding, key } of out.splice(0)) told.add(`${finding} ${key}`);
    if (i % 1_000 === 0) detectors.pass(START + i, out);
  }
  const { user, system } = process.cpuUsage(before);
  t.comment(`${((user + system) / NAMES).toFixed(2)} µs of CPU a name`);
  detectors.pass(START + NAMES, out);
  for (const { finding, key } of out.splice(0)) told.add(`${finding} ${key}`);
  const { clients, attempts } = detectors.counts;
  t.ok(clients <= 8_192, `${clients} clients`);
  t.ok(attempts <= 12_288, `${attempts} domains`);
  t.ok(told.has('sweep several clients'), 'the crowd is told in one');
  for (let i = 0; i < 60; i++) {
    name.write(next().toString(16).padStart(8, '0').repeat(2), 1, 'hex');
    ask(START + NAMES + i, 'somebody else', name, 0);
  }
  t.ok(
    out.some(({ finding, key }) => finding === 'sweep' && key === 'somebody else'),
    'and who sweeps beside it too',
  );
});

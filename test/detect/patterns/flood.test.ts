import t from 'tap';
import { Clients } from '../../../src/detect/patterns/clients.ts';
import { Detectors } from '../../../src/detect/patterns/detectors.ts';
import { DEFAULT_THRESHOLDS } from '../../../src/detect/patterns/kinds.ts';
import type { Noticed, Observed } from '../../../src/detect/patterns/observed.ts';
import { hash, START, whoOf } from './script.ts';

/** Random denied names, and the clients that they come from. `NAMEGATE_FLOOD=1000000` asks for more. */
const NAMES = Number(process.env['NAMEGATE_FLOOD'] ?? 60_000);
const CLIENTS = 30_000;

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
        who: whoOf(claim),
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
  t.ok(clients <= 12_288, `${clients} clients`);
  t.ok(attempts <= 10_240, `${attempts} domains`);
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

t.test('a client that comes in the place of another begins with nothing of it', async (t) => {
  const clients = new Clients(hash(1, 2));
  const { sweep, 'nxdomain-storm': storm } = DEFAULT_THRESHOLDS;
  const name = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x6f, 0x6d, 0]);
  const asked = { at: START, claim: '', name, domain: 0 } as Partial<Observed> as Observed;
  let swept = 0;
  let stormed = 0;
  const ask = (claim: string, domains: number, missing: number): void => {
    const client = clients.of({ identity: 'ci', who: whoOf(claim) });
    for (let i = 0; i < domains; i++) {
      name.writeUInt32BE(i, 1);
      if (clients.isSweeping(client, asked, i, sweep!)) swept++;
    }
    const outcome = { at: START, count: missing, questions: missing, outcome: 'missing' } as const;
    if (clients.isStorm(client, outcome, storm!)) stormed++;
  };
  // More than one identity may have: those that come then take the places of those that came first.
  for (let i = 0; i < 10_300; i++) ask(`first ${i}`, 8, 150);
  const seen = new Set<unknown>();
  for (let i = 0; i < 100; i++) {
    name.fill(i, 5, 9);
    ask(`then ${i}`, 45, 60);
    seen.add(clients.of({ identity: 'ci', who: whoOf(`then ${i}`) }));
  }
  t.equal(seen.size, 100, 'each has a state of its own');
  t.strictSame({ swept, stormed }, { swept: 0, stormed: 0 });
  ask('then 99', 50, 150);
  t.strictSame({ swept, stormed }, { swept: 1, stormed: 1 });
});

import t, { type Test } from 'tap';
import { type Namegate, namegate, pause, until } from '../server/namegate.ts';
import { plain, upstream } from '../server/upstream.ts';
import { type CrowdOptions, crowd, Worker } from './crowd.ts';
import { holdTo, percentile, prefer, Sampler, share } from './latency.ts';
import { descriptors, MIB, residentOctets } from './load.ts';
import { JOB, policyOf } from './policy.ts';

/** TCP connections that say nothing, or say it slowly, in numbers. */

const POLICY = policyOf(JOB, { name: 'crowd', from: ['127.1.0.0/16'], allow: ['*.other.example'] });

/** Caps of `tcp_clients` by default: in total, and an eighth of it for a client. */
const TOTAL = 1000;
const PER_CLIENT = 125;

const ALTERNATIONS = 2;

const name = (n: number): string => `n${n % 20}.good.example`;

async function rig(
  t: Test,
  settings = '',
): Promise<{ readonly server: Namegate; readonly sampler: Sampler; readonly pid: number }> {
  const good = await upstream(t, plain);
  const server = await namegate(t, { policy: POLICY, servers: `[${good.url}]`, settings });
  prefer(server);
  const sampler = await Sampler.open(t, server, { from: '127.0.0.1', name, gap: 1 });
  await sampler.many(300);
  return { server, sampler, pid: server.child.pid! };
}

const CASES = [
  { what: 'one address', addresses: 1, kept: PER_CLIENT, told: { cap: 'client', client: '127.1.0.1' } },
  { what: '100 addresses', addresses: 100, kept: TOTAL, told: { cap: 'total' } },
];

for (const { what, addresses, kept, told } of CASES) {
  t.test(
    `10,000 idle connections from ${what}: ${kept} are kept, the log says so, others come in`,
    async (t) => {
      const { server, pid } = await rig(t);
      const [memory, open] = [residentOctets(pid), descriptors(pid)];
      const worker = new Worker(server, name, '127.0.0.1');
      const idle = crowd(t, server, { count: 10_000, addresses, kind: 'idle' });
      let most = 0;
      await until(
        () => {
          most = Math.max(most, descriptors(pid));
          return idle.ended >= 10_000 - kept;
        },
        () => `${idle.connected} connected, ${idle.ended} were ended`,
        20_000,
      );
      await pause(300);
      await worker.stop();
      t.ok(idle.ended <= 10_001 - kept, `${idle.ended} were ended and no more`);
      t.ok(most <= open + kept + 20, `at most ${most - open} more descriptors`);
      t.same(worker.failed, [], 'nobody else was refused');
      t.ok(worker.answered > 20, `${worker.answered} answers to others meanwhile`);
      const grown = residentOctets(pid) - memory;
      t.ok(grown < 64 * MIB, `memory grew by ${(grown / MIB).toFixed(0)} MiB`);
      t.match(
        server.events('listening').find(({ url }) => String(url).startsWith('tcp:')),
        { clients: TOTAL, per_client: PER_CLIENT },
        'the caps are in the log from the start',
      );
      const lines = server.events('listener-refused');
      t.match(lines[0], told, 'and that one was reached');
      t.ok(lines.length <= 3, `${lines.length} lines of it, not one a connection`);
      await idle.leave();
      share(server);
      await server.stop(t);
    },
  );
}

interface Beside {
  readonly what: string;
  readonly settings: string;
  readonly crowds: readonly CrowdOptions[];
  /** Connections that are open at the least while the times are taken. */
  readonly open: number;
  /** MiB that memory may grow by: 16 KiB a connection and some. */
  readonly memory: number;
}

const BESIDE: readonly Beside[] = [
  {
    what: '1,000 idle connections',
    settings: '',
    crowds: [{ count: 1000, addresses: 100, kind: 'idle' }],
    open: 900,
    memory: 64,
  },
  {
    what: '1,000 slow connections',
    settings: '',
    crowds: [{ count: 1000, addresses: 100, kind: 'slow' }],
    open: 900,
    memory: 64,
  },
  {
    what: '10,000 idle and 1,000 slow connections, where tcp_clients has room for all',
    settings: 'limits: { tcp_clients: 12000, in_flight: 1000 }',
    crowds: [
      { count: 10_000, addresses: 100, kind: 'idle' },
      { count: 1000, addresses: 100, kind: 'slow' },
    ],
    open: 11_000,
    memory: 200,
  },
];

for (const { what, settings, crowds, open, memory } of BESIDE) {
  t.test(`beside ${what} others are unaffected, and memory is bounded`, async (t) => {
    const { server, sampler, pid } = await rig(t, settings);
    const before = residentOctets(pid);
    let most = 0;
    await holdTo(t, what, 1.2, async () => {
      const base: number[] = [];
      const beside: number[] = [];
      for (let i = 0; i < ALTERNATIONS; i++) {
        base.push(...(await p99s(sampler)));
        const others = crowds.map((options) => crowd(t, server, options));
        await until(
          () => others.every(({ connected }, k) => connected === crowds[k]!.count),
          () => others.map(({ connected }) => `${connected} connected`).join(', '),
          20_000,
        );
        await pause(200);
        beside.push(...(await p99s(sampler)));
        const count = others.reduce((sum, { connected, ended }) => sum + connected - ended, 0);
        t.ok(count >= open, `${count} are open`);
        most = Math.max(most, residentOctets(pid));
        if (i === 0) await comeIn(t, server);
        await Promise.all(others.map((other) => other.leave()));
      }
      return { base, beside };
    });
    const grown = most - before;
    t.ok(grown < memory * MIB, `memory grew by ${(grown / MIB).toFixed(0)} MiB at most`);
    share(server);
    await server.stop(t);
  });
}

/** Others may open connections while a crowd holds all that there are. */
async function comeIn(t: Test, server: Namegate): Promise<void> {
  const worker = new Worker(server, name, '127.0.0.1');
  await pause(500);
  await worker.stop();
  t.same(worker.failed, [], 'nobody else was refused');
  t.ok(worker.answered > 20, `${worker.answered} answers to others meanwhile`);
}

async function p99s(sampler: Sampler): Promise<number[]> {
  const rounds: number[] = [];
  for (let i = 0; i < 3; i++) rounds.push(percentile(await sampler.many(200), 0.99));
  return rounds;
}

import t, { type Test } from 'tap';
import { type Namegate, namegate, pause, until } from '../server/namegate.ts';
import { plain, upstream } from '../server/upstream.ts';
import { crowd, Worker } from './crowd.ts';
import { best, median, percentile, prefer, Sampler } from './latency.ts';
import { descriptors, MIB, residentOctets } from './load.ts';

/** TCP connections that say nothing, or say it slowly, in numbers. */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "*.good.example", reason: what it needs }]
  - name: crowd
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.1.0.0/16] }
    allow: [{ name: "*.other.example", reason: what it needs }]
`;

/** Caps of `tcp_clients` by default: in total, and an eighth of it for a client. */
const TOTAL = 1000;
const PER_CLIENT = 125;

const name = (n: number): string => `n${n % 20}.good.example`;

async function rig(
  t: Test,
  settings = '',
): Promise<{ readonly server: Namegate; readonly sampler: Sampler; readonly pid: number }> {
  const good = await upstream(t, plain);
  const server = await namegate(t, { policy: POLICY, servers: `[${good.url}]`, settings });
  prefer(server);
  const sampler = await Sampler.open(server, { from: '127.0.0.1', name, gap: 1 });
  t.teardown(() => sampler.close());
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
      const lines = server.events('listener-refused');
      t.match(lines[0], told, 'the cap is in the log');
      t.ok(lines.length <= 3, `${lines.length} lines of it, not one a connection`);
      await idle.leave();
      await server.stop(t);
    },
  );
}

t.test('where tcp_clients has room for 10,000 connections, memory is bounded too', async (t) => {
  const { server, pid } = await rig(t, 'limits: { tcp_clients: 12000, in_flight: 1000 }');
  const memory = residentOctets(pid);
  const idle = crowd(t, server, { count: 10_000, addresses: 100, kind: 'idle' });
  await until(
    () => idle.connected === 10_000,
    () => `${idle.connected} connected`,
    20_000,
  );
  await comeIn(t, server);
  t.equal(idle.ended, 0, 'all of them stay');
  const grown = residentOctets(pid) - memory;
  // 16 KiB each.
  t.ok(grown < 160 * MIB, `memory grew by ${(grown / MIB).toFixed(0)} MiB`);
  await idle.leave();
  await server.stop(t);
});

for (const kind of ['idle', 'slow'] as const) {
  t.test(`beside 1,000 ${kind} connections others are unaffected`, async (t) => {
    const { server, sampler, pid } = await rig(t);
    const memory = residentOctets(pid);
    const ratio = await best(1.2, 6, async () => {
      const alone = await p99(sampler);
      const others = crowd(t, server, { count: 1000, addresses: 100, kind });
      await until(
        () => others.connected === 1000,
        () => `${others.connected} connected`,
      );
      await pause(200);
      const beside = await p99(sampler);
      t.ok(others.connected - others.ended >= 900, `${others.connected - others.ended} are open`);
      await comeIn(t, server);
      await others.leave();
      t.comment(`p99 alone ${alone.toFixed(2)} ms, beside them ${beside.toFixed(2)} ms`);
      return beside / alone;
    });
    t.ok(ratio <= 1.2, `p99 beside them is ${ratio.toFixed(2)} times what it is alone`);
    const grown = residentOctets(pid) - memory;
    t.ok(grown < 64 * MIB, `memory grew by ${(grown / MIB).toFixed(0)} MiB`);
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

/** The median of some rounds. */
async function p99(sampler: Sampler): Promise<number> {
  const rounds: number[] = [];
  for (let i = 0; i < 5; i++) rounds.push(percentile(await sampler.many(200), 0.99));
  return median(rounds);
}

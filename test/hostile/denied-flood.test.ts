import t from 'tap';
import { missing } from '../interop/process.ts';
import { namegate, pause } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { holdTo, median, percentile, prefer, Sampler, share } from './latency.ts';
import { deniedNames, flood, MIB, processorSeconds, residentOctets } from './load.ts';
import { JOB, policyOf } from './policy.ts';

/** Random denied names, as fast as the server answers them, from one identity while another works. */

const ALTERNATIONS = 3;
const SAMPLES = 400;
const FLOOD_SECONDS = 1.5;
/** A flood that takes less than this share of a processor is none: something else had the machine. */
const BUSY = 0.5;
/** More than a flood asks for in its time, so that no name comes twice. */
const NAMES = 520_000;

const POLICY = policyOf(JOB, { name: 'flooder', from: ['127.0.0.2'], allow: ['*.other.example'] });

t.test(
  'random denied names at full load: approved p99 at most 3 times the idle one, and memory is flat',
  { skip: missing('dnsperf') },
  async (t) => {
    const good = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 300 A 198.51.100.1`] }));
    const server = await namegate(t, { servers: `[${good.url}]`, policy: POLICY });
    const pid = server.child.pid!;
    prefer(server);
    let seed = 0;
    const attack = () => {
      const names = deniedNames(server.folder, NAMES, seed++);
      return flood(t, { place: server, from: '127.0.0.2', names, seconds: FLOOD_SECONDS, inFlight: 100 });
    };
    const samplers = {
      cached: await Sampler.open(t, server, {
        from: '127.0.0.1',
        name: (n) => `n${n % 50}.good.example`,
        gap: 1,
      }),
      forwarded: await Sampler.open(t, server, {
        from: '127.0.0.1',
        name: (n) => `f${n}.good.example`,
        gap: 1,
      }),
    };
    for (const sampler of Object.values(samplers)) await sampler.many(300);
    const idle = residentOctets(pid);
    await attack().done;
    const held: number[] = [];
    let denied = 0;
    for (const [what, sampler] of Object.entries(samplers)) {
      await holdTo(t, what, 3, async () => {
        const base: number[] = [];
        const beside: number[] = [];
        const busy: number[] = [];
        for (let i = 0; i < ALTERNATIONS; i++) {
          base.push(percentile(await sampler.many(SAMPLES), 0.99));
          const { done } = attack();
          await pause(300);
          const [from, used] = [performance.now(), processorSeconds(pid)];
          beside.push(percentile(await sampler.many(SAMPLES), 0.99));
          busy.push((1000 * (processorSeconds(pid) - used)) / (performance.now() - from));
          const { answered, sent } = await done;
          t.ok(answered >= sent * 0.999, `${answered} of ${sent} are answered`);
          denied += answered;
          held.push(residentOctets(pid));
        }
        const share = median(busy);
        t.comment(`the server is busy for ${(100 * share).toFixed(0)} % of the time`);
        return {
          base,
          beside,
          ...(share < BUSY ? { void: `the flood was too thin: ${share.toFixed(2)} of a processor` } : {}),
        };
      });
    }
    const half = held.length / 2;
    const [early, late] = [median(held.slice(0, half)), median(held.slice(half))];
    const mib = (octets: number): string => `${(octets / MIB).toFixed(0)} MiB`;
    t.comment(`${denied} denied names; memory idle ${mib(idle)}, then ${held.map(mib).join(', ')}`);
    // A name takes 60 octets at least: were all kept, this would be 100 MiB between the halves.
    t.ok(late <= early * 1.05 + 4 * MIB, `memory is flat: ${mib(early)}, then ${mib(late)}`);
    // What the engine needs to be quick, and the detectors' tables; a cache of denied names that is bounded would be more.
    t.ok(late <= idle + 48 * MIB, `and not far above the idle ${mib(idle)}`);
    t.ok(
      good.seen.every(({ name }) => name.endsWith('.good.example.')),
      'none of them went upstream',
    );
    share(server);
    await server.stop(t);
  },
);

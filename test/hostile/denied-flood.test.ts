import t from 'tap';
import { missing } from '../interop/process.ts';
import { namegate, pause } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { best, median, percentile, prefer, Sampler } from './latency.ts';
import { deniedNames, flood, processorSeconds, residentOctets } from './load.ts';

/** Random denied names, as fast as the server answers them, from one identity while another works. */

const ALTERNATIONS = 4;
const SAMPLES = 400;
const FLOOD_SECONDS = 2;

t.test(
  'random denied names at full load: approved p99 at most 3 times the idle one, and memory is flat',
  { skip: missing('dnsperf') },
  async (t) => {
    const good = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 300 A 198.51.100.1`] }));
    const server = await namegate(t, {
      servers: `[${good.url}]`,
      policy: `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "*.good.example", reason: what it needs }]
  - name: flooder
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.2] }
    allow: [{ name: "*.other.example", reason: what it needs }]
`,
    });
    const pid = server.child.pid!;
    prefer(server);
    const names = deniedNames(server.folder, 200_000, 1);
    const attack = () =>
      flood(t, { place: server, from: '127.0.0.2', names, seconds: FLOOD_SECONDS, inFlight: 100 });
    const samplers = {
      cached: await Sampler.open(server, {
        from: '127.0.0.1',
        name: (n) => `n${n % 50}.good.example`,
        gap: 1,
      }),
      forwarded: await Sampler.open(server, { from: '127.0.0.1', name: (n) => `f${n}.good.example`, gap: 1 }),
    };
    for (const sampler of Object.values(samplers)) await sampler.many(300);
    await attack().done;
    const before = residentOctets(pid);
    let denied = 0;
    for (const [what, sampler] of Object.entries(samplers)) {
      const ratio = await best(3, 3, async () => {
        const idle: number[] = [];
        const flooded: number[] = [];
        let busy = 0;
        let rate = 0;
        for (let i = 0; i < ALTERNATIONS; i++) {
          idle.push(percentile(await sampler.many(SAMPLES), 0.99));
          const { done } = attack();
          await pause(300);
          const [from, used] = [performance.now(), processorSeconds(pid)];
          flooded.push(percentile(await sampler.many(SAMPLES), 0.99));
          busy += (processorSeconds(pid) - used) / ((performance.now() - from) / 1000) / ALTERNATIONS;
          const { answered, sent, seconds } = await done;
          t.ok(answered >= sent * 0.999, `${answered} of ${sent} are answered`);
          denied += answered;
          rate += answered / seconds / ALTERNATIONS;
        }
        const ms = (values: number[]): string => values.map((value) => value.toFixed(2)).join(' ');
        t.comment(
          `${what}: p99 idle ${ms(idle)} ms, flooded ${ms(flooded)} ms; ${rate.toFixed(0)} denied/s, the server busy ${(100 * busy).toFixed(0)} %`,
        );
        return median(flooded) / median(idle);
      });
      t.ok(ratio <= 3, `${what}: p99 under the flood is ${ratio.toFixed(2)} times the idle one`);
    }
    const after = residentOctets(pid);
    t.ok(denied > 200_000, `${denied} denied names`);
    t.ok(after <= before * 1.1, `RSS ${before} before, ${after} after`);
    t.ok(
      good.seen.every(({ name }) => name.endsWith('.good.example.')),
      'none of them went upstream',
    );
    for (const sampler of Object.values(samplers)) sampler.close();
    await server.stop(t);
  },
);

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Client, queryOctets } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import { house, Namegate, pause } from '../server/namegate.ts';
import { plain, silent, upstream } from '../server/upstream.ts';
import { holdTo, percentile, prefer, Sampler, share } from './latency.ts';
import { JOB, policyOf } from './policy.ts';

/**
 * A silent upstream behind one identity's zone. Two servers stand side by side under the same load; the upstream of the
 * zone answers behind one of them and is silent behind the other. The samples of both alternate, so that what else runs
 * on the machine slows both alike.
 */

const POLICY = policyOf(JOB, { name: 'other', from: ['127.0.0.2'], allow: ['*.zone.example'] });

/** More than an identity's share of questions in flight, an eighth of 10,000, can hold for 3.8 s each. */
const RATE = 400;
const ROUNDS = 5;

/** Asks each server for new names of the zone, `RATE` a second, until the test ends. Returns the answers by RCODE. */
async function busy(t: Test, servers: readonly Namegate[]): Promise<readonly Map<string, number>[]> {
  const clients = await Promise.all(servers.map((server) => Client.open(server, 'udp', '127.0.0.2')));
  const counts = servers.map(() => new Map<string, number>());
  let asked = 0;
  const from = performance.now();
  // One at a time: a burst would hold up the server, and those who are sampled, whatever becomes of it.
  const timer = setInterval(() => {
    if (asked >= ((performance.now() - from) * RATE) / 1000) return;
    const octets = queryOctets(`q${asked}.zone.example`, { id: asked & 0xffff });
    asked++;
    clients.forEach((client, k) => {
      void client.exchange(Buffer.from(octets)).then((reply) => {
        const code = reply === null ? 'lost' : readMessage(reply).rcode;
        counts[k]!.set(code, (counts[k]!.get(code) ?? 0) + 1);
      });
    });
  }, 1);
  t.teardown(() => {
    clearInterval(timer);
    for (const client of clients) client.close();
  });
  return counts;
}

/** Names that the identity which is sampled asks for, and how many samples of each kind are under way at once. */
const SAMPLED = {
  cached: { name: (n: number) => `n${n % 50}.good.example`, lanes: 1, samples: 1000 },
  forwarded: { name: (n: number) => `f${n}.good.example`, lanes: 1, samples: 1000 },
  // Against 20 ms on the way, a fifth is 4 ms: no matter of the machine's scheduler.
  distant: { name: (n: number) => `far${n}.good.example`, lanes: 12, samples: 300 },
};

t.test("a silent upstream behind one identity's zone moves another's p99 by at most 20 %", async (t) => {
  const good = await upstream(t, ({ name }, to) => {
    const answer = () => to.reply({ answer: [`${name} 300 A 198.51.100.1`] });
    if (name.startsWith('far')) setTimeout(answer, 20);
    else answer();
  });
  const folder = t.testdir();
  const servers: Namegate[] = [];
  for (const [name, script] of Object.entries({ answering: plain, silent })) {
    const { url } = await upstream(t, script);
    const groups = `  zone: { servers: ["${url}"], zones: [zone.example] }`;
    const made = house(t, { policy: POLICY, servers: `[${good.url}]`, groups }, join(folder, name));
    servers.push(await new Namegate(t, made).started());
  }
  for (const server of servers) prefer(server);
  const counts = await busy(t, servers);
  const since = performance.now();
  for (const [what, { name, lanes, samples }] of Object.entries(SAMPLED)) {
    let count = 0;
    const open = (server: Namegate) =>
      Sampler.open(t, server, { from: '127.0.0.1', name: () => name(count++), gap: 0 });
    const pairs = await Promise.all(Array.from({ length: lanes }, () => Promise.all(servers.map(open))));
    await Promise.all(pairs.flat().map((sampler) => sampler.many(500 / lanes)));
    // Until as many questions are in flight as there will be.
    await pause(Math.max(0, since + 5000 - performance.now()));
    await holdTo(t, what, 1.2, async () => {
      const rounds: [number[], number[]] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        const found = await Promise.all(pairs.map((pair) => alternate(pair, samples / lanes)));
        for (const k of [0, 1] as const)
          rounds[k].push(
            percentile(
              found.flatMap((lane) => lane[k]),
              0.99,
            ),
          );
      }
      return { base: rounds[0], beside: rounds[1] };
    });
  }
  t.comment(JSON.stringify(counts.map((count) => Object.fromEntries(count))));
  t.same([...counts[0]!.keys()], ['NOERROR'], 'behind one the zone is answered');
  t.ok(
    counts[1]!.get('SERVFAIL')! > 0 && counts[1]!.size === 1,
    'behind the other it fails, and nothing is lost',
  );
  for (const server of servers) share(server);
  for (const server of servers) await server.stop(t);
});

/** Samples of both, in turn. Which of the two is asked first alternates with each sample. */
async function alternate(pair: readonly Sampler[], count: number): Promise<readonly [number[], number[]]> {
  const samples: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    for (const k of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      samples[k].push(await pair[k]!.one());
    // Lets this process do its other work outside the samples.
    if (i % 8 === 7) await pause(1);
  }
  return samples;
}

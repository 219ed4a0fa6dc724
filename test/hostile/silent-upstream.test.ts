import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Client, queryOctets } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import { house, Namegate, pause } from '../server/namegate.ts';
import { plain, silent, upstream } from '../server/upstream.ts';
import { best, median, percentile, prefer, Sampler } from './latency.ts';

/**
 * A silent upstream behind one identity's zone. Two servers stand side by side under the same load; the upstream of the
 * zone answers behind one of them and is silent behind the other. The samples of both alternate, so that what else runs
 * on the machine slows both alike.
 */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "*.good.example", reason: what it needs }]
  - name: other
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.2] }
    allow: [{ name: "*.zone.example", reason: what it needs }]
`;

/** More than an identity's share of questions in flight, an eighth of 10,000, can hold for 3.8 s each. */
const RATE = 400;
const ROUNDS = 5;
const SAMPLES = 1500;

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

t.test("a silent upstream behind one identity's zone moves another's p99 by at most 20 %", async (t) => {
  const good = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 300 A 198.51.100.1`] }));
  const folder = t.testdir();
  const servers: Namegate[] = [];
  for (const [name, script] of Object.entries({ answering: plain, silent })) {
    const { url } = await upstream(t, script);
    const groups = `  zone: { servers: ["${url}"], zones: [zone.example] }`;
    const made = house(t, { policy: POLICY, servers: `[${good.url}]`, groups }, join(folder, name));
    servers.push(await new Namegate(t, made).started());
  }
  for (const server of servers) prefer(server);
  const samplers = {
    cached: (n: number) => `n${n % 50}.good.example`,
    forwarded: (n: number) => `f${n}.good.example`,
  };
  const counts = await busy(t, servers);
  for (const [what, name] of Object.entries(samplers)) {
    const pair = await Promise.all(
      servers.map((server) => Sampler.open(server, { from: '127.0.0.1', name, gap: 0 })),
    );
    for (const sampler of pair) await sampler.many(500);
    // Until as many questions are in flight as there will be.
    if (what === 'cached') await pause(4000);
    const ratio = await best(1.2, 5, async () => {
      const p99s = await alternate(pair);
      const ms = (values: readonly number[]): string => values.map((value) => value.toFixed(2)).join(' ');
      t.comment(
        `${what}: p99 ${ms(p99s[0]!)} ms beside an upstream that answers, ${ms(p99s[1]!)} ms beside a silent one`,
      );
      return median(p99s[1]!) / median(p99s[0]!);
    });
    t.ok(ratio <= 1.2, `${what}: p99 is ${ratio.toFixed(2)} times that beside an upstream that answers`);
    for (const sampler of pair) sampler.close();
  }
  t.comment(JSON.stringify(counts.map((count) => Object.fromEntries(count))));
  t.same([...counts[0]!.keys()], ['NOERROR'], 'behind one the zone is answered');
  t.ok(
    counts[1]!.get('SERVFAIL')! > 0 && counts[1]!.size === 1,
    'behind the other it fails, and nothing is lost',
  );
  for (const server of servers) await server.stop(t);
});

/** The p99 of each round, for both. Which of the two is asked first alternates with each sample. */
async function alternate(pair: readonly Sampler[]): Promise<readonly [number[], number[]]> {
  const p99s: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const samples: number[][] = [[], []];
    for (let i = 0; i < SAMPLES; i++) {
      for (const k of i % 2 === 0 ? [0, 1] : [1, 0]) samples[k]!.push(await pair[k]!.one());
      // Lets this process do its other work outside the samples.
      if (i % 4 === 3) await pause(1);
    }
    for (const k of [0, 1] as const) p99s[k].push(percentile(samples[k]!, 0.99));
  }
  return p99s;
}

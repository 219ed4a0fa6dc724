import t, { type Test } from 'tap';
import { Client, queryOctets } from '../server/client.ts';
import { type Namegate, namegate, pause } from '../server/namegate.ts';
import { KINDS } from './large-replies.ts';
import { holdLongest, keptFromRunning, prefer, Sampler, share } from './latency.ts';
import { JOB, policyOf } from './policy.ts';
import { program } from './program.ts';

/** An upstream that answers one identity's questions with 64 KiB that are hard to read, again and again; others wait for it. */

const POLICY = policyOf(JOB, { name: 'hostile', from: ['127.0.0.2'], allow: ['**.large.example'] });

/**
 * Unbounded, such replies kept others waiting for 50 to 350 ms. What counts is the server's own doing: that server or test could run
 * and had no processor is taken off, or a busy machine decides.
 */
const BOUND_MS = 40;
const ROUND_MS = 800;
/** Questions of the hostile identity under way at any time: that many replies may arrive at once. */
const LANES = 8;
const PAUSE_MS = 4;

/** Asks for new names of a kind, `LANES` at a time, for as long as `going` says. Returns how many were answered. */
async function ask(server: Namegate, kind: string, going: () => boolean): Promise<number> {
  let count = 0;
  const lane = async (): Promise<void> => {
    const client = await Client.open(server, 'udp', '127.0.0.2');
    while (going()) {
      await client.exchange(queryOctets(`q.n${String(names++).padStart(6, '0')}.${kind}.large.example`));
      count++;
      await pause(PAUSE_MS);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return count;
}

let names = 0;

/** The longest of a client's waits in a round, in milliseconds, beside replies of a kind. */
async function longest(t: Test, server: Namegate, sampler: Sampler, kind: string): Promise<number> {
  const end = performance.now() + ROUND_MS;
  const going = (): boolean => performance.now() < end;
  const asking = ask(server, kind, going);
  let most = 0;
  while (going()) {
    const before = keptFromRunning(server);
    const waited = await sampler.one();
    most = Math.max(most, waited - (keptFromRunning(server) - before));
  }
  const count = await asking;
  t.ok(count >= LANES, `${count} replies in ${ROUND_MS} ms`);
  return most;
}

t.test(`replies of 64 KiB that are hard to read: nobody else waits longer than ${BOUND_MS} ms`, async (t) => {
  const url = await program(t, 'large-replies-process.ts', []).firstLine();
  const server = await namegate(t, { policy: POLICY, servers: `["${url}"]` });
  prefer(server);
  const sampler = await Sampler.open(t, server, {
    from: '127.0.0.1',
    name: (n) => `n${n % 20}.good.example`,
    gap: 1,
  });
  await sampler.many(300);
  await longest(t, server, sampler, 'small');
  for (const [index, kind] of KINDS.entries()) {
    await holdLongest(t, kind, BOUND_MS, async () => {
      const small = await longest(t, server, sampler, 'small');
      const large = await longest(t, server, sampler, `k${index}`);
      t.comment(
        `${kind}: the longest wait was ${large.toFixed(1)} ms, beside small replies ${small.toFixed(1)} ms`,
      );
      return large;
    });
  }
  share(server);
  await server.stop(t);
});

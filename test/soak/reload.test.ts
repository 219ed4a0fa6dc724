import t from 'tap';
import { MIB, residentOctets } from '../hostile/load.ts';
import { policyOf } from '../server/changes.ts';
import { Client } from '../server/client.ts';
import { namegate, pause, until } from '../server/namegate.ts';
import { minutesFor, patienceFor, settled } from './minutes.ts';

/** Large policies, and many reloads. */

const PATIENCE = patienceFor('reload');
/** Of the reloads that memory is read after: what a reload used is given back a moment later. */
const READ_EVERY = 20;

t.setTimeout(PATIENCE);

const listed = (count: number, tag: string): string =>
  Array.from({ length: count }, (_, i) => `n${i}.${tag}.list.example`).join('\n');

const POLICY = `${policyOf('local.example').replace('    allow:', '    allow:\n      - listed')}
destinations: { listed: { owner: team, reason: listed, names_from: [lists/names.txt] } }
`;

/** Asks for `local.example` again and again until `done`; returns the longest wait, in milliseconds. */
async function slowest(client: Client, done: () => boolean): Promise<number> {
  let longest = 0;
  while (!done()) {
    const from = performance.now();
    const reply = await client.ask('local.example');
    if (reply.rcode !== 'NOERROR') throw new Error(reply.rcode);
    longest = Math.max(longest, performance.now() - from);
    await pause(2);
  }
  return longest;
}

t.test('half a million names are loaded while queries are answered', { timeout: PATIENCE }, async (t) => {
  const server = await namegate(t, { policy: { 'test.yaml': POLICY, 'lists/names.txt': listed(10, 'a') } });
  const client = await Client.open(server, 'udp');
  for (const tag of ['b', 'c', 'd']) {
    const loaded = server.events('policy-loaded').length;
    server.replace('policy/lists/names.txt', listed(500_000, tag));
    const longest = await slowest(client, () => server.events('policy-loaded').length > loaded);
    t.ok(longest < 500, 'nobody waits long', { longest, ms: server.events('policy-loaded').at(-1)?.['ms'] });
    t.equal(
      (await client.ask(`n499999.${tag}.list.example`)).rcode,
      'SERVFAIL',
      'approved, and nobody to ask',
    );
  }
  client.close();
  await server.stop(t);
});

t.test(
  `${minutesFor('reload')} minutes of reloads: memory stays where it was`,
  { timeout: PATIENCE },
  async (t) => {
    const end = performance.now() + minutesFor('reload') * 60_000;
    const server = await namegate(t, { policy: { 'test.yaml': POLICY, 'lists/names.txt': listed(10, 'a') } });
    const client = await Client.open(server, 'udp');
    const held: number[] = [];
    let reloads = 0;
    while (performance.now() < end || held.length < 2) {
      const tag = `r${++reloads}`;
      server.replace('policy/lists/names.txt', listed(20_000, tag));
      if (reloads % 2 === 0) server.kill('SIGHUP');
      await until(async () => (await client.ask(`n19999.${tag}.list.example`)).rcode === 'SERVFAIL');
      if (reloads % READ_EVERY !== 0) continue;
      await pause(2500);
      held.push(Math.round(residentOctets(server.child.pid!) / MIB));
    }
    t.comment(`${reloads} reloads; RSS in MiB: ${held.join(' ')}`);
    t.ok(held.length >= 2, 'each came into force');
    if (settled) t.ok(held.at(-1)! - held[0]! < 40, 'RSS is flat');
    client.close();
    await server.stop(t);
  },
);

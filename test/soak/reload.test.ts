import t from 'tap';
import { policyOf } from '../server/changes.ts';
import { Client } from '../server/client.ts';
import { residentOctets } from '../server/flood.ts';
import { namegate, pause, until } from '../server/namegate.ts';

/** Large policies, and many reloads. */

t.setTimeout(600_000);

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

t.test('half a million names are loaded while queries are answered', async (t) => {
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

t.test('200 reloads: memory stays where it was', async (t) => {
  const server = await namegate(t, { policy: { 'test.yaml': POLICY, 'lists/names.txt': listed(10, 'a') } });
  const client = await Client.open(server, 'udp');
  const held: number[] = [];
  for (let i = 1; i <= 200; i++) {
    server.replace('policy/lists/names.txt', listed(20_000, `r${i}`));
    if (i % 2 === 0) server.kill('SIGHUP');
    await until(async () => (await client.ask(`n19999.r${i}.list.example`)).rcode === 'SERVFAIL');
    if (i % 40 === 0) {
      await pause(2500);
      held.push((residentOctets(server.child.pid!) ?? 0) / 2 ** 20);
    }
  }
  t.ok(held.at(-1)! - held[0]! < 40, 'RSS in MiB', { held: held.map(Math.round) });
  client.close();
  await server.stop(t);
});

import t from 'tap';
import { policyOf } from '../server/changes.ts';
import { ask } from '../server/client.ts';
import { floodTcp, floodUdp, residentOctets } from '../server/flood.ts';
import { namegate } from '../server/namegate.ts';

/** Millions of denied names: memory stays where it was. */

t.setTimeout(600_000);

t.test('4,000,000 random denied names', async (t) => {
  const server = await namegate(t, { policy: policyOf('local.example') });
  await floodTcp(server, 200_000, 1);
  const held: number[] = [];
  for (let round = 0; round < 20; round++) {
    t.equal(await floodTcp(server, 180_000, 2 + 2 * round), 180_000);
    await floodUdp(server, 20_000, 3 + 2 * round);
    held.push((residentOctets(server.child.pid!) ?? 0) / 2 ** 20);
  }
  t.ok(Math.max(...held) - held[0]! < 24, 'RSS in MiB', { held: held.map(Math.round) });
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
  await server.stop(t);
});

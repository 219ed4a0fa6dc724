import t from 'tap';
import { MIB, residentOctets } from '../hostile/load.ts';
import { policyOf } from '../server/changes.ts';
import { ask } from '../server/client.ts';
import { floodTcp, floodUdp } from '../server/flood.ts';
import { namegate } from '../server/namegate.ts';
import { minutesFor, patienceFor, settled } from './minutes.ts';

/** Millions of denied names: memory stays where it was. */

const PATIENCE = patienceFor('flood');
t.setTimeout(PATIENCE);

t.test(`${minutesFor('flood')} minutes of random denied names`, { timeout: PATIENCE }, async (t) => {
  const end = performance.now() + minutesFor('flood') * 60_000;
  const server = await namegate(t, { policy: policyOf('local.example') });
  const pid = server.child.pid!;
  await floodTcp(server, 200_000, 1);
  const held: number[] = [];
  let denied = 0;
  for (let round = 0; performance.now() < end; round++) {
    const answered = await floodTcp(server, 180_000, 2 + 2 * round);
    if (answered !== 180_000) t.fail(`${answered} of 180,000 are answered`);
    denied += answered + (await floodUdp(server, 20_000, 3 + 2 * round));
    held.push(Math.round(residentOctets(pid) / MIB));
  }
  t.comment(
    `${denied} denied names; RSS in MiB: ${held[0]} at first, ${Math.max(...held)} at most, ${held.at(-1)} at last`,
  );
  t.ok(denied > 0, 'all of those over TCP were answered');
  if (settled) t.ok(Math.max(...held) - held[0]! < 24, 'RSS is flat');
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR', 'and what is approved is served');
  await server.stop(t);
});

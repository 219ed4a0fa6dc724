import t from 'tap';
import { QUARANTINE_MS, Rig } from './lease-rig.ts';
import { pause } from './namegate.ts';

/** The quarantine of an address, as its next client sees it. */

t.test('TTL and quarantine go on over a kill', async (t) => {
  const rig = await new Rig(t).start();
  const kept = await rig.open('build', '127.0.0.12', 600);
  const quiet = await rig.open('quiet', '127.0.0.70', 600);
  t.equal(await rig.told('quiet.example', '127.0.0.70'), '192.0.2.2');
  await rig.api('DELETE', `/v1/leases/${quiet}`);
  const freed = performance.now();
  const before = (await rig.api('GET', `/v1/leases/${kept}`)).body['expires'] as string;
  await rig.killAndStart();
  t.equal(await rig.told('fetch.example', '127.0.0.12'), '192.0.2.1');
  const after = (await rig.api('GET', `/v1/leases/${kept}`)).body['expires'] as string;
  t.ok(Math.abs(Date.parse(after) - Date.parse(before)) < 1000, `${before} and ${after}`);
  t.equal(await rig.told('quiet.example', '127.0.0.70'), 'NXDOMAIN', 'in quarantine');
  t.equal(await rig.told('quiet.example', '127.0.0.71'), '192.0.2.2', 'and nobody beside it');
  // Asked seldom: an unknown client's rate is bounded.
  do await pause(250);
  while ((await rig.told('quiet.example', '127.0.0.70')) !== '192.0.2.2');
  t.ok(performance.now() - freed >= QUARANTINE_MS - 500, 'and not before');
  await rig.server.stop(t);
});

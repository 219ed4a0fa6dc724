import { join } from 'node:path';
import t from 'tap';
import { DotClient, told } from '../server/dot.ts';
import { policy, rig, SECRET, VICTIM } from '../server/mutual.ts';
import { patienceFor } from './minutes.ts';

/** How soon a revocation counts, whatever the policy's size. */

const PATIENCE = patienceFor('reload');
const NAMES = 1_000_000;
/** Milliseconds from the new CRL to the end of the open connection. */
const BOUND_MS = 500;

t.setTimeout(PATIENCE);

const LARGE = `${policy(VICTIM).replace('[{ name: steady.example, types: [A], reason: test }]', '[{ name: steady.example, types: [A], reason: test }, listed]')}
destinations: { listed: { owner: team, reason: listed, names_from: [names.txt] } }
`;

t.test('beside a million names an open connection ends when its certificate is revoked', async (t) => {
  const { server, clients, victim, port } = await rig(t);
  server.write('policy/names.txt', Array.from({ length: NAMES }, (_, i) => `n${i}.list.example`).join('\n'));
  server.write('policy/test.yaml', LARGE);
  await server.logged('policy-loaded');
  const waits: number[] = [];
  // It is no matter of luck, but of a machine that does other work.
  for (let number = 2; number < 5 && (waits.length === 0 || Math.min(...waits) > BOUND_MS); number++) {
    const open = new DotClient({ port, as: victim });
    t.equal(told(await open.ask('victim.example')), SECRET);
    const from = performance.now();
    server.replace('clients.crl', clients.crl({ revoked: [victim], number: 2 * number }).pem);
    await open.closed;
    waits.push(performance.now() - from);
    const before = server.events('trust-loaded').length;
    server.replace('clients.crl', clients.crl({ number: 2 * number + 1 }).pem);
    await server.logged('trust-loaded', before + 1);
  }
  t.comment(
    `${waits.map((ms) => ms.toFixed(0)).join(', ')} ms in ${join('policy', 'names.txt')} of ${NAMES} names`,
  );
  t.ok(Math.min(...waits) <= BOUND_MS, `${Math.min(...waits).toFixed(0)} ms`);
  t.equal(server.events('policy-loaded').length, 1, 'and the policy is not compiled for it');
  await server.stop(t);
});

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Authority } from '../identity/authority.ts';
import { DotClient, told } from './dot.ts';
import { policy, rig, SECRET, STEADY } from './mutual.ts';
import { until } from './namegate.ts';

/** Certificates, keys, CAs and CRLs come into force without a load of the policy, whatever else goes on. */

t.test('a CRL, a CA, and a certificate with its key change: the policy is not loaded again', async (t) => {
  const { server, clients, victim, steady, port } = await rig(t);
  const open = new DotClient({ port, as: steady });
  t.teardown(() => open.close());
  t.equal(told(await open.ask('steady.example')), STEADY);
  const revoked = new DotClient({ port, as: victim });
  t.equal(told(await revoked.ask('victim.example')), SECRET);
  server.replace('clients.crl', clients.crl({ revoked: [victim], number: 2 }).pem);
  await revoked.closed;
  await server.logged('trust-loaded', 1);
  const other = new Authority({ name: 'others' });
  server.replace('clients.pem', clients.pem + other.pem);
  await server.logged('trust-loaded', 2);
  const next = new Authority({ name: 'servers' }).issue({ dns: ['dns.example'], eku: ['serverAuth'] });
  server.replace('server.pem', next.pem);
  server.replace('server.key', next.keyPem);
  await until(async () => {
    const again = new DotClient({ port, as: steady });
    const told_ = told(await again.ask('steady.example'));
    const shown = again.socket.getPeerX509Certificate()?.raw;
    again.close();
    return told_ === STEADY && shown?.equals(next.der) === true;
  });
  t.equal(told(await open.ask('steady.example')), STEADY, 'who is not meant goes on');
  // A policy that changes afterwards is loaded, with the trust of now.
  server.write('policy/test.yaml', policy(null));
  await server.logged('policy-loaded');
  t.equal(server.events('policy-loaded').length, 1, 'and nothing was loaded before');
  const again = new DotClient({ port, as: victim });
  t.equal(told(await again.ask('victim.example')), 'closed', 'who was revoked stays so');
  t.same(server.events('fault'), []);
  await server.stop(t);
});

t.test('while the policy is broken, a revocation counts all the same', async (t) => {
  const { server, clients, victim, steady, port } = await rig(t);
  server.write('policy/test.yaml', 'identities: [');
  await server.logged('reload-failed');
  const client = new DotClient({ port, as: victim });
  t.equal(told(await client.ask('victim.example')), SECRET);
  server.replace('clients.crl', clients.crl({ revoked: [victim], number: 2 }).pem);
  await client.closed;
  t.match(await server.ready(), { reload: { problems: [{ at: { file: /test\.yaml$/ } }] } }, 'still told');
  server.write('policy/test.yaml', policy(null));
  await until(async () => (await server.ready()).reload === null);
  const other = new DotClient({ port, as: steady });
  t.teardown(() => other.close());
  t.equal(told(await other.ask('steady.example')), STEADY);
  await server.stop(t);
});

t.test('a file that is gone is a problem where it is named; back again, it counts', async (t) => {
  const { server, clients, victim, port } = await rig(t);
  const client = new DotClient({ port, as: victim });
  t.teardown(() => client.close());
  t.equal(told(await client.ask('victim.example')), SECRET);
  rmSync(join(server.folder, 'clients.crl'));
  await server.logged('reload-failed');
  t.match(await server.ready(), {
    reload: { problems: [{ code: 'file-missing', at: { file: /namegate\.yaml$/ } }] },
  });
  t.equal(told(await client.ask('victim.example')), SECRET, 'the last good one stays');
  server.write('clients.crl', clients.crl({ revoked: [victim], number: 2 }).pem);
  await client.closed;
  await until(async () => (await server.ready()).reload === null);
  await server.stop(t);
});

t.test('one that is refused is tried again on SIGHUP', async (t) => {
  const { server } = await rig(t);
  server.replace('clients.crl', new Authority({ name: 'strangers' }).crl().pem);
  await server.logged('reload-failed', 1);
  t.match(await server.ready(), { reload: { problems: [{ code: 'crl-invalid' }] } });
  server.kill('SIGHUP');
  await server.logged('reload-failed', 2);
  await server.stop(t);
});

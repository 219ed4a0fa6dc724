import { createHash } from 'node:crypto';
import t from 'tap';
import { parsePrefix } from '../../../src/config/addresses.ts';
import type { TokenRights } from '../../../src/settings/settings.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { house, TestClock } from '../house.ts';

/** The address that a lease names for the firewall: who may name it, and which it may be. */

const NAT = { identity: 'build', address: '10.9.0.1', ttl: 60 };

t.test('it is checked, shown and kept', async (t) => {
  const clock = new TestClock();
  const made = await house(t, { clock });
  const bad: readonly [client: unknown, status: number, pointer: string][] = [
    ['10.9.0.0/24', 400, '/client'],
    ['job.example', 400, '/client'],
    ['', 400, '/client'],
    [['10.9.0.2'], 400, '/client'],
    [7, 400, '/client'],
    ['127.0.0.9', 400, '/client'],
    ['::1', 400, '/client'],
    ['0.0.0.0', 400, '/client'],
    ['::', 400, '/client'],
    ['224.0.0.1', 400, '/client'],
    ['255.255.255.255', 400, '/client'],
    ['ff02::1', 400, '/client'],
    ['::ffff:10.9.0.2', 400, '/client'],
    ['10.2.0.1', 409, '/client'],
  ];
  for (const [client, status, pointer] of bad) {
    const reply = await made.ask('POST', '/v1/leases', { ...NAT, client });
    t.equal(reply.status, status, JSON.stringify(client));
    t.match(reply.body, { errors: [{ pointer }] }, JSON.stringify(client));
    t.notMatch(JSON.stringify(reply.body), /steady/, 'it names nobody else');
  }
  t.match(
    await made.ask('POST', '/v1/leases', { identity: 'build', client: '10.9.0.2' }),
    { status: 400, body: { errors: [{ pointer: '/addresses' }] } },
    'it binds nobody',
  );
  const opened = await made.ask('POST', '/v1/leases', { ...NAT, client: '10.1.0.7' });
  t.match(opened, { status: 201, body: { addresses: ['10.9.0.1'], client: '10.1.0.7' } });
  t.match(await made.ask('POST', '/v1/leases', { ...NAT, address: '10.9.0.3', client: '10.1.0.7' }), {
    status: 409,
    body: { errors: [{ pointer: '/client' }] },
  });
  t.match(await made.ask('POST', '/v1/leases', { ...NAT, address: '10.1.0.7' }), {
    status: 409,
    body: { errors: [{ pointer: '/addresses' }] },
  });
  t.match(await made.ask('POST', '/v1/leases', { ...NAT, address: '10.9.0.3', client: '10.9.0.1' }), {
    status: 409,
  });
  t.match((await made.ask('POST', '/v1/leases', { ...NAT, address: '10.9.0.4' })).body, { client: null });

  await made.close();
  const again = await house(t, { folder: made.folder, clock });
  t.match((await again.ask('GET', `/v1/leases/${opened.body['id']}`)).body, { client: '10.1.0.7' });
  t.match(await again.ask('POST', '/v1/leases', { ...NAT, address: '10.1.0.7' }), { status: 409 });
});

t.test('a quarantine keeps it over a restart', async (t) => {
  const clock = new TestClock();
  const made = await house(t, { clock });
  const body = { identity: 'steady', certificate: 'dns:job.example', client: '10.2.0.7', ttl: 60 };
  const { id } = (await made.ask('POST', '/v1/leases', body)).body;
  await made.ask('DELETE', `/v1/leases/${id}`);
  await made.close();
  const again = await house(t, { folder: made.folder, clock });
  const [calm] = again.table.quarantines();
  t.match(calm, { certificate: 'dns:job.example', client: parsePrefix('10.2.0.7') });
});

t.test('who may name it', async (t) => {
  const token = (name: string, parts: Partial<TokenRights>): TokenRights => ({
    name,
    sha256: createHash('sha256').update(`secret-${name}`).digest('hex'),
    rights: ['open'],
    identities: ['build'],
    addresses: [parsePrefix('10.9.0.0/24') as Prefix],
    certificates: [],
    until: 0xffff_ffff,
    ...parts,
  });
  const tokens = [token('opener', {}), token('boss', { rights: ['administer'] })];
  const made = await house(t, { setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens, oidc: [] } });
  const open = async (as: string, address: string, client: string): Promise<number> => {
    const headers = { authorization: `Bearer secret-${as}` };
    return (await made.ask('POST', '/v1/leases', { ...NAT, address, client }, headers)).status;
  };
  t.equal(await open('opener', '10.9.0.1', '10.8.0.1'), 403, 'an address that it may not bind');
  t.equal(await open('opener', '10.9.0.1', '10.2.0.1'), 403, "nor does it learn whose another's is");
  t.equal(await open('opener', '10.9.0.1', '10.9.0.2'), 201);
  t.equal(await open('boss', '10.9.0.3', '10.8.0.1'), 201);
  t.equal(await open('boss', '10.9.0.4', '10.2.0.1'), 409, "not even the administrator names another's");
});

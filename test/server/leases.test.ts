import t from 'tap';
import { Client } from './client.ts';
import { Rig } from './lease-rig.ts';
import { pause, until } from './namegate.ts';

/** Leases as those see them who ask a whole server. */

/** Milliseconds by which two clocks of one machine may differ in a second. */
const CLOCKS = 20;

t.test('a lease ends to the second, and its streams with it, however busy they are', async (t) => {
  const rig = await new Rig(t).start();
  const before = performance.now();
  await rig.open('build', '127.0.0.10', 2);
  const opened = performance.now();
  const stream = await Client.open(rig.server, 'tcp', '127.0.0.10');
  t.teardown(() => stream.close());
  const first = await stream.ask('fetch.example');
  t.equal(first.answer[0]?.data, '192.0.2.1');
  t.ok(first.answer[0]!.ttl <= 2, 'no TTL is longer than what is left');
  // What is asked after the end is denied, however long the answer takes.
  let last = 0;
  let ended = 0;
  while (ended === 0) {
    const asked = performance.now();
    if ((await rig.told('fetch.example', '127.0.0.10')) === 'NXDOMAIN') ended = performance.now();
    else last = asked;
    await pause(5);
  }
  t.ok(ended - before >= 2000, 'not before', { took: ended - before });
  t.ok(2000 + CLOCKS > last - opened, 'to the second', { last: last - opened });
  await until(async () => {
    const told = await stream.ask('fetch.example', {}, 500).then(
      ({ rcode }) => rcode,
      () => 'closed',
    );
    t.not(told, 'NOERROR');
    return told === 'closed';
  });
  t.pass('a stream that goes on asking is closed too');
  await rig.server.stop(t);
});

t.test('who ends a lease ends its streams, and hears what was asked', async (t) => {
  const rig = await new Rig(t).start();
  const id = await rig.open('build', '127.0.0.11', 60);
  const stream = await Client.open(rig.server, 'tcp', '127.0.0.11');
  t.teardown(() => stream.close());
  for (const name of ['fetch.example', 'other.example', 'fetch.example']) await stream.ask(name);
  t.match(await rig.api('DELETE', `/v1/leases/${id}`), {
    status: 200,
    body: { counts: { local: 2, deny: 1 } },
  });
  await t.rejects(stream.ask('fetch.example', {}, 1000));
  t.equal((await rig.api('DELETE', `/v1/leases/${id}`)).status, 404);
  await rig.server.stop(t);
});

t.test('two hundred ask for one address at once: one has it', async (t) => {
  const rig = await new Rig(t).start();
  const body = { identity: 'build', address: '127.0.0.13', ttl: 60 };
  const replies = await Promise.all(Array.from({ length: 200 }, () => rig.api('POST', '/v1/leases', body)));
  const counted = (status: number): number => replies.filter((reply) => reply.status === status).length;
  t.same([counted(201), counted(409)], [1, 199]);
  await rig.server.stop(t);
});

t.test('an exception of the API is in force when it is answered, and not when it is revoked', async (t) => {
  const rig = await new Rig(t).start();
  const wanted = { identity: 'build', name: 'quiet.example', ttl: 600, reason: 'test' };
  t.equal(await rig.told('quiet.example', '127.0.0.50', 'tcp'), 'NXDOMAIN');
  for (let round = 0; round < 3; round++) {
    const added = await rig.api('POST', '/v1/exceptions', wanted);
    t.equal(added.status, 201);
    t.equal(await rig.told('quiet.example', '127.0.0.50', 'tcp'), '192.0.2.2');
    const two = await rig.api('POST', '/v1/exceptions', { ...wanted, name: 'other.example' });
    t.equal(two.status, 201);
    t.equal((await rig.api('DELETE', `/v1/exceptions/${two.body['id']}`)).status, 200);
    t.equal(await rig.told('quiet.example', '127.0.0.50', 'tcp'), '192.0.2.2', 'the other one stays');
    if (round === 1) {
      await rig.killAndStart();
      t.equal(await rig.told('quiet.example', '127.0.0.50', 'tcp'), '192.0.2.2', 'it outlives a kill');
    }
    t.equal((await rig.api('DELETE', `/v1/exceptions/${added.body['id']}`)).status, 200);
    t.equal(await rig.told('quiet.example', '127.0.0.50', 'tcp'), 'NXDOMAIN');
  }
});

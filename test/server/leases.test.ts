import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askAt, type Reply } from '../admin/house.ts';
import { ask, Client } from './client.ts';
import { house, Namegate, pause, until } from './namegate.ts';

/** Leases as those see them who ask a whole server. */

/** Longer than a server needs to start on a busy machine. */
const QUARANTINE_MS = 25_000;

const POLICY = `identities:
  - name: build
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.50] }
    stages:
      fetch: { allow: [{ name: fetch.example, types: [A], reason: test }] }
      seal: { only: [] }
  - name: quiet
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.64/26] }
    quarantine: ${QUARANTINE_MS / 1000}s
    allow: [{ name: quiet.example, types: [A], reason: test }]
records:
  - { name: fetch.example, type: A, data: 192.0.2.1 }
  - { name: quiet.example, type: A, data: 192.0.2.2 }
`;

class Rig {
  readonly #t: Test;
  readonly folder: string;
  server!: Namegate;

  constructor(t: Test) {
    this.#t = t;
    this.folder = house(t, { policy: POLICY, settings: 'admin: unix:admin.sock' });
  }

  async start(): Promise<this> {
    this.server = await new Namegate(this.#t, this.folder).started();
    return this;
  }

  async killAndStart(): Promise<void> {
    this.server.kill('SIGKILL');
    await this.server.ended;
    await this.start();
  }

  api(method: string, path: string, body?: unknown): Promise<Reply> {
    return askAt(`unix:${join(this.folder, 'admin.sock')}`, method, path, body);
  }

  async open(identity: string, address: string, ttl: number): Promise<string> {
    const { status, body } = await this.api('POST', '/v1/leases', { identity, address, ttl });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body['id'] as string;
  }

  /** The data of the answer, or its RCODE. */
  async told(name: string, from: string, over: 'udp' | 'tcp' = 'udp'): Promise<string> {
    const reply = await ask(this.server, name, { from, over });
    return reply.answer[0]?.data ?? reply.rcode;
  }
}

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

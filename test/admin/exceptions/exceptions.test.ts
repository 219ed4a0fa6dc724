import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type House, house } from '../house.ts';

const GOOD = {
  identity: 'build',
  name: '*.vendor.example',
  types: ['TXT'],
  ttl: 3600,
  reason: 'CHG-1182: migration',
};

async function verdict(made: House, name: string, type = 'TXT', stage = 'compile'): Promise<unknown> {
  const reply = await made.ask('GET', `/v1/explain?identity=build&stage=${stage}&name=${name}&type=${type}`);
  return reply.body['verdict'];
}

t.test('an exception is in force when it is answered, at every stage, and ends by itself', async (t) => {
  const made = await house(t);
  t.equal(await verdict(made, 'a.vendor.example'), 'deny');
  const added = await made.ask('POST', '/v1/exceptions', GOOD);
  t.match(added, {
    status: 201,
    body: {
      id: /^ex-/,
      identity: 'build',
      name: '*.vendor.example',
      types: ['TXT'],
      expires: '2026-11-20T01:00:00.000Z',
      reason: 'CHG-1182: migration',
      approved_by: 'admin-socket',
    },
  });
  for (const stage of ['fetch', 'compile', 'release'])
    t.equal(await verdict(made, 'a.vendor.example', 'TXT', stage), 'allow');
  t.equal(await verdict(made, 'a.vendor.example', 'A'), 'empty');
  const explained = await made.ask('GET', '/v1/explain?identity=build&name=a.vendor.example&type=TXT');
  t.match(explained.body, {
    rule: {
      pattern: '*.vendor.example',
      reason: 'CHG-1182: migration',
      until: '2026-11-20T01:00:00Z',
      owner: 'team-build',
    },
    text: /CHG-1182/,
  });
  made.clock.pass(3600);
  t.equal(await verdict(made, 'a.vendor.example'), 'deny', 'without a reload');
  t.same((await made.ask('GET', '/v1/exceptions')).body['exceptions'], []);
});

t.test('it is revoked at once', async (t) => {
  const made = await house(t);
  const { body } = await made.ask('POST', '/v1/exceptions', GOOD);
  const path = `/v1/exceptions/${body['id']}`;
  t.match(await made.ask('DELETE', path), { status: 200, body: { id: body['id'], revoked: String } });
  t.equal(await verdict(made, 'a.vendor.example'), 'deny');
  t.equal((await made.ask('DELETE', path)).status, 404);
});

t.test(
  'for a day whoever asks is told when it ended or was revoked, over reloads and restarts',
  async (t) => {
    const folder = t.testdir({});
    const made = await house(t, { folder });
    const ran = await made.ask('POST', '/v1/exceptions', GOOD);
    const cut = await made.ask('POST', '/v1/exceptions', { ...GOOD, name: 'cut.example', ttl: 7200 });
    made.clock.pass(600);
    t.equal((await made.ask('DELETE', `/v1/exceptions/${cut.body['id']}`)).status, 200);
    made.clock.pass(3001);
    const reasons = async (of: House): Promise<unknown[]> => {
      const names = ['a.vendor.example', 'cut.example'];
      const query = (name: string) => `/v1/explain?identity=build&stage=compile&name=${name}&type=TXT`;
      return Promise.all(names.map(async (name) => (await of.ask('GET', query(name))).body['reason']));
    };
    const told = [
      `rule *.vendor.example (exception ${ran.body['id']}:1) ended at 2026-11-20T01:00:00Z`,
      `rule cut.example (exception ${cut.body['id']}:1) ended at 2026-11-20T00:10:00Z`,
    ];
    for (const round of ['at once', 'after a reload']) {
      t.same(await reasons(made), told, round);
      const { snapshot, problems } = made.compile();
      t.same(problems, [], 'there is nothing to be mended');
      made.swap(snapshot!);
    }
    const listed = async (query: string): Promise<unknown[]> => {
      const { exceptions } = (await made.ask('GET', `/v1/exceptions${query}`)).body;
      return (exceptions as { id: string }[]).map(({ id }) => id);
    };
    t.same(await listed(''), []);
    t.same(await listed('?ended=true'), [ran.body['id'], cut.body['id']]);
    t.match((await made.ask('GET', '/v1/health')).body, { exceptions: 0 });
    t.equal((await made.ask('DELETE', `/v1/exceptions/${ran.body['id']}`)).status, 404);
    await made.close();
    // What the policy would not take as an exception any more keeps nothing out once it has ended.
    const records = 'records: [{ name: cut.example, type: A, data: 192.0.2.1 }]\n';
    const again = await house(t, { folder, clock: made.clock, policy: `${made.policy}${records}` });
    t.equal((await reasons(again))[0], told[0], 'after a restart');
    t.equal(again.log.count('exception-ended'), 0, 'which the log does not tell again');
    again.clock.pass(86_400);
    again.swap(again.compile().snapshot!);
    t.notMatch((await reasons(again))[0], /ended at/, 'a day later it is forgotten');
  },
);

t.test('what is malformed, or does not go with the policy, changes nothing', async (t) => {
  const made = await house(t);
  const before = made.snapshot;
  const cases: [object, string][] = [
    [{ reason: undefined }, '/reason'],
    [{ reason: '' }, '/reason'],
    [{ reason: '  \t ' }, '/reason'],
    [{ reason: 'a\u202eb' }, '/reason'],
    [{ reason: 'x'.repeat(501) }, '/reason'],
    [{ ttl: undefined }, '/ttl'],
    [{ ttl: 0 }, '/ttl'],
    [{ ttl: 7 * 86_400 + 1 }, '/ttl'],
    [{ identity: 'nobody' }, '/identity'],
    [{ name: 'api-*.example' }, '/name'],
    [{ name: 'https://a.example/' }, '/name'],
    [{ name: '*.com' }, '/name'],
    [{ name: '*' }, '/name'],
    [{ name: '**.github.io' }, '/name'],
    [{ name: 'resolver.arpa' }, '/name'],
    [{ types: ['NOPE'] }, '/types'],
    [{ types: ['ANY'] }, '/types'],
    [{ types: [] }, '/types'],
    [{ until: '2027-01-01' }, '/until'],
  ];
  for (const [change, pointer] of cases) {
    const reply = await made.ask('POST', '/v1/exceptions', { ...GOOD, ...change });
    t.equal(reply.status, 400, JSON.stringify(change));
    const errors = (reply.body['errors'] ?? []) as { pointer: string; detail: string }[];
    t.ok(
      errors.some((error) => error.pointer === pointer),
      `${JSON.stringify(change)}: ${JSON.stringify(errors)}`,
    );
  }
  t.same((await made.ask('GET', '/v1/exceptions')).body['exceptions'], []);
  t.equal(made.snapshot.views.length, before.views.length);
});

t.test(
  'while the policy files have problems nothing comes into force, and a revocation says so',
  async (t) => {
    const made = await house(t);
    const { body } = await made.ask('POST', '/v1/exceptions', GOOD);
    const good = made.policy;
    made.policy = `${good}x: 1\n`;
    t.match(await made.ask('POST', '/v1/exceptions', { ...GOOD, name: 'b.example' }), {
      status: 503,
      body: { type: /policy-broken/, detail: /policy.yaml:\d+/ },
    });
    t.match(await made.ask('DELETE', `/v1/exceptions/${body['id']}`), {
      status: 503,
      body: { detail: /revoked/ },
    });
    made.policy = good;
    made.swap(made.compile().snapshot!);
    t.equal(await verdict(made, 'a.vendor.example'), 'deny', 'it is gone with the next good load');
    t.equal((await made.ask('POST', '/v1/exceptions', { ...GOOD, name: 'b.example' })).status, 201);
  },
);

t.test('many at once are compiled one after another', async (t) => {
  const made = await house(t);
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      made.ask('POST', '/v1/exceptions', { ...GOOD, name: i % 2 ? `n${i}.example` : '*.com' }),
    ),
  );
  t.same(
    replies.map(({ status }) => status),
    [400, 201, 400, 201, 400, 201, 400, 201],
  );
  for (const i of [1, 3, 5, 7]) t.equal(await verdict(made, `n${i}.example`), 'allow');
});

t.test('one that the policy does not take any more after a restart keeps nothing else out', async (t) => {
  const folder = t.testdir({});
  const first = await house(t, { folder });
  await first.ask('POST', '/v1/exceptions', GOOD);
  await first.ask('POST', '/v1/exceptions', { ...GOOD, name: 'kept.example' });
  await first.close();
  const records = 'records: [{ name: always.example, type: A, data: 192.0.2.1 }]\n';
  const second = await house(t, { folder, clock: first.clock, policy: `${first.policy}${records}` });
  t.equal(await verdict(second, 'kept.example'), 'allow');
  await second.close();
  const gone = first.policy.replace('name: build', 'name: renamed');
  const third = await house(t, { folder, clock: first.clock, policy: gone });
  t.ok(Array.isArray((await third.ask('GET', '/v1/exceptions')).body['exceptions']));
  t.equal((await third.ask('GET', '/v1/identities/renamed')).status, 200);
});

t.test('what cannot be written is not in force', async (t) => {
  const folder = t.testdir({});
  const made = await house(t, { folder, setting: { kind: 'unix', path: join(folder, 'a.sock') } });
  const { body } = await made.ask('POST', '/v1/exceptions', GOOD);
  rmSync(join(folder, 'state'), { recursive: true });
  t.equal((await made.ask('POST', '/v1/exceptions', { ...GOOD, name: 'b.example' })).status, 507);
  t.equal(await verdict(made, 'b.example'), 'deny');
  t.equal((await made.ask('DELETE', `/v1/exceptions/${body['id']}`)).status, 507);
  t.equal(await verdict(made, 'a.vendor.example'), 'deny', 'a revocation is in force at once');
});

t.test('one that cannot be written down was never in force, and the log and /ready say so', async (t) => {
  const folder = t.testdir({});
  const made = await house(t, { folder, setting: { kind: 'unix', path: join(folder, 'admin.sock') } });
  const before = made.snapshot;
  let swaps = 0;
  const { swap } = made;
  made.swap = (snapshot) => {
    swaps++;
    swap.call(made, snapshot);
  };
  rmSync(join(folder, 'state'), { recursive: true });
  t.match(await made.ask('POST', '/v1/exceptions', GOOD), { status: 507 });
  t.equal(swaps, 0);
  t.equal(made.snapshot, before);
  t.match(made.troubles, [/the journal cannot be written.*ENOENT/]);
  t.equal(
    made.log.lines.filter(({ event, level }) => event === 'journal-trouble' && level === 'error').length,
    1,
  );
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  t.match(await made.ask('POST', '/v1/exceptions', GOOD), { status: 201 });
  t.equal(made.troubles.at(-1), null, 'and that it is well again');
});

t.test('one that the policy does not take is not there after a restart', async (t) => {
  const folder = t.testdir({});
  const first = await house(t, { folder });
  t.match(await first.ask('POST', '/v1/exceptions', { ...GOOD, types: ['NOTYPE'] }), { status: 400 });
  t.same((await first.ask('GET', '/v1/exceptions')).body['exceptions'], []);
  await first.close();
  const second = await house(t, { folder });
  t.same(second.admin.exceptions, []);
  t.equal(second.log.count('exception-ended'), 0);
});

t.test('who approves it is named beside who asked', async (t) => {
  const made = await house(t);
  t.match(await made.ask('POST', '/v1/exceptions', { ...GOOD, approved_by: ' sec  oncall ' }), {
    status: 201,
    body: { approved_by: 'sec oncall (by admin-socket)' },
  });
  for (const approved_by of ['', ' ', 'a\u202eb', 'a\u0000b', 'x'.repeat(101), 7]) {
    const reply = await made.ask('POST', '/v1/exceptions', { ...GOOD, approved_by });
    t.equal(reply.status, 400, JSON.stringify(approved_by));
  }
});

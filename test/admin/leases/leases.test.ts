import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ipAddress } from '../../../src/wire/ip-address.ts';
import { house } from '../house.ts';

t.test('a lease is opened, seen, advanced, renewed and ended', async (t) => {
  const { ask, clock, table, ended, folder } = bind(await house(t));
  const opened = await ask('POST', '/v1/leases', {
    address: '10.9.0.1',
    identity: 'build',
    stage: 'fetch',
    ttl: 60,
    job: { run_id: '77', attempt: 1 },
  });
  t.equal(opened.status, 201);
  const id = opened.body['id'] as string;
  t.equal(opened.headers['location'], `/v1/leases/${id}`);
  t.match(opened.body, {
    identity: 'build',
    stage: 'fetch',
    addresses: ['10.9.0.1'],
    certificate: null,
    job: { run_id: '77', attempt: '1' },
    opened: '2026-11-20T00:00:00.000Z',
    expires: '2026-11-20T00:01:00.000Z',
    opened_by: 'admin-socket',
    in_force: true,
  });
  t.match(table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), clock.mono), {
    identity: 'build',
    stage: 'fetch',
    lease: id,
  });
  clock.pass(10);
  const moved = await ask('PATCH', `/v1/leases/${id}`, { stage: 'release' });
  t.equal(moved.status, 200);
  t.match(moved.body, { stage: 'release', expires: '2026-11-20T00:01:00.000Z' });
  const back = await ask('PATCH', `/v1/leases/${id}`, { stage: 'compile', ttl: 100 });
  t.equal(back.status, 409);
  t.match(back.body, { type: 'urn:namegate:problem:stage-back', status: 409 });
  t.equal(back.headers['content-type'], 'application/problem+json');
  const renewed = await ask('PATCH', `/v1/leases/${id}`, { ttl: 120 });
  t.match(renewed.body, { stage: 'release', expires: '2026-11-20T00:02:10.000Z' });
  const shown = await ask('GET', `/v1/leases/${id}`);
  t.match(shown.body, { id, counts: { deny: 0 }, without_tcp: [`${0x0a090001}/32`] });
  const gone = await ask('DELETE', `/v1/leases/${id}`);
  t.equal(gone.status, 200);
  t.match(gone.body, { id, ended: '2026-11-20T00:00:10.000Z', counts: { allow: id.length } });
  t.same(ended, [id]);
  t.equal(table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), clock.mono), null);
  t.equal((await ask('DELETE', `/v1/leases/${id}`)).status, 404);
  t.equal((await ask('GET', `/v1/leases/${id}`)).status, 404);
  t.equal((await ask('PATCH', `/v1/leases/${id}`, { ttl: 1 })).status, 404);
  const mode = (path: string): number => statSync(join(folder, 'state', path)).mode & 0o777;
  t.same(['admin.sock', 'leases.journal', 'lock', '.'].map(mode), [0o600, 0o600, 0o600, 0o700]);
});

function bind(made: Awaited<ReturnType<typeof house>>) {
  const { clock, table, ended, folder, log } = made;
  return { ask: made.ask.bind(made), clock, table, ended, folder, log, made };
}

t.test('what is malformed is refused with a pointer to it', async (t) => {
  const { ask, table } = bind(await house(t));
  const good = { address: '10.9.0.1', identity: 'build' };
  const cases: [unknown, string | null, string?][] = [
    [{ ...good, wrong: 1 }, '/wrong'],
    [{ ...good, 'a/b~c': 1 }, '/a~1b~0c'],
    [{ address: '10.9.0.1' }, '/identity'],
    [{ ...good, identity: 'nobody' }, '/identity'],
    [{ ...good, identity: 'unknown' }, '/identity'],
    [{ ...good, identity: 7 }, '/identity'],
    [{ ...good, stage: 'never' }, '/stage'],
    [{ ...good, ttl: 0 }, '/ttl'],
    [{ ...good, ttl: -1 }, '/ttl'],
    [{ ...good, ttl: 1.5 }, '/ttl'],
    [{ ...good, ttl: '60' }, '/ttl'],
    [{ ...good, ttl: 3601 }, '/ttl'],
    [{ ...good, ttl: 1e300 }, '/ttl'],
    [{ ...good, address: '10.9.0.0/16' }, '/address'],
    [{ ...good, address: '010.9.0.1' }, '/address'],
    [{ ...good, address: '::ffff:10.9.0.1' }, '/address'],
    [{ ...good, address: 'fe80::1%eth0' }, '/address'],
    [{ ...good, address: ['10.9.0.1'] }, '/address'],
    [{ ...good, addresses: ['10.9.0.2'] }, '/address'],
    [{ identity: 'build' }, '/addresses'],
    [{ identity: 'build', addresses: [] }, '/addresses'],
    [{ identity: 'build', addresses: ['10.9.0.0/16', '10.9.0.1/16'] }, '/addresses/1'],
    [{ identity: 'build', addresses: ['10.9.0.0/33'] }, '/addresses/0'],
    [{ identity: 'build', addresses: Array.from({ length: 65 }, (_, i) => `10.9.0.${i}`) }, '/addresses'],
    [{ identity: 'build', certificate: 'CN=me' }, '/certificate'],
    [{ identity: 'build', certificate: 'spiffe://ci.example/*' }, '/certificate'],
    [{ identity: 'proven', address: '10.9.0.1' }, '/certificate'],
    [{ ...good, job: { 'bad key': 'x' } }, '/job/bad key'],
    [{ ...good, job: { a: { b: 1 } } }, '/job/a'],
    [{ ...good, job: [] }, '/job'],
    ['[]', ''],
    ['"text"', ''],
    ['null', ''],
    ['{', null],
    ['', null],
    ['{"identity":"build","address":"10.9.0.1","__proto__":{"ttl":1}}', null],
    ['{"identity":"build","address":"10.9.0.1","constructor":{"prototype":{}}}', null],
    ['{"identity":"build","address":"10.9.0.1","identity":"steady"}', null],
    ['{"identity":"build","address":"10.9.0.1","\\u0069dentity":"steady"}', null],
    ['{"identity":"build","address":"10.9.0.1","job":{"a":"{\\"","b":"1","a":"2"}}', null],
    [`${'['.repeat(8000)}${']'.repeat(8000)}`, ''],
  ];
  for (const [body, pointer] of cases) {
    const reply = await ask('POST', '/v1/leases', body);
    t.equal(reply.status, 400, JSON.stringify(body));
    t.match(reply.headers['content-type'], 'application/problem+json');
    t.match(reply.body, { type: 'urn:namegate:problem:malformed', title: String, status: 400, detail: /./ });
    const pointers = ((reply.body['errors'] ?? []) as { pointer: string }[]).map((error) => error.pointer);
    if (pointer !== null) t.ok(pointers.includes(pointer), `${JSON.stringify(body)}: ${pointers}`);
  }
  t.equal(table.size, 0);
  const quoted =
    '{"identity":"build","address":"10.9.0.1","job":{"identity":"{\\"a\\":1,\\"a\\":2}","address":"["}}';
  t.equal(
    (await ask('POST', '/v1/leases', quoted)).status,
    201,
    'names in another object, and in texts, are others',
  );
});

t.test('what is no request for JSON is refused', async (t) => {
  const { ask } = bind(await house(t));
  const large = JSON.stringify({ identity: 'build', address: '10.9.0.1', job: { a: 'x'.repeat(17_000) } });
  t.match(await ask('POST', '/v1/leases', large), { status: 413, body: { status: 413 } });
  t.match(await ask('POST', '/v1/leases', 'identity=build', { 'content-type': 'text/plain' }), {
    status: 415,
  });
  t.match(await ask('POST', '/v1/leases', 'x', { 'content-type': 'application/x-www-form-urlencoded' }), {
    status: 415,
  });
  t.match(await ask('GET', '/v1/leases', undefined, { 'x-large': 'x'.repeat(17_000) }), { status: 431 });
  t.match(await ask('GET', '/v1/nothing'), { status: 404, body: { type: 'urn:namegate:problem:not-found' } });
  t.match(await ask('GET', '/'), { status: 404 });
  t.match(await ask('PUT', '/v1/leases', {}), { status: 405 });
  t.match(await ask('DELETE', '/v1/leases'), { status: 405 });
  t.match(await ask('POST', '/v1/leases/le-1', {}), { status: 405 });
  t.match(await ask('GET', '/v1/leases/%zz'), { status: 400 });
  t.match(await ask('GET', `/v1/leases/${'x'.repeat(500)}`), { status: /400|404|414/ });
  t.match(await ask('GET', '/v1/leases/a%2Fb'), { status: 400 });
  t.match(await ask('GET', '/v1/leases?limit=0'), { status: 400, body: { errors: [{ pointer: '#limit' }] } });
  t.match(await ask('GET', '/v1/leases?limit=1&limit=2'), { status: 400 });
  t.match(await ask('GET', '/v1/leases?color=red'), {
    status: 400,
    body: { errors: [{ pointer: '#color' }] },
  });
  t.match(await ask('PATCH', '/v1/leases/le-1', {}), { status: 400 });
  const opened = await ask('POST', '/v1/leases', { identity: 'build', address: '10.9.0.1' });
  t.equal(opened.status, 201);
  const id = opened.body['id'];
  for (const body of [
    { stage: null },
    { ttl: 0 },
    { ttl: 3601 },
    { stage: 'no' },
    { stage: 'fetch', id: 'x' },
  ]) {
    t.match(await ask('PATCH', `/v1/leases/${id}`, body), { status: 400 }, JSON.stringify(body));
  }
});

t.test('two callers race for one address: one gets it', async (t) => {
  const { ask, table } = bind(await house(t));
  for (let round = 0; round < 5; round++) {
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        ask('POST', '/v1/leases', {
          identity: i % 2 ? 'build' : 'steady',
          addresses: [i % 3 ? `10.9.${round}.0/24` : `10.9.${round}.7`],
        }),
      ),
    );
    const codes = replies.map(({ status }) => status);
    t.equal(codes.filter((code) => code === 201).length, 1);
    t.equal(codes.filter((code) => code === 409).length, 11);
  }
  t.equal(table.size, 5);
});

t.test('leases share a certificate only with disjoint addresses', async (t) => {
  const { ask } = bind(await house(t));
  const certificate = 'spiffe://ci.example/runner';
  const open = async (body: object): Promise<number> =>
    (await ask('POST', '/v1/leases', { identity: 'build', ...body })).status;
  t.equal(await open({ certificate, address: '10.9.0.1' }), 201);
  t.equal(await open({ certificate, address: '10.9.0.2' }), 201);
  t.equal(await open({ certificate, addresses: ['10.9.0.0/24'] }), 409);
  t.equal(await open({ certificate }), 409);
  t.equal(await open({ address: '10.9.0.2' }), 409);
  t.equal(await open({ certificate: 'dns:a.example' }), 201);
  t.equal(
    await open({ certificate: 'dns:A.example.', address: '10.9.0.3' }),
    409,
    'in whatever form it is written',
  );
});

t.test('a lease ends to the second, and is told', async (t) => {
  const { ask, clock, table, ended, log } = bind(await house(t));
  const { body } = await ask('POST', '/v1/leases', { identity: 'steady', address: '10.9.0.1', ttl: 5 });
  clock.pass(4.999);
  t.equal((await ask('GET', `/v1/leases/${body['id']}`)).status, 200);
  clock.pass(0.001);
  t.match(
    table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), clock.mono),
    { identity: 'unknown', lease: '' },
    'quarantine',
  );
  t.equal((await ask('GET', `/v1/leases/${body['id']}`)).status, 404);
  t.equal((await ask('PATCH', `/v1/leases/${body['id']}`, { ttl: 5 })).status, 404);
  t.equal((await ask('DELETE', `/v1/leases/${body['id']}`)).status, 404);
  t.equal(
    (await ask('POST', '/v1/leases', { identity: 'steady', address: '10.9.0.1' })).status,
    201,
    'a new lease comes before quarantine',
  );
  t.same(ended, [body['id']]);
  t.equal(log.count('lease-ended'), 1);
});

t.test('a list comes in pages', async (t) => {
  const { ask } = bind(await house(t));
  const ids: unknown[] = [];
  for (let i = 0; i < 7; i++) {
    const identity = i % 2 ? 'build' : 'steady';
    ids.push((await ask('POST', '/v1/leases', { identity, address: `10.9.0.${i}` })).body['id']);
  }
  const seen: unknown[] = [];
  let after = '';
  for (let pages = 0; pages < 4; pages++) {
    const { body } = await ask('GET', `/v1/leases?limit=3${after}`);
    seen.push(...(body['leases'] as { id: string }[]).map(({ id }) => id));
    if (body['next'] === null) break;
    after = `&after=${body['next']}`;
  }
  t.same([...seen].sort(), [...ids].sort());
  const some = await ask('GET', '/v1/leases?identity=build');
  t.equal((some.body['leases'] as unknown[]).length, 3);
});

t.test('what a reload takes away binds to unknown, and comes back with it', async (t) => {
  const { ask, clock, table, log, made } = bind(await house(t));
  const { body } = await ask('POST', '/v1/leases', {
    identity: 'build',
    address: '10.9.0.1',
    stage: 'release',
  });
  const whole = made.policy;
  made.policy = whole.replace('      release: { allow: [{ name: release.example, reason: test }] }\n', '');
  made.swap(made.compile().snapshot!);
  const bound = (): unknown => table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), clock.mono);
  t.match(bound(), { identity: 'unknown', lease: body['id'] });
  t.match((await ask('GET', `/v1/leases/${body['id']}`)).body, { in_force: false, identity: 'build' });
  t.equal((await ask('PATCH', `/v1/leases/${body['id']}`, { stage: 'compile' })).status, 409);
  t.equal(log.count('lease-unknown'), 1);
  made.policy = whole;
  made.swap(made.compile().snapshot!);
  t.match(bound(), { identity: 'build', stage: 'release' });
  t.equal(log.count('lease-unknown'), 2);
});

t.test('the API describes itself', async (t) => {
  const { ask } = bind(await house(t));
  const { status, body } = await ask('GET', '/openapi.json');
  t.equal(status, 200);
  t.match(body, {
    openapi: /^3\./,
    paths: { '/v1/leases': { post: {}, get: {} }, '/v1/leases/{id}': { patch: {} } },
  });
  t.same(Object.keys(body['paths'] as object).sort(), [
    '/v1/alerts',
    '/v1/alerts/dead',
    '/v1/alerts/replay',
    '/v1/alerts/test',
    '/v1/exceptions',
    '/v1/exceptions/{id}',
    '/v1/explain',
    '/v1/findings',
    '/v1/grants',
    '/v1/health',
    '/v1/history',
    '/v1/identities',
    '/v1/identities/{name}',
    '/v1/leases',
    '/v1/leases/{id}',
    '/v1/leases/{id}/report',
    '/v1/ledger',
    '/v1/ledger/reset',
    '/v1/report',
    '/v1/tail',
    '/v1/top',
  ]);
  t.match(await ask('GET', '/v1/health'), { status: 200, body: { healthy: true, leases: 0, ready: true } });
});

t.test('identities and explanations', async (t) => {
  const made = await house(t);
  const { ask } = bind(made);
  const all = await ask('GET', '/v1/identities');
  t.same(
    (all.body['identities'] as { name: string }[]).map(({ name }) => name),
    ['build', 'steady', 'proven'],
  );
  t.match((await ask('GET', '/v1/identities/build')).body, {
    owner: 'team-build',
    max_lease: 3600,
    stages: ['fetch', 'compile', 'release'],
    review_overdue: false,
  });
  t.equal((await ask('GET', '/v1/identities/none')).status, 404);
  const { body } = await ask('POST', '/v1/leases', {
    identity: 'build',
    address: '10.9.0.1',
    stage: 'release',
  });
  const explain = async (query: string): Promise<unknown> => {
    const reply = await ask('GET', `/v1/explain?${query}`);
    return reply.status === 200 ? reply.body['verdict'] : reply.status;
  };
  t.equal(await explain('identity=build&name=always.example'), 'allow');
  t.equal(await explain('identity=build&name=release.example'), 'deny');
  t.equal(await explain('identity=build&stage=release&name=Release.Example.&type=AAAA'), 'allow');
  t.equal(await explain(`lease=${body['id']}&name=release.example`), 'allow');
  t.same(made.explained, [null, null, null, body['id']], 'the ledger is asked about the lease');
  t.equal(await explain('lease=le-1&name=release.example'), 404);
  t.equal(await explain('identity=build&name=a..b'), 400);
  t.equal(await explain('identity=build&name=a.example&type=NOPE'), 400);
  t.equal(await explain('name=a.example'), 400);
  t.equal(await explain('identity=build&stage=no&name=a.example'), 400);
});

t.test('two callers race for the stage of one lease: it never goes back', async (t) => {
  const { ask } = bind(await house(t));
  for (let round = 0; round < 5; round++) {
    const { body } = await ask('POST', '/v1/leases', { identity: 'build', address: `10.9.0.${round}` });
    const path = `/v1/leases/${body['id']}`;
    const stages = ['compile', 'release', 'compile', 'release', 'fetch'];
    const replies = await Promise.all(stages.map((stage) => ask('PATCH', path, { stage })));
    t.ok(replies.every(({ status }) => status === 200 || status === 409));
    t.match((await ask('GET', path)).body, { stage: 'release' });
    const ends = await Promise.all([1, 2, 3, 4].map(() => ask('DELETE', path)));
    t.same(ends.map(({ status }) => status).sort(), [200, 404, 404, 404]);
  }
});

t.test('three hundred callers at once are all answered', async (t) => {
  const { ask, table } = bind(await house(t));
  const replies = await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      ask('POST', '/v1/leases', { identity: 'build', address: `10.9.${i >> 8}.${i & 255}` }),
    ),
  );
  t.ok(replies.every(({ status }) => status === 201));
  t.equal(table.size, 300);
});

t.test('faults are told in words for people', async (t) => {
  const { ask } = bind(await house(t));
  const good = { address: '10.9.0.1', identity: 'build' };
  const cases: [unknown, string][] = [
    ['[]', 'the body must be a map'],
    ['', 'the body is empty: write JSON'],
    ['{', 'the body is not valid JSON'],
    ['{"identity":"build","address":"10.9.0.1","__proto__":{}}', '"__proto__" is no name that is taken here'],
    [
      '{"identity":"build","address":"10.9.0.1","job":{"__proto__":"x"}}',
      '"__proto__" is no name that is taken here',
    ],
    ['{"identity":"build","identity":"build"}', '"identity" is written twice'],
    [{ ...good, job: [] }, '/job must be a map or null'],
    [{ ...good, ttl: '1h' }, '/ttl must be a whole number'],
    [{ ...good, ttl: 0 }, '/ttl must be at least 1'],
    [{ ...good, ttl: 3601 }, 'leases of build last at most 1h (3600 seconds)'],
    [{ ...good, extra: 1 }, '/extra is not known here'],
    [{ address: '10.9.0.1' }, '/identity is missing'],
  ];
  for (const [body, detail] of cases) {
    t.equal((await ask('POST', '/v1/leases', body)).body['detail'], detail);
  }
  t.match((await ask('GET', '/v1/leases/a%2Fb')).body['detail'], /#id is no id/);
  t.match(
    (await ask('GET', '/v1/leases?limit=0')).body['detail'],
    /#limit must be a whole number from 1 to 1000/,
  );
  t.equal(
    (await ask('PATCH', '/v1/leases/le-1', {})).body['detail'],
    'the body must not be empty: write what is to change',
  );
});

t.test('a DELETE may say that it has JSON, and have none', async (t) => {
  const { ask } = bind(await house(t));
  const { body } = await ask('POST', '/v1/leases', { address: '10.9.0.1', identity: 'build' });
  const json = { 'content-type': 'application/json' };
  t.equal((await ask('DELETE', `/v1/leases/${body['id']}`, undefined, json)).status, 200);
});

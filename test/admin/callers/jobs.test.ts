import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { OidcSetting } from '../../../src/settings/settings.ts';
import { type House, house, POLICY, type Reply, TestClock } from '../house.ts';

const ISSUER = 'https://ci.example';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function jwk(key: KeyObject, kid: string, alg: string): object {
  return { ...key.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

const JWKS = JSON.stringify({
  keys: [jwk(rsa.publicKey, 'one', 'RS256'), jwk(ec.publicKey, 'two', 'ES256')],
});
const NOW = new TestClock().epoch();

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token as GitHub makes them. */
function token(claims: object = {}, head: object = {}, key: KeyObject = rsa.privateKey): string {
  const header = { alg: 'RS256', typ: 'JWT', kid: 'one', ...head };
  const payload = {
    iss: ISSUER,
    aud: 'namegate',
    iat: NOW - 5,
    nbf: NOW - 5,
    exp: NOW + 300,
    jti: `jti-${Math.random()}`,
    repository: 'example/app',
    repository_id: '42',
    run_id: '1',
    run_attempt: '1',
    check_run_id: '100',
    ...claims,
  };
  const signed = `${part(header)}.${part(payload)}`;
  const dsa = header.alg.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' as const } : key;
  return `${signed}.${sign('sha256', Buffer.from(signed), dsa).toString('base64url')}`;
}

async function start(
  t: Test,
  jwks: OidcSetting['jwks'] = { file: { path: 'jwks.json', text: JWKS } },
): Promise<{
  made: House;
  ask: (jwt: string, method: string, path: string, body?: unknown) => Promise<Reply>;
}> {
  const oidc = [{ issuer: ISSUER, audience: 'namegate', jwks }];
  const made = await house(t, { setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens: [], oidc } });
  return { made, ask: asker(made) };
}

function asker(made: House) {
  return (jwt: string, method: string, path: string, body?: unknown): Promise<Reply> =>
    made.ask(method, path, body, { authorization: `Bearer ${jwt}` });
}

t.test('a job opens a lease for the address that it calls from, at the first stage, once', async (t) => {
  const { made, ask } = await start(t);
  const mine = token();
  const open = async (jwt: string, body: object): Promise<number> =>
    (await ask(jwt, 'POST', '/v1/leases', { identity: 'build', ...body })).status;
  t.equal(await open(mine, { address: '10.9.0.1' }), 403, 'elsewhere');
  t.equal(await open(mine, { addresses: ['127.0.0.0/8'] }), 403, 'and for others too');
  t.equal(await open(mine, { addresses: ['127.0.0.1', '127.0.0.2'] }), 403);
  t.equal(await open(mine, { address: '127.0.0.1', stage: 'compile' }), 403, 'at a later stage');
  t.equal(
    await open(mine, { address: '127.0.0.1', certificate: 'dns:x.example' }),
    403,
    'with a certificate that it does not show',
  );
  t.equal(await open(mine, { identity: 'steady' }), 403, 'as somebody else');
  t.equal(await open(mine, { identity: 'nobody' }), 403);
  const opened = await ask(mine, 'POST', '/v1/leases', {
    identity: 'build',
    job: { run_id: 'forged', environment: 'forged', note: 'kept' },
  });
  t.notOk(Object.hasOwn(opened.body['job'] as object, 'environment'), 'no claim that its token lacks');
  t.match(opened, {
    status: 201,
    body: {
      addresses: ['127.0.0.1'],
      stage: 'fetch',
      opened_by: 'job:example/app#100',
      job: { run_id: '1', check_run_id: '100', repository_id: '42', note: 'kept' },
    },
  });
  const path = `/v1/leases/${opened.body['id']}`;
  t.equal(await open(token(), {}), 409, 'twice');
  t.equal((await ask(mine, 'PATCH', path, { stage: 'compile' })).status, 403, 'no self_advance');
  t.equal((await ask(mine, 'PATCH', path, { ttl: 3601 })).status, 400);
  t.equal((await ask(mine, 'PATCH', path, { ttl: 60 })).status, 200, 'renewed by a token that is valid');
  const neighbour = token({ check_run_id: '101' });
  t.equal((await ask(neighbour, 'DELETE', path)).status, 403);
  t.equal((await ask(neighbour, 'GET', path)).status, 403);
  t.same((await ask(neighbour, 'GET', '/v1/leases')).body['leases'], []);
  t.equal((await ask(token(), 'GET', path)).status, 200, 'the same job by another token');
  for (const method of ['POST', 'GET'] as const) {
    const body = { identity: 'build', name: 'a.example', ttl: 1, reason: 'x' };
    const reply = await ask(mine, method, '/v1/exceptions', method === 'POST' ? body : undefined);
    t.equal(
      method === 'POST' ? reply.status : (reply.body['exceptions'] as []).length,
      method === 'POST' ? 403 : 0,
    );
  }
  t.equal((await ask(mine, 'DELETE', path)).status, 200);
  t.match(await ask(mine, 'POST', '/v1/leases', { identity: 'build' }), {
    status: 403,
    body: { type: /job-used/ },
  });
  t.match(
    await ask(token(), 'POST', '/v1/leases', { identity: 'build' }),
    { status: 403, body: { type: /job-used/ } },
    'nor by another token',
  );
  t.equal(await open(token({ run_attempt: '2' }), {}), 201, 'another attempt is another job');
  t.equal(made.table.size, 1);
});

t.test('what is remembered of jobs outlives a restart', async (t) => {
  const { made, ask } = await start(t);
  const { body } = await ask(token(), 'POST', '/v1/leases', { identity: 'build' });
  await ask(token(), 'DELETE', `/v1/leases/${body['id']}`);
  await made.close();
  const oidc = [{ issuer: ISSUER, audience: 'namegate', jwks: { file: { path: 'jwks.json', text: JWKS } } }];
  const again = await house(t, {
    folder: made.folder,
    clock: made.clock,
    setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens: [], oidc },
  });
  t.match(await asker(again)(token(), 'POST', '/v1/leases', { identity: 'build' }), {
    status: 403,
    body: { type: /job-used/ },
  });
});

t.test('a token that is used twice opens once, also at once', async (t) => {
  const { ask } = await start(t);
  const one = { jti: 'same', run_id: undefined, job_id: 9 };
  const replies = await Promise.all(
    Array.from({ length: 8 }, () => ask(token(one), 'POST', '/v1/leases', { identity: 'build' })),
  );
  t.equal(replies.filter(({ status }) => status === 201).length, 1);
  const made = replies.find(({ status }) => status === 201)!;
  await ask(token(one), 'DELETE', `/v1/leases/${made.body['id']}`);
  t.equal(
    (await ask(token({ ...one, job_id: 10 }), 'POST', '/v1/leases', { identity: 'build' })).status,
    403,
    'the jti alone is enough',
  );
});

t.test('self_advance moves forward, and no further than the policy says', async (t) => {
  const { made, ask } = await start(t);
  const jwt = token({ repository_id: undefined, project_id: '7', run_id: undefined, job_id: '55' });
  const { status, body } = await ask(jwt, 'POST', '/v1/leases', { identity: 'steady' });
  t.equal(status, 201);
  const path = `/v1/leases/${body['id']}`;
  t.equal((await ask(jwt, 'PATCH', path, { stage: 'two' })).status, 200);
  t.equal((await ask(jwt, 'PATCH', path, { stage: 'one' })).status, 409);
  made.policy = made.policy.replace('self_advance: true', 'self_advance: false');
  made.swap(made.compile().snapshot!);
  t.equal((await ask(jwt, 'PATCH', path, { stage: 'two' })).status, 403);
});

t.test('tokens that are not good', async (t) => {
  const { made, ask } = await start(t);
  const secret = rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const hs = `${part({ alg: 'HS256', kid: 'one' })}.${part({ iss: ISSUER, aud: 'namegate', exp: NOW + 300 })}`;
  const bad: Record<string, string> = {
    unsigned: `${part({ alg: 'none' })}.${part({ iss: ISSUER, aud: 'namegate', exp: NOW + 300, repository_id: '42' })}.`,
    'the public key as a secret': `${hs}.${createHmac('sha256', secret).update(hs).digest('base64url')}`,
    'a key of somebody else': token({}, {}, other.privateKey),
    'a kid that is not there': token({}, { kid: 'three' }),
    'the kid of another key': token({}, { kid: 'two' }),
    'no kid': token({}, { kid: undefined }, other.privateKey),
    'its own key in the header': token({}, { jwk: jwk(other.publicKey, 'one', 'RS256') }, other.privateKey),
    'a critical extension': token({}, { crit: ['x'], x: 1 }),
    expired: token({ exp: NOW - 1 }),
    'not yet': token({ nbf: NOW + 60 }),
    'without an end': token({ exp: undefined }),
    'an end that is no number': token({ exp: 'never' }),
    'for another audience': token({ aud: 'other' }),
    'without an audience': token({ aud: undefined }),
    'of another issuer': token({ iss: 'https://evil.example' }),
    'of an issuer with a slash': token({ iss: `${ISSUER}/` }),
    'issuer as a list': token({ iss: [ISSUER] }),
    'cut off': token().slice(0, -2),
    changed: token().replace(/\.([^.]{20})/, '.eyJpc3MiOiJodHRwczovLw'),
    huge: token({ pad: 'x'.repeat(7000) }),
    'two parts': token().split('.').slice(0, 2).join('.'),
    'an EC header on an RSA signature': token({}, { alg: 'ES256' }, ec.privateKey).replace(
      /^[^.]+/,
      part({ alg: 'RS256', kid: 'one' }),
    ),
  };
  for (const [what, jwt] of Object.entries(bad)) {
    made.clock.pass(1e-9);
    const reply = await ask(jwt, 'POST', '/v1/leases', { identity: 'build' });
    t.equal(reply.status, 401, what);
    made.clock.mono += 1000;
  }
  t.equal(made.table.size, 0);
  t.equal(
    (
      await ask(token({}, { alg: 'ES256', kid: 'two' }, ec.privateKey), 'POST', '/v1/leases', {
        identity: 'build',
      })
    ).status,
    201,
  );
});

t.test('claims are compared whole', async (t) => {
  const { ask } = await start(t);
  const wrong: object[] = [
    { repository_id: '421' },
    { repository_id: ['42'] },
    { repository_id: undefined },
    { repository_id: { a: '42' } },
    { repository_id: '42 ' },
    { run_id: undefined },
    { check_run_id: '' },
  ];
  for (const claims of wrong) {
    t.equal(
      (await ask(token(claims), 'POST', '/v1/leases', { identity: 'build' })).status,
      403,
      JSON.stringify(claims),
    );
  }
  t.equal((await ask(token({ repository_id: 42 }), 'POST', '/v1/leases', { identity: 'build' })).status, 201);
});

async function keyServer(
  t: Test,
  answer: () => { status: number; body: string; delay?: number },
): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const server: Server = createServer((_request, response) => {
    asked++;
    const { status, body, delay = 0 } = answer();
    setTimeout(
      () => response.writeHead(status, { 'content-type': 'application/json', location: '/jwks' }).end(body),
      delay,
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, asked: () => asked };
}

t.test('keys by URL', async (t) => {
  const { url, asked } = await keyServer(t, () => ({ status: 200, body: JWKS }));
  const { ask } = await start(t, { url });
  t.equal((await ask(token(), 'POST', '/v1/leases', { identity: 'build' })).status, 201);
  for (let i = 0; i < 5; i++)
    t.equal((await ask(token({}, { kid: `new${i}` }), 'GET', '/v1/leases')).status, 401);
  t.equal(asked(), 1, 'tokens with unknown keys make nobody ask again at once');
});

for (const [what, answer] of [
  ['an error', { status: 500, body: '' }],
  ['a redirect', { status: 302, body: '' }],
  ['no JSON', { status: 200, body: '<html>' }],
  ['no keys', { status: 200, body: '{"keys":7}' }],
  ['too much', { status: 200, body: JSON.stringify({ keys: [], pad: 'x'.repeat(300_000) }) }],
] as const) {
  t.test(`keys by URL: ${what} lets nobody in, and is asked for seldom`, async (t) => {
    const { url, asked } = await keyServer(t, () => answer);
    const { made, ask } = await start(t, { url });
    for (let i = 0; i < 4; i++) {
      const reply = await ask(token(), 'POST', '/v1/leases', { identity: 'build' });
      t.match(reply, { status: 503, body: { type: /keys-unavailable/ } });
    }
    t.equal(asked(), 1);
    t.equal(made.table.size, 0);
  });
}

t.test('nobody at the URL', async (t) => {
  const { url } = await keyServer(t, () => ({ status: 200, body: '' }));
  const { ask } = await start(t, { url: url.replace(/:\d+/, ':1') });
  t.equal((await ask(token(), 'POST', '/v1/leases', { identity: 'build' })).status, 503);
});

t.test('a job does not bind an address that the policy gives to another identity', async (t) => {
  const policy = POLICY.replace('addresses: [10.2.0.0/16]', 'addresses: [127.0.20.5, 127.0.30.0/24]');
  const oidc = [{ issuer: ISSUER, audience: 'namegate', jwks: { file: { path: 'jwks.json', text: JWKS } } }];
  const setting = { kind: 'http' as const, host: '127.0.0.1', port: 0, tokens: [], oidc };
  const made = await house(t, { policy, setting });
  const open = (from: string, claims: object = {}, identity = 'build') =>
    made.ask('POST', '/v1/leases', { identity }, { authorization: `Bearer ${token(claims)}` }, from);
  t.match(await open('127.0.20.5'), {
    status: 403,
    body: { detail: /gives 127.0.20.5 to another identity/ },
  });
  t.equal((await open('127.0.30.9')).status, 403, 'an address of its prefix is as much its own');
  t.equal(made.table.size, 0);
  t.equal(
    (await open('127.0.20.5', { project_id: '7', run_id: '9' }, 'steady')).status,
    201,
    'its own it may',
  );
  t.match(await open('127.0.20.6'), {
    status: 201,
    body: {
      notes: ["127.0.20.6 is this machine's own: every process that asks from it is build until the end"],
    },
  });
});

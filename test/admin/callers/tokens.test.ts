import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { parsePrefix } from '../../../src/config/addresses.ts';
import type { TokenRights } from '../../../src/settings/settings.ts';
import { ipAddress } from '../../../src/wire/ip-address.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { type House, house, type Reply } from '../house.ts';

function grant(name: string, parts: Partial<TokenRights>): TokenRights {
  return {
    name,
    sha256: createHash('sha256').update(`secret-${name}`).digest('hex'),
    rights: [],
    identities: ['build'],
    addresses: [parsePrefix('10.9.0.0/16') as Prefix],
    certificates: ['dns:runner.example'],
    until: 0xffff_ffff,
    ...parts,
  };
}

const TOKENS = [
  grant('opener', { rights: ['open'] }),
  grant('mover', { rights: ['advance'] }),
  grant('both', { rights: ['open', 'advance'] }),
  grant('boss', { rights: ['administer'], identities: 'all' }),
  grant('half', { rights: ['administer'] }),
  grant('watcher', { rights: ['open'], identities: 'all' }),
  grant('old', { rights: ['administer'], until: 1000 }),
];

async function start(t: Test): Promise<{
  made: House;
  ask: (as: string, method: string, path: string, body?: unknown) => Promise<Reply>;
}> {
  const made = await house(t, {
    setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens: TOKENS, oidc: [] },
  });
  const ask = (as: string, method: string, path: string, body?: unknown): Promise<Reply> =>
    made.ask(method, path, body, { authorization: `Bearer secret-${as}` });
  return { made, ask };
}

const GOOD = { identity: 'build', address: '10.9.0.1' };

t.test('nobody does anything without a token', async (t) => {
  const { made } = await start(t);
  const headers: Record<string, string>[] = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer ' },
    { authorization: 'Bearer wrong' },
    { authorization: 'Basic c2VjcmV0' },
    { authorization: `Bearer ${TOKENS[3]!.sha256}` },
    { authorization: 'Bearer secret-boss x' },
    { authorization: 'Bearer secret-old' },
    { authorization: `Bearer ${'x'.repeat(9000)}` },
  ];
  for (const one of headers) {
    const reply = await made.ask('POST', '/v1/leases', GOOD, one);
    t.equal(reply.status, 401, JSON.stringify(one));
    t.equal(reply.headers['www-authenticate'], 'Bearer');
    t.match(reply.body, { type: 'urn:namegate:problem:unauthenticated' });
  }
  for (const path of [
    '/v1/leases',
    '/v1/exceptions',
    '/v1/identities',
    '/v1/explain?identity=build&name=a.example',
  ]) {
    t.equal((await made.ask('GET', path)).status, 401, path);
  }
  t.same((await made.ask('GET', '/v1/health')).body, { healthy: true, ready: true });
  t.equal((await made.ask('GET', '/openapi.json')).status, 200);
  t.equal(made.table.size, 0);
  t.equal(made.log.count('admin-refused'), 1, 'the log is not theirs to fill');
  t.notMatch(JSON.stringify(made.log.lines), /secret/);
});

t.test('each right is a right of its own', async (t) => {
  const { ask } = await start(t);
  t.equal((await ask('mover', 'POST', '/v1/leases', GOOD)).status, 403);
  const opened = await ask('opener', 'POST', '/v1/leases', GOOD);
  t.match(opened, { status: 201, body: { opened_by: 'token:opener', stage: 'fetch' } });
  const path = `/v1/leases/${opened.body['id']}`;
  for (const body of [{ stage: 'compile' }, { ttl: 60 }])
    t.equal((await ask('opener', 'PATCH', path, body)).status, 403);
  t.equal((await ask('opener', 'DELETE', path)).status, 403);
  t.equal((await ask('opener', 'GET', path)).status, 200);
  t.equal((await ask('mover', 'PATCH', path, { stage: 'compile', ttl: 60 })).status, 200);
  t.equal((await ask('mover', 'DELETE', path)).status, 200);
  const exception = { identity: 'build', name: 'a.example', ttl: 60, reason: 'x' };
  for (const who of ['opener', 'mover', 'both']) {
    t.equal((await ask(who, 'POST', '/v1/exceptions', exception)).status, 403, who);
    t.equal((await ask(who, 'DELETE', '/v1/exceptions/ex-1')).status, 403, who);
  }
  t.match(await ask('half', 'POST', '/v1/exceptions', exception), {
    status: 201,
    body: { approved_by: 'token:half' },
  });
  t.equal((await ask('half', 'POST', '/v1/exceptions', { ...exception, identity: 'steady' })).status, 403);
  t.equal((await ask('boss', 'POST', '/v1/exceptions', { ...exception, identity: 'steady' })).status, 201);
});

t.test('who does not administer opens at the first stage, and for what it was given', async (t) => {
  const { ask } = await start(t);
  const open = async (as: string, body: object): Promise<number> =>
    (await ask(as, 'POST', '/v1/leases', { ...GOOD, ...body })).status;
  t.equal(await open('opener', { stage: 'compile' }), 403);
  t.equal(await open('opener', { address: '10.8.0.1' }), 403);
  t.equal(await open('opener', { address: undefined, addresses: ['10.0.0.0/8'] }), 403);
  t.equal(await open('opener', { address: undefined, addresses: ['10.9.0.0/24', '0.0.0.0/0'] }), 403);
  t.equal(await open('opener', { certificate: 'dns:other.example' }), 403);
  t.equal(await open('opener', { identity: 'steady' }), 403);
  t.equal(await open('opener', { identity: 'nobody' }), 403, 'nor does it learn what there is');
  t.equal(await open('opener', { certificate: 'dns:runner.example' }), 201);
  t.equal(await open('opener', { address: '127.0.0.1' }), 201, 'its own address is its own');
  t.equal(await open('half', { address: '10.8.0.1', stage: 'release' }), 201);
  t.equal(await open('boss', { address: '10.7.0.1', identity: 'steady', stage: 'two' }), 201);
});

t.test('a token sees and touches the leases of its identities', async (t) => {
  const { ask } = await start(t);
  const other = await ask('boss', 'POST', '/v1/leases', { identity: 'steady', address: '10.9.0.9' });
  const path = `/v1/leases/${other.body['id']}`;
  for (const who of ['opener', 'mover', 'half']) {
    t.equal((await ask(who, 'GET', path)).status, 403);
    t.equal((await ask(who, 'PATCH', path, { stage: 'two' })).status, 403);
    t.equal((await ask(who, 'DELETE', path)).status, 403);
    t.same((await ask(who, 'GET', '/v1/leases')).body['leases'], []);
    t.equal((await ask(who, 'GET', '/v1/identities/steady')).status, 404);
  }
});

t.test('a reload takes tokens away', async (t) => {
  const { made, ask } = await start(t);
  t.equal((await ask('boss', 'GET', '/v1/leases')).status, 200);
  made.admin.configure(
    made.snapshot,
    { kind: 'http', host: '127.0.0.1', port: 0, tokens: [], oidc: [] },
    { maxTtl: 60 },
  );
  t.equal((await ask('boss', 'GET', '/v1/leases')).status, 401);
});

t.test('guesses are slowed down, and good tokens are not', async (t) => {
  const { ask } = await start(t);
  const guesses = Array.from({ length: 40 }, () => ask('nobody', 'GET', '/v1/leases'));
  await Promise.all(guesses.slice(0, 20));
  const begun = performance.now();
  let over = false;
  const all = Promise.all(guesses).then(() => {
    over = true;
    return performance.now() - begun;
  });
  t.equal((await ask('boss', 'GET', '/v1/leases')).status, 200);
  t.notOk(over, 'a good one does not wait for the guesses');
  const took = await all;
  t.ok(took > 700, `${took} ms for the guesses`);
});

t.test('octets that are no request are answered, and silence ends', async (t) => {
  const { made, ask } = await start(t);
  const port = Number(new URL(made.admin.urls[0]!).port);
  const send = (octets: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(octets, 'latin1'));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', () => resolve(text));
      socket.on('close', () => resolve(text));
    });
  t.match(await send('\x16\x03\x01\x02\x00\x01'), /^HTTP\/1.1 400 .*urn:namegate:problem:malformed/s);
  t.match(await send('GET / HTTP/1.1\r\nbad header\r\n\r\n'), /^HTTP\/1.1 400/);
  t.match(
    await send(
      'POST /v1/leases HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    /^HTTP\/1.1 400/,
  );
  t.match(await send(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1.1 431/);
  t.equal((await ask('boss', 'GET', '/v1/leases')).status, 200);
});

t.test('only requests for this machine are answered', async (t) => {
  const { made } = await start(t);
  const bad: Record<string, string>[] = [
    { host: 'evil.example' },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: '127.0.0.1@evil.example' },
    { host: '10.0.0.1' },
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1.evil.example' },
    { origin: 'null' },
  ];
  for (const headers of bad) {
    for (const path of ['/v1/health', '/openapi.json', '/v1/leases', '/v1/nothing']) {
      const reply = await made.ask('GET', path, undefined, {
        authorization: 'Bearer secret-boss',
        ...headers,
      });
      t.match(reply, { status: 421, body: { type: /misdirected/ } }, `${path} ${JSON.stringify(headers)}`);
      t.notMatch(JSON.stringify(reply.body), /build|secret-audit/);
    }
  }
  for (const headers of [{ host: 'localhost:1' }, { host: '[::1]' }, { origin: 'http://localhost:8080' }])
    t.equal((await made.ask('GET', '/v1/health', undefined, headers)).status, 200, JSON.stringify(headers));
});

t.test('health has details for who may see all', async (t) => {
  const { made, ask } = await start(t);
  for (const who of ['opener', 'mover', 'half'])
    t.same((await ask(who, 'GET', '/v1/health')).body, { healthy: true, ready: true }, who);
  t.match((await ask('boss', 'GET', '/v1/health')).body, {
    audit: [{ identity: 'secret-audit' }],
    leases: 0,
  });
  t.equal((await ask('nobody', 'GET', '/v1/health')).status, 401);
  t.equal(made.table.size, 0);
});

t.test('who administers says that a source is enforced, and nobody else', async (t) => {
  const { made, ask } = await start(t);
  const wanted = { ...GOOD, source: 'enforced' };
  for (const who of ['opener', 'both'])
    t.equal((await ask(who, 'POST', '/v1/leases', wanted)).status, 403, who);
  t.equal((await ask('half', 'POST', '/v1/leases', { ...wanted, source: 'trusted' })).status, 400);
  const alone = { identity: 'build', certificate: 'dns:runner.example', source: 'enforced' };
  t.match(await ask('half', 'POST', '/v1/leases', alone), {
    status: 400,
    body: { errors: [{ pointer: '/source' }] },
  });
  const opened = await ask('half', 'POST', '/v1/leases', wanted);
  t.match(opened, { status: 201, body: { source: 'enforced' } });
  const bound = () => made.table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), made.clock.mono);
  t.match(bound(), { sourceEnforced: true });
  t.match(made.log.lines.at(-1), { event: 'lease-opened', fields: { source: 'enforced', by: 'token:half' } });
  await made.close();
  const again = await house(t, { folder: made.folder, clock: made.clock, setting: made.setting });
  t.match(
    again.table.byAddress(ipAddress(4, 0x0a090001, 0, 0, 0), made.clock.mono),
    { sourceEnforced: true },
    'over a restart too',
  );
  const listed = await again.ask('GET', '/v1/leases', undefined, { authorization: 'Bearer secret-half' });
  t.match(listed.body['leases'], [{ source: 'enforced', counts: { deny: 0 } }]);
});

t.test('who may see the alert feed, and ask something of its sinks', async (t) => {
  const { ask } = await start(t);
  const since = '2026-11-20T00:00:00Z';
  const requests = [
    ['GET', '/v1/alerts', undefined],
    ['POST', '/v1/alerts/test', undefined],
    ['POST', '/v1/alerts/replay', { sink: 'siem', since }],
    ['POST', '/v1/alerts/dead', {}],
    ['POST', '/v1/alerts/dead', { retry: true }],
  ] as const;
  for (const [who, sees, administers] of [
    ['boss', true, true],
    ['watcher', true, false],
    ['half', false, false],
    ['opener', false, false],
    ['mover', false, false],
  ] as const) {
    for (const [method, path, body] of requests) {
      const { status } = await ask(who, method, path, body);
      t.equal(status !== 403, method === 'GET' ? sees : administers, `${who} ${method} ${path}: ${status}`);
    }
  }
});

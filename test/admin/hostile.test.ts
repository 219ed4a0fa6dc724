/** Bodies, parameters and claims of tokens that nobody means well with: each is answered, and none leaves anything. */
import fc from 'fast-check';
import t from 'tap';
import type { AdminSetting } from '../../src/settings/settings.ts';
import { house } from './house.ts';
import { NOW, TestIssuer } from './issuer.ts';

const ISSUER = new TestIssuer('https://ci.example');
const SETTING: AdminSetting = {
  kind: 'http',
  host: '127.0.0.1',
  port: 0,
  tokens: [],
  oidc: [
    { issuer: ISSUER.name, audience: 'namegate', jwks: { file: { path: 'jwks.json', text: ISSUER.jwks } } },
  ],
};

/** Values in place of a claim that names the job or its identity. */
const ODD: readonly string[] = [
  'null',
  'true',
  '0',
  '-0',
  '1e400',
  '9007199254740993',
  '1.5',
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e42"',
  '"４２"',
  '"42\\u200b"',
  '["42"]',
  '[["42"]]',
  '{"toString":"42"}',
  '{"valueOf":"42","length":2}',
  '[]',
  '{}',
  `"${'4'.repeat(3000)}"`,
];

t.test('claims of every kind open, see and end nothing that is not theirs', async (t) => {
  const made = await house(t, { setting: SETTING });
  const ask = (payload: string, method: string, path: string, body?: object) => {
    made.clock.mono += 1000;
    return made.ask(method, path, body, { authorization: `Bearer ${ISSUER.tokenOf(payload)}` }, '127.0.9.9');
  };
  const owner = ISSUER.token({ repository_id: '42', run_id: '1', run_attempt: '1', check_run_id: '100' });
  const opened = await made.ask(
    'POST',
    '/v1/leases',
    { identity: 'build' },
    { authorization: `Bearer ${owner}` },
  );
  t.equal(opened.status, 201);
  const path = `/v1/leases/${opened.body['id']}`;
  const before = JSON.stringify(made.table.get(opened.body['id'] as string));
  const base = `"iss":"${ISSUER.name}","aud":"namegate","exp":${NOW + 300}`;
  const payloads: string[] = [];
  for (const odd of ODD) {
    for (const name of ['run_id', 'run_attempt', 'check_run_id']) {
      const good = {
        repository_id: '"42"',
        run_id: '"1"',
        run_attempt: '"1"',
        check_run_id: '"100"',
        [name]: odd,
      };
      const claims = Object.entries(good).map(([key, value]) => `"${key}":${value}`);
      payloads.push(`{${base},${claims.join(',')}}`);
    }
    payloads.push(`{${base},"repository_id":"42","job_id":${odd}}`);
    payloads.push(
      `{${base},"repository_id":"42","__proto__":{"run_id":"1","run_attempt":"1","check_run_id":"100"},"x":${odd}}`,
    );
  }
  for (const payload of payloads) {
    const listed = await ask(payload, 'GET', '/v1/leases');
    t.match([200, 401].includes(listed.status), true, payload);
    t.same(listed.body['leases'] ?? [], [], payload);
    for (const [method, body] of [
      ['GET'],
      ['PATCH', { ttl: 3600 }],
      ['PATCH', { stage: 'release' }],
      ['DELETE'],
    ] as const) {
      const reply = await ask(payload, method, path, body);
      t.ok([401, 403].includes(reply.status), `${method} ${payload}: ${reply.status}`);
    }
  }
  t.equal(JSON.stringify(made.table.get(opened.body['id'] as string)), before);
  t.equal(made.log.count('fault'), 0);

  for (const odd of ODD) {
    const claims = `"run_id":"${Math.random()}","run_attempt":"1","check_run_id":"1"`;
    const payload = `{${base},"repository_id":${odd},${claims}}`;
    const reply = await ask(payload, 'POST', '/v1/leases', { identity: 'build' });
    t.ok([401, 403].includes(reply.status), `${odd}: ${reply.status}`);
  }
  t.equal(made.table.size, 1);
  t.equal(made.log.count('fault'), 0);
});

t.test('bodies of every kind are answered, and what is refused leaves nothing', async (t) => {
  const made = await house(t);
  const value = fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue(),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom(
      'build',
      'steady',
      'proven',
      '10.9.0.1',
      '10.9.0.0/16',
      '::/0',
      'dns:a.example',
      'enforced',
    ),
    fc.constantFrom<unknown>(0, -1, 1, 60, 1e300, 2 ** 31, null, true, [], {}),
  );
  const names = [
    'identity',
    'address',
    'addresses',
    'certificate',
    'stage',
    'ttl',
    'job',
    'source',
    'name',
    'reason',
    'types',
    'approved_by',
  ];
  const body = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 12 })), value, {
    maxKeys: 8,
  });
  const paths = [
    '/v1/leases',
    '/v1/exceptions',
    '/v1/leases/le-1',
    '/v1/exceptions/ex-1',
    '/v1/identities',
    '/v1/health',
    '/v1/explain',
  ];
  let opened = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'PATCH', 'DELETE'),
      fc.constantFrom(...paths),
      fc.oneof(
        body.map((one) => JSON.stringify(one)),
        body.map((one) => JSON.stringify({ identity: 'build', address: '10.9.0.1', ...one })),
        body.map(({ job, source, ttl }) =>
          JSON.stringify({ identity: 'build', address: '10.9.0.1', job, source, ttl }),
        ),
        fc.string({ unit: 'binary', maxLength: 60 }),
      ),
      async (method, path, text) => {
        const before = made.table.size;
        const reply = await made.ask(method, path, text);
        if (reply.status === 201 && path === '/v1/leases') {
          opened++;
          const id = reply.body['id'] as string;
          if ((await made.ask('DELETE', `/v1/leases/${id}`)).status !== 200) return false;
          made.table.expire(made.clock.mono);
          return true;
        }
        return (
          reply.status < 500 &&
          (reply.status < 400 || typeof reply.body['detail'] === 'string') &&
          made.table.size === before
        );
      },
    ),
    { numRuns: 600 },
  );
  t.equal(made.log.count('fault'), 0);
  t.ok(opened > 0, `${opened} were leases`);
});

t.test('parameters of every kind are answered', async (t) => {
  const made = await house(t);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        '/v1/leases/',
        '/v1/identities/',
        '/v1/leases?after=',
        '/v1/explain?identity=build&name=',
        '/v1/explain?lease=',
      ),
      fc.string({ unit: 'binary', maxLength: 200 }),
      async (path, text) => {
        const part = text.isWellFormed() ? encodeURIComponent(text) : '%ff%00';
        const { status } = await made.ask('GET', `${path}${part}`);
        return status < 500;
      },
    ),
    { numRuns: 400 },
  );
  t.equal(made.log.count('fault'), 0);
});

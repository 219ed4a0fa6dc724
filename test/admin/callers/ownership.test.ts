/** Whose a lease is: every kind of caller against every kind of lease, request and field. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { parsePrefix } from '../../../src/config/addresses.ts';
import type { GrantOrder } from '../../../src/resolve/grants/grant-line.ts';
import type { AdminSetting, TokenRights } from '../../../src/settings/settings.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { type House, house } from '../house.ts';
import { NOW, TestIssuer } from '../issuer.ts';

const HUB = new TestIssuer('https://hub.example');
const LAB = new TestIssuer('https://lab.example');

const POLICY = `identities:
${['alpha', 'beta']
  .map(
    (name) => `  - name: ${name}
    owner: team-${name}
    review_by: 2090-01-01
    self_advance: true
    max_lease: 1h
    allow: [{ name: ${name}.example, reason: test }]
    stages: { one: { only: [] }, two: { only: [] } }
    claims:
      - { issuer: "${HUB.name}", repository: org/${name} }
      - { issuer: "${LAB.name}", project_path: org/${name} }
`,
  )
  .join('')}`;

function grant(
  name: string,
  rights: TokenRights['rights'],
  identities: TokenRights['identities'],
): TokenRights {
  const sha256 = createHash('sha256').update(`secret-${name}`).digest('hex');
  const addresses = [parsePrefix('10.9.0.0/16') as Prefix];
  return { name, sha256, rights, identities, addresses, certificates: [], until: 0xffff_ffff };
}

const SETTING: AdminSetting = {
  kind: 'http',
  host: '127.0.0.1',
  port: 0,
  tokens: [
    grant('open-alpha', ['open'], ['alpha']),
    grant('advance-alpha', ['advance'], ['alpha']),
    grant('boss-alpha', ['administer'], ['alpha']),
    grant('read-alpha', ['read'], ['alpha']),
    grant('read-all', ['read'], 'all'),
    grant('open-beta', ['open'], ['beta']),
    grant('advance-all', ['advance'], 'all'),
    grant('boss', ['administer'], 'all'),
    { ...grant('late', ['administer'], 'all'), until: NOW - 1 },
  ],
  oidc: [HUB, LAB].map((issuer) => ({
    issuer: issuer.name,
    audience: 'namegate',
    jwks: { file: { path: 'jwks.json', text: issuer.jwks } },
  })),
};

const RUN = { run_id: '1', run_attempt: '1', check_run_id: '100' };
const hub = (claims: object): string => HUB.token({ repository: 'org/alpha', ...RUN, ...claims });
const lab = (claims: object): string => LAB.token({ project_path: 'org/alpha', job_id: '7', ...claims });

/** Leases by who opened them. */
const LEASES = [
  'socket-alpha',
  'socket-beta',
  'token-alpha',
  'token-beta',
  'hub-alpha',
  'lab-alpha',
] as const;
type Name = (typeof LEASES)[number];
const ALPHAS: readonly Name[] = ['socket-alpha', 'token-alpha', 'hub-alpha', 'lab-alpha'];
const BETAS: readonly Name[] = ['socket-beta', 'token-beta'];
const NONE: readonly Name[] = [];

interface Caller {
  readonly what: string;
  readonly token: () => string | null;
  /** Status of whoever is not known at all. */
  readonly stranger?: true;
  readonly sees: readonly Name[];
  readonly ends: readonly Name[];
  readonly advances: readonly Name[];
  /** Identities that it may ask about. */
  readonly asks: readonly string[];
  /** The leases whose grants it reads; null where it may not ask for grants. */
  readonly reads: readonly Name[] | null;
}

function caller(
  what: string,
  token: () => string | null,
  sees: readonly Name[],
  ends: readonly Name[],
  advances: readonly Name[],
  asks: readonly string[],
  /** A job reads what its own lease was granted. */
  reads: readonly Name[] | null = sees,
): Caller {
  return { what, token, sees, ends, advances, asks, reads };
}

const secret = (name: string) => (): string => `secret-${name}`;
const ALL: readonly Name[] = LEASES;
const BOTH = ['alpha', 'beta'];

const CALLERS: readonly Caller[] = [
  caller('a token that opens', secret('open-alpha'), ALPHAS, NONE, NONE, ['alpha'], null),
  caller('a token that reads one', secret('read-alpha'), ALPHAS, NONE, NONE, ['alpha'], ALPHAS),
  caller('a token that reads all', secret('read-all'), ALL, NONE, NONE, BOTH, ALL),
  caller('a token that advances', secret('advance-alpha'), ALPHAS, ALPHAS, ALPHAS, ['alpha'], null),
  caller('a token that administers one', secret('boss-alpha'), ALPHAS, ALPHAS, ALPHAS, ['alpha']),
  caller('a token of another identity', secret('open-beta'), BETAS, NONE, NONE, ['beta'], null),
  caller('a token that advances all', secret('advance-all'), ALL, ALL, ALL, BOTH, null),
  caller('a token that administers all', secret('boss'), ALL, ALL, ALL, BOTH),
  caller('the job itself', () => hub({}), ['hub-alpha'], ['hub-alpha'], ['hub-alpha'], ['alpha']),
  caller(
    'the job, moved to another repository',
    () => hub({ repository: 'org/beta' }),
    ['hub-alpha'],
    ['hub-alpha'],
    NONE,
    ['beta'],
  ),
  caller(
    'a job with numbers',
    () => hub({ run_id: 1, run_attempt: 1, check_run_id: 100 }),
    ['hub-alpha'],
    ['hub-alpha'],
    ['hub-alpha'],
    ['alpha'],
  ),
  caller('another attempt of the run', () => hub({ run_attempt: '2' }), NONE, NONE, NONE, ['alpha']),
  caller('another check of the run', () => hub({ check_run_id: '101' }), NONE, NONE, NONE, ['alpha']),
  caller('another run', () => hub({ run_id: '2' }), NONE, NONE, NONE, ['alpha']),
  caller(
    'a job of another repository',
    () => hub({ repository: 'org/other', run_id: '9' }),
    NONE,
    NONE,
    NONE,
    [],
  ),
  caller(
    'the job of the other issuer',
    () => lab({}),
    ['lab-alpha'],
    ['lab-alpha'],
    ['lab-alpha'],
    ['alpha'],
  ),
  caller(
    'the same words of the other issuer',
    () => LAB.token({ project_path: 'org/alpha', ...RUN }),
    NONE,
    NONE,
    NONE,
    ['alpha'],
  ),
  caller(
    'the same job_id of the other issuer',
    () => HUB.token({ repository: 'org/alpha', job_id: '7' }),
    NONE,
    NONE,
    NONE,
    ['alpha'],
  ),
  ...Object.entries<object>({
    'no job': { run_id: undefined, run_attempt: undefined, check_run_id: undefined },
    'no run_id': { run_id: undefined },
    'no attempt': { run_attempt: undefined },
    'no check': { check_run_id: undefined },
    'empty words': { run_id: '', run_attempt: '', check_run_id: '', job_id: '' },
    nulls: { run_id: null, run_attempt: null, check_run_id: null, job_id: null },
    lists: { run_id: ['1'], run_attempt: ['1'], check_run_id: ['100'] },
    maps: { run_id: {}, run_attempt: {}, check_run_id: {} },
    'numbers that are rounded': { run_id: 2 ** 60, run_attempt: '1', check_run_id: '100' },
  }).flatMap(([what, claims]) =>
    ['org/alpha', 'org/other'].map((repository) =>
      caller(
        `a token of ${repository}: ${what}`,
        () => hub({ repository, ...claims }),
        NONE,
        NONE,
        NONE,
        [],
        null,
      ),
    ),
  ),
  ...(
    [
      ['an expired token of the file', secret('late')],
      ['an expired token of the job', () => hub({ exp: NOW - 1 })],
      ['a token for another audience', () => hub({ aud: 'other' })],
      ['no token', () => null],
    ] as const
  ).map(([what, token]): Caller => ({ ...caller(what, token, NONE, NONE, NONE, []), stranger: true })),
];

interface Ground {
  readonly made: House;
  readonly ids: Readonly<Record<Name, string>>;
  /** What the firewall has granted. */
  readonly granted: GrantOrder[];
}

function headersOf(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** A house with a lease of each opener: those of the socket were opened before a restart. */
async function ground(t: Test): Promise<Ground> {
  const folder = t.testdir({});
  const first = await house(t, { policy: POLICY, folder });
  const ids: Record<string, string> = {};
  for (const identity of BOTH) {
    const address = identity === 'alpha' ? '10.8.0.1' : '10.8.0.2';
    const { body } = await first.ask('POST', '/v1/leases', { identity, address });
    ids[`socket-${identity}`] = body['id'] as string;
  }
  await first.close();
  const granted: GrantOrder[] = [];
  const made = await house(t, { policy: POLICY, folder, setting: SETTING, clock: first.clock, granted });
  const open = async (name: Name, token: string, body: object, from?: string): Promise<void> => {
    const reply = await made.ask('POST', '/v1/leases', body, headersOf(token), from);
    if (reply.status !== 201) throw new Error(`${name}: ${JSON.stringify(reply.body)}`);
    ids[name] = reply.body['id'] as string;
  };
  await open('token-alpha', 'secret-open-alpha', { identity: 'alpha', address: '10.9.0.1' });
  await open('token-beta', 'secret-open-beta', { identity: 'beta', address: '10.9.0.2' });
  await open('hub-alpha', hub({}), { identity: 'alpha' }, '127.0.20.1');
  await open('lab-alpha', lab({}), { identity: 'alpha' }, '127.0.20.2');
  LEASES.forEach((name, n) => {
    const who = { client: `10.9.9.${n}`, identity: name.replace(/.*-/, ''), lease: ids[name]! };
    const why = { chain: [], rule: null, policy: '0', ttl_ms: 60_000 };
    granted.push({ op: 'live', ...who, ttl_ms: null });
    granted.push({
      op: 'grant',
      ...who,
      ...why,
      name: 'a.example',
      address: '192.0.2.1',
      ports: ['tcp/443'],
    });
  });
  const nobodys = { client: '10.9.0.0/16', identity: 'beta', lease: null, ttl_ms: null };
  granted.push({ op: 'live', ...nobodys });
  return { made, ids: ids as Record<Name, string>, granted };
}

t.test('every caller, lease and request', async (t) => {
  const { made, ids } = await ground(t);
  for (const { what, token, stranger, sees, ends, advances, asks, reads } of CALLERS) {
    const ask = (method: string, path: string, body?: object) => {
      made.clock.mono += 1000;
      made.clock.wall += 1e-6;
      return made.ask(method, path, body, headersOf(token()));
    };
    const status = (can: boolean, good = 200): number => (stranger === true ? 401 : can ? good : 403);
    const listed = await ask('GET', '/v1/leases');
    t.equal(listed.status, status(true), what);
    const found = ((listed.body['leases'] ?? []) as { id: string }[]).map(({ id }) => id).sort();
    t.same(found, sees.map((name) => ids[name]).sort(), `${what}: list`);
    const grants = await ask('GET', '/v1/grants');
    t.equal(grants.status, status(reads !== null), `${what}: grants`);
    const read = ((grants.body['grants'] ?? []) as { lease: string }[]).map(({ lease }) => lease).sort();
    t.same(read, stranger ? [] : (reads ?? []).map((name) => ids[name]).sort(), `${what}: grants`);
    for (const identity of BOTH) {
      const can = asks.includes(identity);
      const names = `identity=${identity}&name=a.example`;
      const missing = stranger === true ? 401 : can ? 200 : 404;
      t.equal((await ask('GET', `/v1/explain?${names}`)).status, missing, `${what}: explain ${identity}`);
      t.equal((await ask('GET', `/v1/identities/${identity}`)).status, missing, `${what}: ${identity}`);
    }
    for (const name of LEASES) {
      const path = `/v1/leases/${ids[name]}`;
      const before = JSON.stringify(made.table.get(ids[name]));
      const asked = `${what}: ${name}`;
      t.equal((await ask('GET', path)).status, status(sees.includes(name)), `${asked}: get`);
      const explained = await ask('GET', `/v1/explain?lease=${ids[name]}&name=a.example`);
      t.equal(explained.status, status(sees.includes(name)), `${asked}: explain`);
      const ofLease = await ask('GET', `/v1/grants?lease=${ids[name]}`);
      const mayRead = reads?.includes(name) === true;
      t.equal(ofLease.status, stranger ? 401 : mayRead ? 200 : 404, `${asked}: its grants`);
      if (mayRead) t.equal((ofLease.body['live'] as []).length, 1, `${asked}: who is live`);
      const can = { stage: advances.includes(name), ttl: ends.includes(name) };
      const bodies: [object, boolean][] = [
        [{ ttl: 3600 }, can.ttl],
        [{ stage: 'one' }, can.stage],
        [{ stage: 'one', ttl: 3600 }, can.stage],
      ];
      for (const [body, may] of bodies) {
        t.equal((await ask('PATCH', path, body)).status, status(may), `${asked}: ${JSON.stringify(body)}`);
      }
      if (!ends.includes(name)) {
        t.equal((await ask('DELETE', path)).status, status(false), `${asked}: delete`);
        if (!advances.includes(name)) t.equal(JSON.stringify(made.table.get(ids[name])), before, asked);
      }
    }
    const opening = await ask('POST', '/v1/leases', {
      identity: 'alpha',
      address: '10.7.7.7',
      stage: 'never',
    });
    if (stranger === true || sees.length === 0) t.equal(opening.status, status(false), `${what}: open`);
  }
});

for (const { what, token, ends } of CALLERS.filter((one) => one.ends.length > 0)) {
  t.test(`${what} ends what it may`, async (t) => {
    const { made, ids } = await ground(t);
    for (const name of ends) {
      const reply = await made.ask('DELETE', `/v1/leases/${ids[name]}`, undefined, headersOf(token()));
      t.equal(reply.status, 200, name);
      t.equal(made.table.get(ids[name]), null, name);
    }
  });
}

t.test('the socket sees and ends all, whoever opened it', async (t) => {
  const { made, ids } = await ground(t);
  await made.close();
  const { folder, clock } = made;
  const again = await house(t, { policy: POLICY, folder, clock });
  t.equal(((await again.ask('GET', '/v1/leases')).body['leases'] as object[]).length, LEASES.length);
  for (const name of LEASES)
    t.equal((await again.ask('DELETE', `/v1/leases/${ids[name]}`)).status, 200, name);
});

t.test('a job keeps its lease over a restart, and nobody else gets it', async (t) => {
  const { made, ids } = await ground(t);
  await made.close();
  const again = await house(t, { policy: POLICY, folder: made.folder, clock: made.clock, setting: SETTING });
  const get = async (token: string): Promise<number> =>
    (await again.ask('GET', `/v1/leases/${ids['hub-alpha']}`, undefined, headersOf(token))).status;
  t.equal(await get(hub({})), 200);
  t.equal(await get(hub({ run_attempt: '2' })), 403);
  t.equal(await get(HUB.token({ repository: 'org/alpha' })), 403);
});

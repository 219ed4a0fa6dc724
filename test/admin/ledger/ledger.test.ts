import { createHash } from 'node:crypto';
import t from 'tap';
import { HOLDER, type HolderKind, TICKS_A_SLICE } from '../../../src/detect/holder.ts';
import type { Right, TokenRights } from '../../../src/settings/settings.ts';
import { billOf } from '../../detect/build.ts';
import { type House, house } from '../house.ts';

interface Balance {
  readonly key: string;
  readonly subject: string;
  readonly spent: number;
  readonly left: number | null;
  readonly contained: string | null;
}

/** Charges as the query path does: one job of `identity` asks for names under `base` until it is refused, or `times` times. */
function ask(
  made: House,
  lease: string,
  address: string,
  times: number,
  identity = 'build',
  base = 't.example',
) {
  const accounts: [HolderKind, string, number, number][] = [
    [HOLDER.LEASE, lease, 512, 1024],
    [HOLDER.CLAIM, address, 2048, 4096],
    [HOLDER.WILDCARD, identity, 4096, 0],
    [HOLDER.IDENTITY, identity, 16_384, 0],
  ];
  let asked = 0;
  while (asked < times) {
    const name = `${lease}-${'x'.repeat(30)}${asked}.${base}`;
    if (!made.desk.ledger.charge(billOf({ name, base, identity, accounts }), ++made.desk.tick)) break;
    asked++;
  }
  return asked;
}

async function balances(made: House, query = ''): Promise<readonly Balance[]> {
  const { status, body } = await made.ask('GET', `/v1/ledger${query}`);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body['balances'] as readonly Balance[];
}

t.test('the ledger in octets, who is contained first', async (t) => {
  const made = await house(t);
  t.same((await made.ask('GET', '/v1/ledger')).body, { balances: [], count: 0, contained: 0 });
  ask(made, 'le-quiet', '10.1.0.8', 2);
  ask(made, 'le-loud', '10.1.0.9', 1000);
  made.desk.tick += 100 * 60;
  const { body } = await made.ask('GET', '/v1/ledger');
  t.match(body, { count: 6, contained: 1 });
  const [first, ...rest] = body['balances'] as readonly Balance[];
  t.match(first, {
    key: 'lease',
    subject: 'le-loud',
    identity: 'build',
    wildcard: 't.example',
    alert: 512,
    contain: 1024,
    names_left: 0,
    contained: '2026-11-19T23:59:00Z',
    alerted: /^2026-11-19T23:5\d:\d\dZ$/,
  });
  t.ok(first!.spent > 980 && first!.spent <= 1024, `${first!.spent} octets`);
  t.equal(first!.spent + first!.left!, 1024);
  t.match(
    rest.find(({ key }) => key === 'claim'),
    { identity: null },
  );
  t.match(
    rest.find(({ key }) => key === 'identity'),
    { subject: 'build', wildcard: null, contain: null, left: null },
  );
  t.same(
    (await balances(made, '?lease=le-quiet')).map(({ subject }) => subject),
    ['le-quiet'],
  );
  t.equal((await balances(made, '?identity=build')).length, 4);
  t.equal((await balances(made, '?identity=build&limit=1')).length, 1);
  made.desk.tick += 9 * TICKS_A_SLICE;
  made.desk.ledger.sweep(made.desk.tick);
  t.same(await balances(made), [], 'what left the window is gone');
});

t.test('a reset is an act of an administrator: it names whom and why, and is logged', async (t) => {
  const made = await house(t);
  ask(made, 'le-1', '10.1.0.8', 1000);
  ask(made, 'le-1', '10.1.0.8', 3, 'build', 'other.example');
  ask(made, 'le-2', '10.1.0.9', 3);
  const before = (await balances(made)).length;
  for (const [body, status, detail] of [
    [{ lease: 'le-1' }, 400, /reason/],
    [{ reason: 'x' }, 400, /one of lease, identity and claim/],
    [{ reason: 'x', lease: 'le-1', identity: 'build' }, 400, /one of lease, identity and claim/],
    [{ reason: ' ', lease: 'le-1' }, 400, /plain text/],
    [{ reason: 'x', lease: 'le-1', wildcard: '*..x' }, 400, /dot/],
    [{ reason: 'x', lease: 'le-9' }, 404, /nothing was charged to le-9/],
    [{ reason: 'x', lease: 'le-1', wildcard: 'third.example' }, 404, /under third.example/],
    [{ reason: 'x', leese: 'le-1' }, 400, /leese/],
  ] as const) {
    const reply = await made.ask('POST', '/v1/ledger/reset', body);
    t.equal(reply.status, status, JSON.stringify(body));
    t.match(JSON.stringify(reply.body), detail);
  }
  t.equal((await balances(made)).length, before, 'nothing was reset');
  t.equal(made.desk.written, 0);

  const one = await made.ask('POST', '/v1/ledger/reset', {
    lease: 'le-1',
    wildcard: '**.T.example.',
    reason: 'false alarm\n CHG-1',
  });
  t.equal(one.status, 200);
  t.match(one.body, { reset: [{ key: 'lease', subject: 'le-1', wildcard: 't.example' }] });
  t.equal(made.desk.written, 1, 'it is written down before it is answered');
  t.match(
    made.log.lines.find(({ event }) => event === 'ledger-reset'),
    {
      fields: {
        lease: 'le-1',
        by: 'admin-socket',
        reason: 'false alarm CHG-1',
        balances: 1,
        wildcard: '**.T.example.',
      },
    },
  );
  t.equal(ask(made, 'le-1', '10.1.0.8', 3), 3, 'it may ask again');

  const claim = await made.ask('POST', '/v1/ledger/reset', { claim: '10.1.0.8', reason: 'x' });
  t.match(claim.body, { reset: [{ key: 'claim' }, { key: 'claim' }] });
  const all = await made.ask('POST', '/v1/ledger/reset', { identity: 'build', reason: 'x' });
  t.equal(all.status, 200);
  t.same(
    (await balances(made)).map(({ key, subject }) => [key, subject]),
    [['claim', '10.1.0.9']],
    "a claim is no identity's",
  );

  ask(made, 'le-1', '10.1.0.8', 1);
  made.desk.fault = { code: 'ENOSPC', message: 'full' };
  const full = await made.ask('POST', '/v1/ledger/reset', { lease: 'le-1', reason: 'x' });
  t.match(full, { status: 507, body: { detail: /ENOSPC.*until namegate is started anew/ } });
});

t.test('an IPv6 claim is its /64, however it is written', async (t) => {
  const made = await house(t);
  ask(made, 'le-1', '2001:db8:0:1::/64', 1);
  for (const claim of ['2001:db8:0:1::7', '2001:DB8:0:1:0:0:0:0/64']) {
    const { status } = await made.ask('POST', '/v1/ledger/reset', { claim, reason: 'x' });
    t.equal(status, 200, claim);
  }
});

t.test('rights: who administers resets, and what another identity has is not seen', async (t) => {
  const token = (
    name: string,
    identities: 'all' | readonly string[],
    rights: readonly Right[],
  ): TokenRights => ({
    name,
    sha256: createHash('sha256').update(`secret-${name}`).digest('hex'),
    rights,
    identities,
    addresses: [],
    certificates: [],
    until: 0xffff_ffff,
  });
  const tokens = [
    token('boss', 'all', ['administer']),
    token('half', ['build'], ['administer']),
    token('mover', ['build'], ['open', 'advance']),
  ];
  const made = await house(t, { setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens, oidc: [] } });
  ask(made, 'le-1', '10.1.0.8', 2);
  ask(made, 'le-2', '10.2.0.8', 2, 'steady');
  const as = (name: string, method: string, path: string, body?: object) =>
    made.ask(method, path, body, { authorization: `Bearer secret-${name}` });
  const seen = async (name: string) => (await as(name, 'GET', '/v1/ledger')).body['count'];
  t.equal(await seen('boss'), 8);
  t.equal(await seen('half'), 3, 'claims belong to no identity');
  t.equal(await seen('mover'), 3);
  t.equal((await made.ask('GET', '/v1/ledger')).status, 401);
  t.equal((await as('half', 'GET', '/v1/ledger?identity=steady')).status, 403);
  for (const [name, body, status] of [
    ['mover', { lease: 'le-1' }, 403],
    ['half', { lease: 'le-2' }, 403],
    ['half', { lease: 'le-9' }, 403],
    ['half', { identity: 'steady' }, 403],
    ['half', { claim: '10.1.0.8' }, 403],
    ['half', { lease: 'le-1' }, 200],
    ['half', { identity: 'build' }, 200],
    ['boss', { claim: '10.1.0.8' }, 200],
    ['boss', { lease: 'le-9' }, 404],
  ] as const) {
    const reply = await as(name, 'POST', '/v1/ledger/reset', { ...body, reason: 'x' });
    t.equal(reply.status, status, `${name} ${JSON.stringify(body)}`);
  }
  t.match(
    made.log.lines.find(({ event }) => event === 'ledger-reset'),
    { fields: { by: 'half' } },
  );
});

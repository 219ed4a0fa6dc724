import t from 'tap';
import type { Lease } from '../../src/policy/lease/lease.ts';
import { Credential } from '../../src/resolve/client/credential.ts';
import { House, type QueryOptions } from './house.ts';
import { exception, policy, rule } from './policy.ts';

/** Recognition, strongest first; the weaker never overrides. Each identity may resolve its own name alone. */

const POLICY = policy({
  pool: { from: ['10.0.0.0/8'], allow: ['pool.example'] },
  alice: {
    from: [],
    certificates: ['spiffe://ci.example/alice', 'dns:alice.example'],
    allow: ['alice.example'],
  },
  teams: { from: [], certificates: ['spiffe://ci.example/team/*'], allow: ['teams.example'] },
  job: {
    from: ['127.0.0.9'],
    allow: ['job.example'],
    exceptions: [exception('always.example', '2030-01-01T00:00:00Z')],
    more: [
      'stages:',
      `  fetch: { allow: [${rule('fetch.example')}] }`,
      '  build: { only: [] }',
      `  release: { only: [${rule('release.example')}] }`,
    ],
  },
  plain: { from: ['127.0.0.10'], allow: ['plain.example'] },
  vault: {
    from: ['10.9.0.0/16'],
    certificates: ['dns:vault.example'],
    allow: ['vault.example'],
    more: ['proof: certificate'],
  },
});
const NAMES = ['pool', 'alice', 'teams', 'job', 'plain', 'vault', 'fetch', 'release', 'always'];

/** Which of the names an asker may resolve. */
async function tree(house: House, options: QueryOptions): Promise<string> {
  const seen: string[] = [];
  for (const name of NAMES) {
    const answer = [`${name}.example 300 A 192.0.2.1`];
    const reply = await house.ask(`${name}.example`, 'A', options, { answer });
    if (reply.answer.length > 0) seen.push(name);
  }
  return seen.join(' ');
}

function prefix(text: string): { family: 4; words: number[]; length: number } {
  const [address = '', length = '32'] = text.split('/');
  return {
    family: 4,
    words: [address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)],
    length: Number(length),
  };
}

interface Wanted {
  readonly identity: string;
  readonly stage?: string | null;
  readonly address?: string;
  readonly certificate?: string;
  readonly seconds?: number;
  readonly quarantine?: number;
}

function lease(house: House, id: string, wanted: Wanted): Lease {
  const made = {
    id,
    identity: wanted.identity,
    stage: wanted.stage ?? null,
    addresses: wanted.address === undefined ? [] : [prefix(wanted.address)],
    certificate: wanted.certificate ?? null,
    job: null,
    endsAt: house.now + (wanted.seconds ?? 3600) * 1000,
    quarantine: (wanted.quarantine ?? 0) * 1000,
    sourceEnforced: false,
    known: true,
  };
  if (house.leases.open(made, house.now) !== null) throw new Error(`${id} is in conflict`);
  return made;
}

function shown(...names: string[]): Credential {
  return new Credential([...names, 'sha256:00'], null);
}

const FROM = (from: string, credential: Credential | null = null): QueryOptions => ({
  transport: 'tls',
  from,
  credential,
});

t.test('the strongest proof says who asks', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.equal(await tree(house, FROM('10.1.1.1')), 'pool', 'the static prefix');
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1' });
  t.equal(await tree(house, FROM('10.1.1.1')), 'plain', 'a lease on the address');
  t.equal(await tree(house, FROM('10.1.1.2')), 'pool', 'binds that address alone');
  const alice = shown('dns:alice.example');
  t.equal(await tree(house, FROM('10.1.1.1', alice)), 'alice', 'the certificate');
  lease(house, 'l2', { identity: 'teams', certificate: 'dns:alice.example' });
  t.equal(await tree(house, FROM('10.1.1.1', alice)), 'teams', 'a lease on the certificate');
  t.equal(await tree(house, FROM('10.1.1.1')), 'plain', 'binds nobody who does not show it');
  house.leases.end('l2', house.now);
  lease(house, 'l3', { identity: 'pool', certificate: 'dns:alice.example', address: '10.1.1.7' });
  t.equal(await tree(house, FROM('10.1.1.7', alice)), 'pool', 'a lease on both');
  t.equal(await tree(house, FROM('10.1.1.8', alice)), 'alice', 'binds from that address alone');
  t.equal(await tree(house, FROM('10.1.1.7')), 'pool', 'without the certificate the prefix speaks');
});

t.test('a certificate that says nothing good is nobody, wherever it is shown', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1' });
  const broken = new Credential(['dns:alice.example'], { rule: 'two-uris', text: 'it has two URI names' });
  const why = await house.query('a.example._why.namegate.internal', 'TXT', FROM('10.2.2.2', broken));
  t.match(why.answer.join(' '), /does not take it: it has two URI names/, 'in words');
  for (const from of ['10.1.1.1', '10.2.2.2']) {
    t.equal(await tree(house, FROM(from, broken)), '', 'a broken rule');
    t.equal(await tree(house, FROM(from, shown('dns:other.example'))), '', 'nobody claims it');
    t.equal(
      await tree(house, FROM(from, shown('dns:alice.example', 'dns:vault.example'))),
      '',
      'two claim it',
    );
  }
  t.equal(await tree(house, FROM('10.1.1.2', shown('spiffe://ci.example/team/seven'))), 'teams');
  t.equal(await tree(house, FROM('10.1.1.2', shown('spiffe://ci.example/team/seven/eight'))), '');
  t.equal(await tree(house, FROM('10.1.1.2', shown('spiffe://ci.example/team/'))), '');
});

t.test('a certificate from an address of another identity is told, once for each policy', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const alice = shown('dns:alice.example');
  await tree(house, FROM('10.1.1.1', alice));
  t.match(house.findings, [{ kind: 'identity-disagreement', identity: 'alice', other: 'pool' }]);
  t.equal(house.findings.length, 1);
  await tree(house, FROM('192.0.2.1', shown('dns:alice.example')));
  t.equal(house.findings.length, 1, 'an address that nobody claims agrees with everyone');
  house.reload(POLICY);
  await tree(house, FROM('10.1.1.1', alice));
  t.equal(house.findings.length, 2);
});

t.test('a certificate of nobody, or of two, is told, once for each policy', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const nobody = shown('dns:other.example');
  const both = shown('dns:alice.example', 'dns:vault.example');
  for (const who of [nobody, both, nobody, both]) await tree(house, FROM('192.0.2.1', who));
  t.match(house.findings, [
    { kind: 'certificate-of-nobody', identity: 'unknown', certificate: ['dns:other.example'] },
    { kind: 'certificate-of-two', identity: 'unknown', certificate: both.names },
  ]);
  t.equal(house.findings.length, 2);
  house.reload(POLICY);
  await tree(house, FROM('192.0.2.1', nobody));
  t.equal(house.findings.length, 3);
  const leased = shown('dns:leased.example');
  lease(house, 'l1', { identity: 'alice', certificate: 'dns:leased.example' });
  t.equal(await tree(house, FROM('192.0.2.1', leased)), 'alice');
  t.equal(house.findings.length, 3, 'a lease says whose it is');
});

t.test('proof: certificate makes every address claim unknown', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.equal(await tree(house, FROM('10.9.0.1')), '', 'the prefix');
  lease(house, 'l1', { identity: 'vault', address: '10.1.1.1' });
  t.equal(await tree(house, FROM('10.1.1.1')), '', 'a lease on the address');
  t.equal(await tree(house, FROM('10.1.1.1', shown('dns:vault.example'))), 'vault');
});

t.test(
  'stages: a lease enters them, in view and TTL; without one the identity has its own list',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    t.equal(await tree(house, FROM('127.0.0.9')), 'job always', 'no lease, no stage');
    lease(house, 'l1', { identity: 'job', address: '10.1.1.1' });
    t.equal(
      await tree(house, FROM('10.1.1.1')),
      'job fetch always',
      'a lease without a stage starts at the first',
    );
    house.leases.change('l1', { stage: 'build' }, house.now);
    t.equal(
      await tree(house, FROM('10.1.1.1')),
      'always',
      "`only` drops the identity's own list; exceptions hold",
    );
    house.leases.change('l1', { stage: 'release' }, house.now);
    t.equal(await tree(house, FROM('10.1.1.1')), 'release always');
    const why = await house.query('fetch.example._why.namegate.internal', 'TXT', FROM('10.1.1.1'));
    t.match(why.answer[0], /deny for job at stage release/);
    house.leases.change('l1', { stage: 'gone' }, house.now);
    t.equal(await tree(house, FROM('10.1.1.1')), '', "a stage that the policy has not is nobody's");
    lease(house, 'l2', { identity: 'gone', address: '10.1.1.2' });
    t.equal(await tree(house, FROM('10.1.1.2')), '', 'and so is an identity');
  },
);

t.test('TTLs under a lease are short, and end with it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const ttl = async (): Promise<string> =>
    (
      await house.ask('plain.example', 'A', FROM('10.1.1.1'), { answer: ['plain.example 300 A 192.0.2.1'] })
    ).answer.join();
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1', seconds: 40 });
  t.equal(await ttl(), 'plain.example 30 A 192.0.2.1');
  house.pass(25);
  t.equal(await ttl(), 'plain.example 15 A 192.0.2.1');
  house.pass(14.5);
  t.equal(await ttl(), 'plain.example 0 A 192.0.2.1');
  house.pass(0.5);
  t.equal(await ttl(), '', 'to the second');
  t.equal(await tree(house, FROM('10.1.1.1')), 'pool');
});

t.test('quarantine: the address is unknown for a while', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1', seconds: 60, quarantine: 600 });
  house.pass(60);
  t.equal(await tree(house, FROM('10.1.1.1')), '');
  house.pass(600);
  t.equal(await tree(house, FROM('10.1.1.1')), 'pool');
});

t.test('a question that waits is answered under who asks when its answer comes', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1', seconds: 60 });
  const ended = house.query('plain.example', 'A', FROM('10.1.1.1'));
  house.leases.end('l1', house.now);
  house.settleAll({ answer: ['plain.example 300 A 192.0.2.1'] });
  t.equal((await ended).rcode, 3, 'the lease has ended');
  t.equal(house.resolver.waiting, 0);
});

t.test('verdicts are counted by lease, denials without proof apart', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, 'l1', { identity: 'plain', address: '10.1.1.1' });
  await tree(house, FROM('10.1.1.1'));
  await house.query('evil.example', 'A', { from: '10.1.1.1', spoofable: true });
  await house.query('plain.example', 'MX', { from: '10.1.1.1' });
  await house.query('localhost', 'A', { from: '10.1.1.1' });
  await house.query('plain.example', 'A', { from: '10.1.1.1', spoofable: true });
  t.same(house.resolver.tally.of('l1'), {
    allow: 1,
    local: 1,
    empty: 1,
    deny: 8,
    deny_unproven: 1,
    deny_expected: 0,
  });
  house.resolver.tally.forget('l1');
  t.same(house.resolver.tally.of('l1'), {
    allow: 0,
    local: 0,
    empty: 0,
    deny: 0,
    deny_unproven: 0,
    deny_expected: 0,
  });
});

t.test('UDP is proof for a lease whose source is enforced, and for nobody else', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const made = lease(house, 'l1', { identity: 'plain', address: '10.1.1.1', seconds: 60, quarantine: 60 });
  const from = (address: string): QueryOptions => ({ from: address, spoofable: true });
  t.same((await house.query('plain.example', 'A', from('10.1.1.1'))).answer, [], 'it is sent to TCP');
  t.same(house.asked, []);
  house.leases.change('l1', { sourceEnforced: true }, house.now);
  const answer = { answer: ['plain.example 60 A 192.0.2.7'] };
  const told = await house.ask('plain.example', 'A', from('10.1.1.1'), answer);
  t.same(told.answer, ['plain.example 30 A 192.0.2.7']);
  await house.query('evil.example', 'A', from('10.1.1.1'));
  t.match(house.resolver.tally.of('l1'), { deny: 1, deny_unproven: 0 });
  house.exits.length = 0;
  await house.query('pool.example', 'A', from('10.1.1.2'));
  t.same(house.exits, ['unproven'], 'a neighbour');
  house.leases.change('l1', { known: false }, house.now);
  await house.query('evil.example', 'A', from('10.1.1.1'));
  t.match(house.exits.at(-1), /unproven/, 'nor while the policy lacks its identity');
  house.leases.change('l1', { known: true }, house.now);
  house.leases.end(made.id, house.now);
  await house.query('evil.example', 'A', from('10.1.1.1'));
  t.match(house.exits.at(-1), /unproven/, 'nor when it is over');
});

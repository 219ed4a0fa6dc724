import t from 'tap';
import { buildTrust } from '../../src/identity/client-trust.ts';
import { readCrl } from '../../src/identity/crl.ts';
import { Authority, type CrlOptions, keyPair } from './authority.ts';
import * as der from './der.ts';
import { NOW, outcome, setting, told, trust, type Written } from './listener.ts';

const ca = new Authority({ name: 'clients' });
const client = ca.issue({ dns: ['a.example'] });
const at = (seconds: number) => new Date((NOW + seconds) * 1000);

function of(crl: CrlOptions, written: Written = {}, epoch = NOW): string {
  const judge = trust({ clientCa: ca.pem, crl: ca.crl(crl).pem, ...written });
  return outcome(judge.judge(client.chain, epoch));
}

function refusal(crl: string): string | undefined {
  const { trust: judge, problems } = buildTrust(setting({ clientCa: ca.pem, crl }), NOW);
  const wrong = problems.find(({ code }) => code === 'crl-invalid');
  t.equal(judge === null, wrong !== undefined);
  return wrong?.message;
}

t.test('what a CRL revokes is refused', async (t) => {
  t.equal(of({ revoked: [] }), 'dns:a.example');
  t.equal(of({ revoked: [client] }), 'refused: revoked');
  t.equal(of({ revoked: [1, 2, 3, client, 70_000] }), 'refused: revoked');
  t.equal(of({ revoked: [client.serial + 1, client.serial + 256, 0] }), 'dns:a.example');
  for (const reason of [0, 1, 2, 3, 4, 5, 6, 9, 10])
    t.equal(of({ revoked: [{ serial: client.serial, reason }] }), 'refused: revoked', `reason ${reason}`);
  t.equal(
    of({ revoked: [{ serial: client.serial, reason: 8 }] }),
    'dns:a.example',
    'RFC 5280 §6.3.3 (k): removeFromCRL',
  );
  t.equal(
    of({
      revoked: [
        { serial: client.serial, reason: 8 },
        { serial: client.serial, reason: 1 },
      ],
    }),
    'refused: revoked',
    'revoked beside it',
  );
  t.equal(of({ revoked: [{ serial: client.serial, date: at(3600) }] }), 'refused: revoked', 'a date to come');
  const invalidity = {
    oid: '2.5.29.24',
    critical: false,
    value: der.tlv(der.TAG.GENERALIZED_TIME, Buffer.from('20260101000000Z')),
  };
  t.equal(of({ revoked: [{ serial: client.serial, reason: 8, extensions: [invalidity] }] }), 'dns:a.example');
  t.equal(of({ revoked: [{ serial: client.serial, extensions: [invalidity] }] }), 'refused: revoked');
});

t.test('a CRL that has ended, and crl_ended', async (t) => {
  const ends = { nextUpdate: at(100) };
  t.equal(of(ends, {}, NOW + 99), 'dns:a.example');
  t.equal(of(ends, {}, NOW + 100), 'refused: crl');
  t.equal(of(ends, { crlEnded: 'accept' }, NOW + 100), 'dns:a.example');
  t.equal(of({ ...ends, revoked: [client] }, { crlEnded: 'accept' }, NOW + 100), 'refused: revoked');
  const judged = (written: Written) =>
    trust({ clientCa: ca.pem, crl: ca.crl(ends).pem, ...written }).judge(client.chain, NOW);
  t.match(judged({}), { until: NOW + 100 }, 'judged again when it ends');
  const judgement = judged({ crlEnded: 'accept' });
  t.ok(judgement.kind === 'accepted' && judgement.until > NOW + 80_000);
  t.equal(of({ thisUpdate: at(60) }), 'refused: crl', 'not begun');
  t.equal(of({ thisUpdate: at(60) }, { crlEnded: 'accept' }), 'refused: crl');
  const build = (crl: CrlOptions, crlEnded: 'refuse' | 'accept' = 'refuse') =>
    buildTrust(setting({ clientCa: ca.pem, crl: ca.crl(crl).pem, crlEnded }), NOW).problems;
  t.same(told(build({ nextUpdate: at(-1) })), ['crl-ended warning clients.crl:1']);
  t.match(build({ nextUpdate: at(-1) }, 'accept'), [{ message: /revoked since is let in/ }]);
  t.same(told(build({ thisUpdate: at(60) })), ['crl-ended warning clients.crl:1']);
});

t.test('a CRL that nears its end is told ahead of time', async (t) => {
  const state = (thisUpdate: number, nextUpdate: number) =>
    trust({
      clientCa: ca.pem,
      crl: ca.crl({ thisUpdate: at(thisUpdate), nextUpdate: at(nextUpdate), revoked: [1, 2] }).pem,
    }).crls(NOW);
  t.same(state(-100, 100), [
    { issuer: 'CN=clients', thisUpdate: NOW - 100, nextUpdate: NOW + 100, revoked: 2, state: 'good' },
  ]);
  const day = 86_400;
  for (const [from, to, wanted] of [
    [-76, 24, 'near'],
    [-75, 25, 'good'],
    [-100, 0, 'ended'],
    [1, 100, 'early'],
    [-6 * day, day - 1, 'near'],
    [-6 * day, day, 'good'],
  ] as const)
    t.equal(state(from, to)[0]?.state, wanted, `${from} to ${to}`);
  t.same(trust({ clientCa: ca.pem }).crls(NOW), []);
});

t.test('a bad signature or another issuer changes nothing, and is reported', async (t) => {
  const { pem } = ca.crl({ revoked: [1] });
  t.equal(refusal(pem), undefined);
  t.match(refusal(ca.crl({ key: keyPair() }).pem), /does not verify/);
  t.match(refusal(new Authority({ name: 'other' }).crl().pem), /CN=other is no CA of client_ca/);
  t.match(refusal(new Authority({ name: 'clients' }).crl().pem), /does not verify/);
  t.match(refusal(ca.crl({ hash: 'sha1' }).pem), /SHA-1/);
  t.match(refusal(ca.crl({ nextUpdate: null }).pem), /when the next one comes/);
  t.match(refusal(''), /holds no CRL/);
  t.match(refusal('hello'), /holds no CRL/);
  t.match(refusal(pem.replace('END X509', 'END Y509')), /not PEM/);
  t.match(refusal(`${pem}${pem.slice(0, 120)}\n-----END X509 CRL-----\n`), /no CRL in DER|not PEM/);
  const flipped = new Uint8Array(ca.crl({ revoked: [1] }).der);
  flipped[60]! ^= 1;
  t.ok(refusal(der.pem('X509 CRL', flipped)));
  const silent = new Authority({ name: 'silent', keyUsage: ['keyCertSign'] });
  t.match(
    buildTrust(setting({ clientCa: silent.pem, crl: silent.crl().pem }), NOW).problems,
    [{ code: 'crl-invalid', message: /lacks cRLSign/ }, {}].slice(0, 1),
  );
  const two = `${ca.crl().pem}# the next one is bad\n${new Authority({ name: 'other' }).crl().pem}`;
  const { problems } = buildTrust(setting({ clientCa: ca.pem, crl: two }), NOW);
  t.equal(problems[0]?.at.line, ca.crl().pem.split('\n').length + 1, 'told at its line');
});

t.test('delta and indirect CRLs and unknown critical extensions are refused', async (t) => {
  const of = (oid: string, critical: boolean) =>
    refusal(ca.crl({ extensions: [{ oid, critical, value: der.integer(1) }] }).pem);
  t.match(of('2.5.29.27', true), /delta CRL/);
  t.match(of('2.5.29.28', true), /indirect CRL/);
  t.match(of('1.2.3.4', true), /1\.2\.3\.4 is not known/);
  t.equal(of('1.2.3.4', false), undefined);
  const entry = (oid: string, critical: boolean) =>
    refusal(ca.crl({ revoked: [{ serial: 9, extensions: [{ oid, critical, value: der.sequence() }] }] }).pem);
  t.match(entry('2.5.29.29', true), /indirect CRL/);
  t.match(entry('1.2.3.4', true), /1\.2\.3\.4 of an entry is not known/);
  t.equal(entry('1.2.3.4', false), undefined);
});

t.test('every issuer below client_ca needs a CRL; a trust domain does not', async (t) => {
  const middle = ca.intermediate({ name: 'middle' });
  const leaf = middle.issue({ dns: ['a.example'] });
  const of = (clientCa: string, crl: string) => outcome(trust({ clientCa, crl }).judge(leaf.chain, NOW));
  t.equal(of(ca.pem, ca.crl().pem), 'refused: crl');
  t.equal(of(ca.pem + middle.pem, ca.crl().pem), 'refused: crl');
  t.equal(of(ca.pem + middle.pem, ca.crl().pem + middle.crl().pem), 'dns:a.example');
  t.equal(of(ca.pem + middle.pem, ca.crl().pem + middle.crl({ revoked: [leaf] }).pem), 'refused: revoked');
  const revokedMiddle = ca.intermediate({ name: 'revoked' });
  t.equal(
    outcome(
      trust({
        clientCa: ca.pem + revokedMiddle.pem,
        crl: ca.crl({ revoked: [1000, 1001, 1002, 1003] }).pem + revokedMiddle.crl().pem,
      }).judge(revokedMiddle.issue().chain, NOW),
    ),
    'refused: revoked',
    'a CA below it is revoked',
  );

  const spiffe = new Authority({ name: 'ci' });
  const workload = spiffe.issue({ uris: ['spiffe://ci.example/a'] });
  const judge = (crl: string, clientCa: string) =>
    outcome(trust({ clientCa, crl, domains: { 'ci.example': spiffe.pem } }).judge(workload.chain, NOW));
  t.equal(judge(ca.crl().pem, ca.pem), 'spiffe://ci.example/a');
  t.equal(
    judge(ca.crl().pem + spiffe.crl({ revoked: [workload] }).pem, ca.pem),
    'refused: revoked',
    'one that is there counts',
  );
  t.equal(judge(ca.crl().pem, ca.pem + spiffe.pem), 'refused: crl', 'a CA in both is below client_ca');
  const warned = buildTrust(setting({ clientCa: ca.pem + spiffe.pem, crl: ca.crl().pem }), NOW).problems;
  t.same(told(warned), ['crl-missing warning clients.crl:1']);
});

t.test('of two CRLs of one CA the newer counts, in any order', async (t) => {
  const old = ca.crl({ thisUpdate: at(-1000), revoked: [client] }).pem;
  const young = ca.crl({ thisUpdate: at(-10) }).pem;
  for (const crl of [old + young, young + old])
    t.equal(outcome(trust({ clientCa: ca.pem, crl }).judge(client.chain, NOW)), 'dns:a.example');
});

/** Microseconds of processor time for so many rounds. */
function work(rounds: number, round: () => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) round();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

t.test('a hundred thousand entries are read beside those who are served', async (t) => {
  const revoked = Array.from({ length: 100_000 }, (_, i) => ({ serial: 5_000_000 + 977 * i, reason: i % 7 }));
  const big = ca.crl({ revoked });
  const ofBig = work(5, () => readCrl(big.der));
  // The same entries in ten times as many lists cost about the same, and not a tenth of it.
  const small = ca.crl({ revoked: revoked.slice(0, 10_000) });
  const ofSmall = work(50, () => readCrl(small.der));
  t.ok(ofBig < 5 * ofSmall, `${ofBig} µs for 5 of 100,000 entries, ${ofSmall} µs for 50 of 10,000`);
  const crl = readCrl(big.der);
  if (typeof crl === 'string') throw new Error(crl);
  t.equal(crl.revoked, 100_000);
  for (const { serial } of revoked.filter((_, i) => i % 997 === 0)) {
    const content = der.integer(serial).subarray(2);
    t.ok(crl.revokes({ serial: content } as never));
    t.notOk(crl.revokes({ serial: der.integer(serial + 1).subarray(2) } as never));
  }
});

import t from 'tap';
import { buildTrust } from '../../src/identity/client-trust.ts';
import { CertificateMemo } from '../../src/identity/memo.ts';
import { worked } from '../clock.ts';
import { Authority, type CertificateOptions, distinguishedName, keyPair } from './authority.ts';
import * as der from './der.ts';
import { NOW, outcome, setting, trust } from './listener.ts';

const ca = new Authority({ name: 'clients' });
const judge = trust({ clientCa: ca.pem });
const SPIFFE = 'spiffe://ci.example/payments/build';

function of(options: CertificateOptions, epoch = NOW): string {
  return outcome(judge.judge(ca.issue(options).chain, epoch));
}

const at = (seconds: number) => new Date((NOW + seconds) * 1000);

t.test('what a certificate proves', async (t) => {
  const client = ca.issue({ uris: [SPIFFE], dns: ['Build.CI.example', 'b.example'], notAfter: at(600) });
  t.strictSame(
    { ...judge.judge(client.chain, NOW), credential: null },
    { kind: 'accepted', credential: null, until: NOW + 600 },
    'until its end',
  );
  const judgement = judge.judge(client.chain, NOW);
  t.match(judgement, {
    credential: {
      fault: null,
      names: [`sha256:${client.sha256}`, SPIFFE, 'dns:build.ci.example', 'dns:b.example'],
    },
  });
  t.equal(of({ name: 'admin.example' }), '', 'CN decides nothing');
  t.equal(of({ keyUsage: null, eku: null, dns: ['a.example'] }), 'dns:a.example', 'no usage forbids nothing');
  t.equal(of({ version: 1 }), '', 'version 1 has a fingerprint alone');
  t.equal(
    of({
      dns: ['*.example', 'a..example', '10.0.0.1', 'a.example.', '-a.example', 'é.example', 'a\0.example'],
    }),
    '',
  );
  t.equal(of({ dns: ['A.example', 'a.EXAMPLE'] }), 'dns:a.example');
  t.equal(of({ emails: ['a@b.example'], ips: ['127.0.0.1', '::1'], uris: ['https://a.example/'] }), '');
});

t.test('rules of a certificate that verifies: who breaks one is unknown', async (t) => {
  const rows: [options: CertificateOptions, wanted: string][] = [
    [{ ca: true }, 'unknown: ca-certificate'],
    [{ ca: false }, SPIFFE],
    [{ keyUsage: ['digitalSignature', 'keyCertSign'] }, 'unknown: signs-certificates'],
    [{ keyUsage: ['digitalSignature', 'cRLSign'] }, 'unknown: signs-certificates'],
    [{ uris: [SPIFFE, 'spiffe://ci.example/other'] }, 'unknown: two-uris'],
    [{ uris: [SPIFFE, SPIFFE] }, 'unknown: two-uris'],
    [{ uris: ['https://a.example/', SPIFFE] }, 'unknown: two-uris'],
    [{ keyUsage: null }, 'unknown: spiffe-key-usage'],
    [{ keyUsage: ['keyAgreement'] }, 'unknown: spiffe-key-usage'],
    [{ dns: Array.from({ length: 100 }, (_, i) => `n${i}.example`) }, 'unknown: names-many'],
  ];
  for (const [options, wanted] of rows)
    t.equal(of({ uris: [SPIFFE], ...options }), wanted, JSON.stringify(options));
  const broken = ca.issue({ uris: [SPIFFE], dns: ['a.example'], ca: true });
  t.match(
    judge.judge(broken.chain, NOW),
    { credential: { names: [`sha256:${broken.sha256}`] } },
    'no name is given',
  );
});

t.test('SPIFFE-ID §2: what is no ID of a workload', async (t) => {
  for (const uri of [
    'spiffe://ci.example',
    'spiffe://ci.example/',
    'spiffe://ci.example//a',
    'spiffe://ci.example/a/',
    'spiffe://ci.example/./a',
    'spiffe://ci.example/a/..',
    'spiffe://CI.example/a',
    'SPIFFE://ci.example/a',
    'spiffe://ci.example:1/a',
    'spiffe://me@ci.example/a',
    'spiffe:///a',
    'spiffe:a',
    'spiffe://ci.example/a%62',
    'spiffe://ci.example/a?b',
    'spiffe://ci.example/a#b',
    'spiffe://ci.example/a, DNS:evil.example',
    'spiffe://ci.example/a\n',
    'spiffe://ci.example/a\0b',
    'spiffe://ci.example/*',
    `spiffe://ci.example/${'a'.repeat(2029)}`,
  ]) {
    t.equal(of({ uris: [uri] }), 'unknown: spiffe-form', JSON.stringify(uri.slice(0, 60)));
  }
  const longest = `spiffe://ci.example/${'a'.repeat(2028)}`;
  t.equal(of({ uris: [longest] }), longest);
  t.equal(of({ uris: ['spiffe://ci_1.example/A.b-c_d/0'] }), 'spiffe://ci_1.example/A.b-c_d/0');
});

t.test('a SAN whose text holds ", DNS:" is one name, and no name of ours', async (t) => {
  t.equal(of({ dns: ['a.example, DNS:admin.example'] }), '');
  t.equal(of({ uris: ['urn:a, URI:spiffe://ci.example/payments/build'] }), '');
  t.equal(of({ emails: ['a, DNS:admin.example, URI:spiffe://ci.example/payments/build'] }), '');
  t.equal(of({ names: [der.context(2, 'a.example\0.evil.example')] }), '');
});

t.test('chain, dates and purpose fail the handshake', async (t) => {
  t.equal(of({ eku: ['serverAuth'] }), 'refused: purpose');
  t.equal(of({ eku: ['any'] }), 'refused: purpose', 'anyExtendedKeyUsage is not clientAuth');
  t.equal(of({ eku: ['any', 'clientAuth'] }), '');
  t.equal(of({ keyUsage: ['keyEncipherment'] }), 'refused: purpose');
  t.equal(of({ notAfter: at(-1) }), 'refused: dates');
  t.equal(of({ notAfter: at(0) }), 'refused: dates', 'the second of its end is not in it');
  t.equal(of({ notAfter: at(1) }), '');
  t.equal(of({ notBefore: at(1) }), 'refused: dates');
  t.equal(of({ notBefore: at(0) }), '');
  t.equal(of({ extensions: [{ oid: '1.2.3.4', critical: true, value: der.tlv(5) }] }), 'refused: chain');
  t.equal(of({ extensions: [{ oid: '1.2.3.4', critical: false, value: der.tlv(5) }] }), '');
  t.equal(of({ keyType: 'rsa1024' }), 'refused: chain');
  t.equal(of({ keyType: 'ed25519' }), '');
  const self = new Authority({
    name: 'self',
    ca: false,
    keyUsage: ['digitalSignature'],
    eku: ['clientAuth'],
  });
  t.equal(outcome(judge.judge([self.der], NOW)), 'refused: chain', 'self-signed');
  t.equal(outcome(judge.judge([ca.der], NOW)), 'refused: purpose', 'the CA itself');
  const twin = new Authority({ name: 'clients' });
  t.equal(outcome(judge.judge(twin.issue().chain, NOW)), 'refused: signature', "another CA of the CA's name");
  t.equal(outcome(judge.judge(new Authority({ name: 'other' }).issue().chain, NOW)), 'refused: chain');
  t.equal(outcome(judge.judge([], NOW)), 'refused: none');
  t.equal(outcome(judge.judge([new Uint8Array(0)], NOW)), 'refused: form');
  t.equal(outcome(judge.judge([new Uint8Array(70_000)], NOW)), 'refused: form');
});

t.test('weak signatures do not count', async (t) => {
  const rsa = new Authority({ name: 'rsa', keyType: 'rsa2048' });
  const weak = trust({ clientCa: rsa.pem + ca.pem });
  for (const hash of ['sha1', 'md5'] as const)
    t.equal(outcome(weak.judge(rsa.issue({ hash }).chain, NOW)), 'refused: signature', hash);
  t.equal(outcome(weak.judge(ca.issue({ hash: 'sha1' }).chain, NOW)), 'refused: signature');
  for (const hash of ['sha256', 'sha384'] as const) {
    t.equal(outcome(weak.judge(rsa.issue({ hash }).chain, NOW)), '', hash);
    t.equal(outcome(weak.judge(ca.issue({ hash }).chain, NOW)), '', hash);
  }
  const ed = new Authority({ name: 'ed', keyType: 'ed25519' });
  t.equal(outcome(trust({ clientCa: ed.pem }).judge(ed.issue().chain, NOW)), '');
});

t.test('RFC 5280 §6.1: paths over intermediates', async (t) => {
  const through = (options: CertificateOptions) => {
    const middle = ca.intermediate({ name: 'middle', ...options });
    return outcome(judge.judge(middle.issue({ dns: ['a.example'] }).chain, NOW));
  };
  t.equal(through({}), 'dns:a.example');
  t.equal(through({ eku: ['clientAuth'] }), 'dns:a.example');
  t.equal(through({ eku: ['serverAuth'] }), 'refused: purpose');
  t.equal(through({ ca: false }), 'refused: chain');
  t.equal(through({ keyUsage: ['cRLSign'] }), 'refused: chain');
  t.equal(through({ keyUsage: null }), 'dns:a.example');
  t.equal(through({ notAfter: at(-5) }), 'refused: dates');
  t.equal(through({ notBefore: at(5) }), 'refused: dates');
  t.equal(through({ keyType: 'rsa1024' }), 'refused: chain');
  t.equal(through({ version: 1 }), 'refused: chain');
  t.equal(
    through({ extensions: [{ oid: '2.5.29.36', critical: true, value: der.sequence() }] }),
    'refused: chain',
  );
  t.equal(
    through({ extensions: [{ oid: '2.5.29.32', critical: true, value: der.sequence() }] }),
    'dns:a.example',
    'policies forbid nothing',
  );

  const middle = ca.intermediate({ name: 'middle', notAfter: at(60) });
  const leaf = middle.issue({ dns: ['a.example'] });
  t.match(judge.judge(leaf.chain, NOW), { until: NOW + 60 }, 'the earliest end on the path');
  t.equal(outcome(judge.judge([leaf.der], NOW)), 'refused: chain', 'nothing leads to the CA');
  t.equal(
    outcome(judge.judge([leaf.der, ca.der, middle.der], NOW)),
    'dns:a.example',
    'in any order, the root too',
  );
  const fake = new Authority({ name: 'middle' });
  t.equal(
    outcome(judge.judge([leaf.der, fake.der, middle.der], NOW)),
    'dns:a.example',
    'beside one of the same name',
  );
  t.equal(
    outcome(judge.judge([leaf.der, new Uint8Array(9), middle.der], NOW)),
    'dns:a.example',
    'beside garbage',
  );
  t.equal(
    outcome(judge.judge([fake.issue().der, fake.der], NOW)),
    'refused: chain',
    'what it shows vouches for nobody',
  );
  t.equal(outcome(judge.judge([leaf.der, ...Array<Uint8Array>(7).fill(middle.der)], NOW)), 'dns:a.example');
  t.equal(outcome(judge.judge([leaf.der, ...Array<Uint8Array>(8).fill(middle.der)], NOW)), 'refused: chain');
});

t.test('RFC 5280 §4.2.1.9: how many CAs may follow', async (t) => {
  const of = (root: number, depth: number) => {
    let authority = new Authority({ name: 'root', pathLength: root });
    const { pem } = authority;
    for (let i = 0; i < depth; i++) authority = authority.intermediate({ name: `m${i}` });
    return outcome(trust({ clientCa: pem }).judge(authority.issue({ dns: ['a.example'] }).chain, NOW));
  };
  t.equal(of(0, 0), 'dns:a.example');
  t.equal(of(0, 1), 'refused: chain');
  t.equal(of(1, 1), 'dns:a.example');
  t.equal(of(1, 2), 'refused: chain');
  t.equal(of(9, 6), 'dns:a.example', 'eight certificates');
  t.equal(of(9, 7), 'refused: chain', 'nine');
});

t.test('a path with more intermediates than are taken says so', async (t) => {
  const root = new Authority({ name: 'root' });
  let authority = root;
  for (let i = 0; i < 7; i++) authority = authority.intermediate({ name: `m${i}` });
  // All are in the file, or all but the root are shown: eight at most may be.
  const { der, chain } = authority.issue();
  const everything = root.pem + authority.above.map(({ pem }) => pem).join('');
  for (const judgement of [
    trust({ clientCa: root.pem }).judge(chain, NOW),
    trust({ clientCa: everything }).judge([der], NOW),
  ])
    t.match(judgement, { kind: 'refused', rule: 'chain', message: /more than 6 intermediates/ });
  // As many as are taken, and a root that issued itself: something else is wrong.
  const short = authority.above[1]!.issue();
  const unlisted = trust({ clientCa: root.pem, crl: root.crl({}).pem }).judge(short.chain, NOW);
  t.match(unlisted, { kind: 'refused', rule: 'crl', message: /no CRL of/ });
  const stranger = new Authority({ name: 'other' });
  const told = trust({ clientCa: stranger.pem }).judge(chain.slice(0, 7), NOW);
  t.match(told, { message: /no CA that is trusted/ }, 'a path that nobody trusts is not called too long');
});

t.test('work is bounded: CAs of one name, and a ring', async (t) => {
  const twins = Array.from({ length: 7 }, () => new Authority({ name: 'twin' }));
  const leaf = twins[0]!.issue();
  const many = new Authority({ name: 'root' });
  // Every one is issued by every other: a search without bounds would take 7! ways.
  const keys = Array.from({ length: 7 }, () => keyPair());
  const ring = keys.map((key, i) => {
    const signer = new Authority({ name: `ring${(i + 1) % 7}`, key: keys[(i + 1) % 7]! });
    return signer.issue({ name: `ring${i}`, key, ca: true, keyUsage: ['keyCertSign'], eku: null }).der;
  });
  const victim = new Authority({ name: 'ring0', key: keys[0]! }).issue();
  const started = worked();
  t.equal(outcome(trust({ clientCa: many.pem }).judge([victim.der, ...ring], NOW)), 'refused: chain');
  t.equal(
    outcome(trust({ clientCa: many.pem }).judge([leaf.der, ...twins.map(({ der }) => der)], NOW)),
    'refused: signature',
  );
  t.ok(worked() - started < 1000);
  const crowd = Array.from({ length: 66 }, () => new Authority({ name: 'crowd' }));
  const last = trust({ clientCa: crowd.map(({ pem }) => pem).join('') });
  t.match(last.judge(crowd[65]!.issue().chain, NOW), { kind: 'refused', rule: 'work' });
});

t.test('names of issuers are compared as octets', async (t) => {
  const printable = der.sequence(
    der.tlv(
      der.TAG.SET,
      der.sequence(der.oid('2.5.4.3'), der.tlv(der.TAG.PRINTABLE, Buffer.from('clients'))),
    ),
  );
  t.equal(of({ issuer: printable }), 'refused: chain');
  t.equal(of({ issuer: distinguishedName('Clients') }), 'refused: chain');
});

t.test(
  'RFC 5280 §6.1: a CA that has changed its key vouches over a certificate that it gave itself',
  async (t) => {
    const old = new Authority({ name: 'rolling', pathLength: 0 });
    const young = new Authority({ name: 'rolling' });
    const link = old.issue({
      name: 'rolling',
      key: young.key,
      ca: true,
      keyUsage: ['keyCertSign'],
      eku: null,
    });
    const leaf = young.issue({ dns: ['a.example'] });
    const of = trust({ clientCa: old.pem });
    t.equal(
      outcome(of.judge([leaf.der, link.der], NOW)),
      'dns:a.example',
      'it counts for no path length (§4.2.1.9)',
    );
    t.equal(outcome(of.judge([leaf.der], NOW)), 'refused: signature');
  },
);

t.test('key identifiers tell CAs of one name apart (RFC 5280 §4.2.1.1)', async (t) => {
  const subject = (id: number) => ({
    oid: '2.5.29.14',
    critical: false,
    value: der.octets(Uint8Array.of(id)),
  });
  const authority = (id: number) => ({
    oid: '2.5.29.35',
    critical: false,
    value: der.sequence(der.context(0, Uint8Array.of(id))),
  });
  const crowd = Array.from(
    { length: 100 },
    (_, i) => new Authority({ name: 'SPIFFE', extensions: [subject(i)] }),
  );
  const of = trust({ clientCa: crowd.map(({ pem }) => pem).join('') });
  const issue = (by: number, says: number) =>
    crowd[by]!.issue({ dns: ['a.example'], extensions: [authority(says)] });
  t.equal(outcome(of.judge(issue(99, 99).chain, NOW)), 'dns:a.example');
  t.equal(outcome(of.judge(issue(99, 98).chain, NOW)), 'refused: signature', 'it names another CA');
  t.equal(outcome(of.judge(issue(99, 200).chain, NOW)), 'refused: chain');
});

t.test('what was verified once is not verified again, after a reload either', async (t) => {
  const memo = new CertificateMemo();
  const build = () => buildTrust(setting({ clientCa: ca.pem }), NOW, memo).trust!;
  const client = ca.issue({ uris: [SPIFFE], dns: ['a.example'] });
  const [leaf, issuer] = [memo.read(client.der)!, memo.read(ca.der)!];
  t.equal(memo.read(Uint8Array.from(client.der)), leaf);
  t.match(memo.signatureFault(leaf, issuer, { left: 0 }), /too many/);
  t.equal(build().judge(client.chain, NOW).kind, 'accepted');
  t.equal(memo.signatureFault(leaf, issuer, { left: 0 }), null);
  const judge = build();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 300; i++) {
    const started = performance.now();
    judge.judge(client.chain, NOW);
    best = Math.min(best, performance.now() - started);
  }
  t.ok(best < 0.1, `${best} ms`);
});

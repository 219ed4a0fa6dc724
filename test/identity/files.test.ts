import { generateKeyPairSync } from 'node:crypto';
import tls from 'node:tls';
import t from 'tap';
import { buildTrust } from '../../src/identity/client-trust.ts';
import { Authority, type CertificateOptions } from './authority.ts';
import { bundle, NOW, setting, told, type Written } from './listener.ts';

const ca = new Authority({ name: 'clients' });
const servers = new Authority({ name: 'servers' });
const at = (seconds: number) => new Date((NOW + seconds) * 1000);

function problems(written: Written): string[] {
  return told(buildTrust(setting({ clientCa: ca.pem, ...written }), NOW).problems);
}

function server(options: CertificateOptions = {}): Written {
  const { pem, keyPem } = servers.issue({ dns: ['dns.example'], eku: ['serverAuth'], ...options });
  return { certificate: pem, key: keyPem };
}

t.test("the server's certificate and key", async (t) => {
  const good = server();
  t.same(problems(good), []);
  t.same(problems({ ...good, certificate: '' }), ['tls-certificate error server.pem:1']);
  t.same(problems({ ...good, certificate: `# mine\n${good.certificate?.replace('MII', 'MIX')}` }), [
    'tls-certificate error server.pem:2',
  ]);
  t.same(
    problems({
      ...good,
      certificate: `${good.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    }).length,
    1,
  );
  t.same(problems({ ...good, key: 'x' }), ['tls-key error server.key:1']);
  t.same(problems({ ...good, key: good.key!.replace('MIG', 'MIX') }), ['tls-key error server.key:1']);
  t.same(problems({ ...good, key: server().key! }), ['tls-key error server.key:1'], "another's key");
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  const encrypted = buildTrust(setting({ clientCa: ca.pem, key: privateKey }), NOW).problems;
  t.match(encrypted, [{ code: 'tls-key', message: /encrypted/ }]);
  t.same(problems(server({ notAfter: at(-1) })), ['tls-dates warning server.pem:1']);
  t.same(problems(server({ notBefore: at(60) })), ['tls-dates warning server.pem:1']);
  const ends = (days: number, before = 30): string[] =>
    problems(server({ notBefore: at(-before * 86_400), notAfter: at(days * 86_400) }));
  t.same(ends(15), []);
  t.same(ends(13), ['tls-ending warning server.pem:1']);
  t.same(ends(0.9), ['tls-ending warning server.pem:1']);
  t.same(ends(0.1, 0.3), [], 'what lives for hours is renewed by a machine');
  t.same(ends(0.02, 0.3), ['tls-ending warning server.pem:1']);
  const ended = servers.intermediate({ notAfter: at(-1) });
  const below = ended.issue({ dns: ['dns.example'], eku: ['serverAuth'] });
  t.same(
    problems({ clientCa: ca.pem, certificate: below.chainPem, key: below.keyPem }),
    [`tls-dates warning server.pem:${below.pem.split('\n').length}`],
    'an intermediate that is shown',
  );
  t.same(problems(server({ eku: ['clientAuth'], notAfter: at(60 * 86_400) })), [
    'tls-certificate warning server.pem:1',
  ]);
  t.same(problems(server({ eku: null, notAfter: at(60 * 86_400) })), []);
  t.same(
    problems(server({ keyType: 'rsa1024' })),
    ['tls-certificate error server.pem:1'],
    'OpenSSL refuses it',
  );
  const both = { certificate: good.certificate! + good.key!, key: good.certificate! + good.key! };
  t.same(problems(both), [], 'certificate and key in one file');
  t.same(problems({ clients: 'none', ...server({ notAfter: at(-1) }) }), ['tls-dates warning server.pem:1']);
});

t.test('whom it trusts', async (t) => {
  t.same(problems({ clientCa: '' }), ['trust-empty error clients.pem:1']);
  t.same(problems({ clientCa: ca.issue().pem }), [
    'trust-unused warning clients.pem:1',
    'trust-empty error clients.pem:1',
  ]);
  t.same(problems({ clientCa: ca.pem + ca.issue().pem }), [
    `trust-unused warning clients.pem:${ca.pem.split('\n').length}`,
  ]);
  t.same(problems({ clientCa: `\n\n${ca.pem.replace('MII', 'MIX')}` }), [
    'trust-certificate error clients.pem:3',
  ]);
  t.same(problems({ clientCa: new Authority({ notAfter: at(-1) }).pem }), [
    'trust-unused warning clients.pem:1',
  ]);
  t.same(problems({ clientCa: new Authority({ keyUsage: ['cRLSign'] }).pem }).length, 2);
  t.same(problems({ clientCa: new Authority({ version: 1 }).pem }).length, 2);
  const middle = ca.intermediate({ name: 'middle' });
  t.same(problems({ clientCa: ca.pem + middle.pem }), []);
  t.same(
    problems({ clientCa: middle.pem }),
    ['trust-unused warning clients.pem:1'],
    'OpenSSL wants the CA above it',
  );
  t.same(problems({ domains: { 'ci.example': middle.pem } }), [], 'which another file may hold');
  const { clientCa: _, ...bare } = setting({});
  for (const clients of ['required', 'optional'] as const) {
    const { trust, problems } = buildTrust({ ...bare, clientCa: null, clients }, NOW);
    t.equal(trust, null);
    t.same(told(problems), ['trust-empty error server.pem:1']);
  }
  t.equal(buildTrust({ ...bare, clientCa: null, clients: 'none' }, NOW).trust, null);
  t.same(buildTrust({ ...bare, clientCa: null, clients: 'none' }, NOW).problems, []);
});

t.test('SPIFFE bundles', async (t) => {
  const of = (text: string) => problems({ domains: { 'ci.example': text } });
  t.same(of(bundle(ca)), []);
  t.same(of(ca.pem), []);
  const bad = ['trust-bundle error ci.example.pem:1'];
  t.same(of('{'), bad);
  t.same(of('{}'), bad);
  t.same(of('{"keys": 1}'), bad);
  t.same(of('{"keys": [{"use": "x509-svid"}]}'), bad);
  t.same(of('{"keys": [{"use": "x509-svid", "x5c": [1]}]}'), bad);
  t.same(of('{"keys": [{"use": "x509-svid", "x5c": ["AAAA"]}]}'), bad);
  t.same(of(bundle(ca).replace('"x5c":["', '"x5c":["AAAA","')), bad, 'one certificate a key');
  const empty = ['trust-empty error ci.example.pem:1'];
  t.same(of('{"keys": []}'), empty);
  t.same(of('{"keys": [null, 1, "a", {"use": "jwt-svid", "kty": "EC"}, {}]}'), empty);
  t.same(of(bundle(ca).replace('x509-svid', 'jwt-svid')), empty);
});

t.test('what OpenSSL is given is what it takes', async (t) => {
  const middle = ca.intermediate({ name: 'middle' });
  const { trust } = buildTrust(
    setting({ clientCa: ca.pem + middle.pem, domains: { 'ci.example': bundle(servers) } }),
    NOW,
  );
  t.equal(trust?.caPem.length, 3);
  t.same(new Set(trust?.caPem), new Set([ca.pem, middle.pem, servers.pem]));
  tls.createSecureContext({ ca: [...(trust?.caPem ?? [])] });
});

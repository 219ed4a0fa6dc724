import { writeFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import t from 'tap';
import { Authority } from '../identity/authority.ts';
import {
  clientFiles,
  clients,
  dot,
  edeText,
  NAME,
  opt,
  query,
  rcode,
  SERVFAIL,
  servers,
  start,
  until,
} from './peers.ts';

const stranger = new Authority({ name: 'stranger' });
const issue = (options: Parameters<Authority['issue']>[0], ca = servers): TlsOptions => {
  const { pem, keyPem } = ca.issue({ eku: ['serverAuth'], ...options });
  return { cert: pem, key: keyPem };
};
const yesterday = new Date(Date.now() - 86_400_000);
const tomorrow = new Date(Date.now() + 86_400_000);

for (const [what, tls, detail] of [
  ['of another name', issue({ dns: ['other.example'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['with the name in its subject alone', issue({ name: NAME }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['of another CA', issue({ dns: [NAME] }, stranger), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['that has ended', issue({ dns: [NAME], notBefore: new Date(0), notAfter: yesterday }), 'CERT_HAS_EXPIRED'],
  [
    'that is not valid yet',
    issue({ dns: [NAME], notBefore: tomorrow, notAfter: new Date(tomorrow.getTime() + 1e9) }),
    'CERT_NOT_YET_VALID',
  ],
  ['of a client', issue({ dns: [NAME], eku: ['clientAuth'] }), 'INVALID_PURPOSE'],
] as const) {
  t.test(`a server with a certificate ${what} gets no question`, async (t) => {
    const server = await dot(t, undefined, tls);
    const { ask, lines } = await start(t, [server.address], { limits: { patience: 250 } });
    t.match(edeText(await ask(query(1, 'www.example', opt()))), detail);
    t.equal(server.seen.length, 0);
    t.match(
      lines.find(({ event }) => event === 'upstream-down'),
      { fields: { detail } },
    );
  });
}

t.test('without a name the certificate holds the address', async (t) => {
  for (const [host, ips, good] of [
    ['127.0.0.1', ['127.0.0.1'], true],
    ['::1', ['::1'], true],
    ['127.0.0.1', ['127.0.0.2'], false],
  ] as const) {
    const server = await dot(t, undefined, { host, ...issue({ ips }) });
    const { ask } = await start(t, [{ host, port: server.port, name: null }], { limits: { patience: 250 } });
    t.equal(rcode(await ask(query(1))), good ? 0 : SERVFAIL, `${host} in ${ips}`);
  }
});

t.test('TLS 1.2 is enough, 1.1 is not', async (t) => {
  const old = await dot(t, undefined, { maxVersion: 'TLSv1.2' });
  const first = await start(t, [old.address]);
  t.equal(rcode(await first.ask(query(1))), 0);
  const older = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const tooOld = await dot(t, undefined, older);
  const second = await start(t, [tooOld.address], { limits: { patience: 250 } });
  t.equal(rcode(await second.ask(query(1))), SERVFAIL);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`a client certificate that the server refuses, ${version}`, async (t) => {
    const server = await dot(t, undefined, { maxVersion: version, ca: stranger.pem });
    const { ask, lines } = await start(t, [server.address], { limits: { patience: 700 } });
    const reply = await ask(query(1, 'www.example', opt()));
    t.equal(rcode(reply), SERVFAIL);
    t.equal(server.seen.length, 0);
    await until(() => lines.some(({ event }) => event === 'upstream-down'));
    t.match(
      lines.find(({ event }) => event === 'upstream-down'),
      { fields: { detail: /ALERT|ECONNRESET|closed the connection/ } },
    );
  });
}

t.test('the certificate goes to the server with its intermediates', async (t) => {
  const below = clients.intermediate();
  const { chainPem, keyPem } = below.issue();
  const files = clientFiles(t);
  writeFileSync(files.cert, chainPem);
  writeFileSync(files.key, keyPem);
  const server = await dot(t);
  const { ask } = await start(t, [server.address], { files });
  t.equal(rcode(await ask(query(1))), 0);
});

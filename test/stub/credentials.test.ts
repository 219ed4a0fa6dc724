import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type CredentialFault, isFault, readCredentials } from '../../src/stub/credentials.ts';
import { asNobody, unreachableForNobody } from '../nobody.ts';
import { clientFiles, clients, type Files } from './peers.ts';

const day = 86_400_000;

function fault(files: Files): CredentialFault | null {
  const { result } = readCredentials(files);
  return isFault(result) ? result : null;
}

t.test('what fits together', async (t) => {
  const files = clientFiles(t);
  const { result, hash } = readCredentials(files);
  if (isFault(result)) throw new Error(result.message);
  t.match(result.fingerprint, /^[0-9a-f]{64}$/);
  t.equal(result.subject, 'URI:spiffe://ci.example/job');
  t.same(result.doubts, []);
  t.ok(result.notAfter > Date.now() && result.notAfter - Date.now() <= day + 1000);
  t.match(hash, /^[0-9a-f]{64}$/);
  files.write();
  t.not(readCredentials(files).hash, hash);
});

t.test('what namegate will not know its client by is told, and used', async (t) => {
  const doubts = (options: Parameters<Files['write']>[0]): readonly string[] => {
    const files = clientFiles(t);
    files.write(options);
    const { result } = readCredentials(files);
    return isFault(result) ? [result.message] : result.doubts;
  };
  t.match(doubts({ eku: ['serverAuth'] }), [/without clientAuth/]);
  t.match(doubts({ ca: true, keyUsage: ['keyCertSign'] }), [/of a CA/]);
  t.same(doubts({ eku: null }), []);
});

function folderInstead(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

const whole = clients.issue();
const other = clients.issue();

for (const [what, spoil, file, message] of [
  ['no certificate file', (f: Files) => rmSync(f.cert), 'cert', /is not there/],
  ['no key file', (f: Files) => rmSync(f.key), 'key', /is not there/],
  ['no CA file', (f: Files) => rmSync(f.ca), 'ca', /is not there/],
  ['a folder', (f: Files) => folderInstead(f.key), 'key', /no regular file/],
  ['an empty certificate', (f: Files) => writeFileSync(f.cert, ''), 'cert', /holds no certificate/],
  ['an empty key', (f: Files) => writeFileSync(f.key, ''), 'key', /holds no private key/],
  ['an empty CA', (f: Files) => writeFileSync(f.ca, '\n'), 'ca', /holds no certificate/],
  ['DER', (f: Files) => writeFileSync(f.cert, whole.der), 'cert', /holds no certificate/],
  [
    'the key for the certificate',
    (f: Files) => writeFileSync(f.cert, whole.keyPem),
    'cert',
    /a private key and no/,
  ],
  [
    'half a certificate',
    (f: Files) => writeFileSync(f.cert, whole.pem.slice(0, 300)),
    'cert',
    /in the middle/,
  ],
  [
    'half a chain',
    (f: Files) => writeFileSync(f.cert, whole.pem + whole.pem.slice(0, 300)),
    'cert',
    /in the middle/,
  ],
  [
    'half a CA',
    (f: Files) => writeFileSync(f.ca, readFileSync(f.ca).subarray(0, 200)),
    'ca',
    /in the middle/,
  ],
  ['half a key', (f: Files) => writeFileSync(f.key, whole.keyPem.slice(0, 100)), 'key', /cannot be read/],
  [
    'base64 that is no certificate',
    (f: Files) => writeFileSync(f.ca, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
    'ca',
    /cannot be read/,
  ],
  [
    "another certificate's key",
    (f: Files) => writeFileSync(f.key, other.keyPem),
    'key',
    /is not the key of the cert/,
  ],
] as const) {
  t.test(what, async (t) => {
    const files = clientFiles(t);
    spoil(files);
    const found = fault(files);
    t.equal(found?.file, files[file]);
    t.match(found?.message, message);
    t.ok((found?.fix ?? '').length > 10);
  });
}

t.test('a chain the wrong way round', async (t) => {
  const below = clients.intermediate();
  const leaf = below.issue();
  const files = clientFiles(t);
  writeFileSync(files.cert, below.pem + leaf.pem);
  writeFileSync(files.key, leaf.keyPem);
  t.match(fault(files), { message: /first certificate/, fix: /certificate first/ });
});

t.test('an encrypted key', async (t) => {
  const files = clientFiles(t);
  const locked = whole.key.privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  writeFileSync(files.cert, whole.pem);
  writeFileSync(files.key, locked);
  t.match(fault(files), { file: files.key, message: /encrypted/, fix: /openssl pkey/ });
});

t.test('unreadable', { skip: unreachableForNobody(process.cwd()) }, async (t: Test) => {
  const files = clientFiles(t);
  chmodSync(files.key, 0);
  t.match(
    asNobody(() => fault(files)),
    { file: files.key, message: /EACCES/ },
  );
});

t.test('RSA and Ed25519 keys, and one that is too short', async (t) => {
  for (const [keyType, good] of [
    ['rsa2048', true],
    ['p384', true],
    ['ed25519', true],
    ['rsa1024', false],
  ] as const) {
    const files = clientFiles(t);
    files.write({ keyType });
    t.equal(fault(files) === null, good, keyType);
  }
});

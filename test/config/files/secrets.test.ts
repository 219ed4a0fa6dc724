import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { formatProblem } from '../../../src/config/files/excerpt.ts';
import { withoutSecrets } from '../../../src/config/files/secrets.ts';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { NOW, POLICY, write } from '../harness.ts';

const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const random = (bytes: number): string => randomBytes(bytes).toString('base64url');
const jwt = [{ alg: 'ES256' }, { sub: 'job' }].map((part) =>
  Buffer.from(JSON.stringify(part)).toString('base64url'),
);

const SECRETS: Record<string, string> = {
  'a JWT': `${jwt.join('.')}.${random(64)}`,
  'a GitHub token': `ghp_${randomBytes(18).toString('hex')}`,
  'a fine-grained GitHub token': `github_pat_${randomBytes(11).toString('hex')}_${randomBytes(20).toString('hex')}`,
  'a GitLab token': `glpat-${random(15)}`,
  'an AWS key id': `AKIA${'ABCDEFGHIJKLMNOP'}`,
  'an AWS secret key': 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'base64 with many slashes': 'aB1cD/eF2gH/iJ3kL/mN4oP/qR5sT==',
  'a crypt hash': `$6$${random(6)}$${random(48)}`,
  'a yescrypt hash': `$y$j9T$${random(12)}$${random(32)}`,
  'an argon2 hash': `$argon2id$v=19$m=65536$${random(12)}$${random(24)}`,
  hexadecimal: randomBytes(20).toString('hex'),
  base64: `aB1${randomBytes(36).toString('base64')}`,
  base64url: `aB1${random(32)}`,
};

t.test('secrets are hidden, whatever stands around them, and columns stay', async (t) => {
  for (const [what, secret] of Object.entries(SECRETS)) {
    for (const line of [
      secret,
      `  ${secret} # note`,
      `x: "${secret}"`,
      `["${secret}", b]`,
      `said '${secret}' here`,
    ]) {
      const shown = withoutSecrets(line);
      t.notOk(shown.includes(secret.slice(-8)), `${what}: ${shown}`);
      t.equal(shown.length, line.length);
    }
  }
  for (const line of [
    'password: hunter22',
    'DB_PASSWORD=hunter22',
    'api-key: "hunter22"',
    '"client_secret": "hunter22"',
    'token = hunter22',
    'Authorization: Basic aHVudGVyMjI=',
    'https://bob:hunter22@host.example/',
  ]) {
    t.notMatch(withoutSecrets(line), /hunter22|aHVudGVy/, line);
  }
});

t.test('what a policy is made of is shown', async (t) => {
  for (const line of [
    '  names: [github.com, "*.actions.githubusercontent.com"]',
    '      certificates: ["spiffe://ci.example/payments/build", "dns:build.ci.example"]',
    `sha256:${'ab'.repeat(32)}`,
    `${'0123456789abcdef'.repeat(3)}.cdn.example`,
    'productionresultssa0.blob.core.windows.net-and-a-long-tail-of-labels.example',
    'admin: { on: "http://127.0.0.1:9154", tokens: tokens.yaml }',
    'key: tls/server.key',
    'names_from: [lists/of-the-platform-team/mirrors-2026.txt, /srv/lists/Team2/Some-Long-Path/x]',
    'until: 2027-01-31T18:00:00Z',
    'a fix that speaks of a token: no',
  ]) {
    t.equal(withoutSecrets(line), line);
  }
});

t.test('no line of a PEM block is shown, the short last one included', async (t) => {
  const dir = write(t, {
    'policy.yaml': `destinations: { d: { owner: o, reason: r, names_from: [l.txt] } }\n${POLICY}    allow: [d]\n`,
    'l.txt': `a..example\n${privateKey}b..example\n`,
  });
  const { problems, sources } = loadPolicyOnly(join(dir, 'policy.yaml'), { env: {}, now: NOW, salt: 1 });
  const text = problems.map((problem) => formatProblem(problem, sources, { color: false })).join('\n');
  for (const line of (privateKey as unknown as string).trim().split('\n'))
    for (let i = 0; i + 10 <= line.length; i += 10) t.notOk(text.includes(line.slice(i, i + 10)), 'hidden');
  t.notMatch(JSON.stringify(problems), (privateKey as unknown as string).split('\n')[1]!.slice(0, 20));
});

import { join } from 'node:path';
import t from 'tap';
import { adminTarget, targetOf } from '../../../src/config/server/admin-target.ts';
import { brief, loadFrom, POLICY, problemsOf, SERVER, write } from '../harness.ts';

const HASH = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const TOKENS = `tokens:
  - { name: hook, sha256: ${HASH}, rights: [open, advance], identities: [me], addresses: [10.0.0.0/8], certificates: ["dns:A.example."], until: 2027-01-01 }
  - { name: boss, sha256: ${OTHER}, rights: [administer], identities: all }
`;
const JWKS = JSON.stringify({ keys: [{ kty: 'RSA', kid: 'a', n: 'x', e: 'AQAB' }] });

t.test('the admin API as it is written', async (t) => {
  const dir = write(t, {
    'namegate.yaml': `${SERVER}admin: unix:run/admin.sock\nexceptions: { max_ttl: 2h }\n`,
    'policy.yaml': POLICY,
  });
  const { settings } = loadFrom(dir);
  t.same(settings?.admin, { kind: 'unix', path: join(dir, 'run/admin.sock') });
  t.same(settings?.exceptions, { maxTtl: 7200 });
});

t.test('over HTTP, with tokens and issuers', async (t) => {
  const dir = write(t, {
    'namegate.yaml': `${SERVER}admin:
  on: "http://[::1]:0"
  tokens: tokens.yaml
  oidc:
    - { issuer: "https://ci.example", audience: namegate, jwks: jwks.json }
    - { issuer: "https://two.example", audience: namegate, jwks: "https://two.example/jwks" }
`,
    'tokens.yaml': TOKENS,
    'jwks.json': JWKS,
    'policy.yaml': POLICY,
  });
  const result = loadFrom(dir);
  t.same(brief(dir, result), []);
  t.match(result.settings?.admin, {
    kind: 'http',
    host: '::1',
    port: 0,
    tokens: [
      {
        name: 'hook',
        sha256: HASH,
        rights: ['open', 'advance'],
        identities: ['me'],
        addresses: [{ family: 4, length: 8 }],
        certificates: ['dns:a.example'],
        until: Date.UTC(2027, 0, 1) / 1000,
      },
      { name: 'boss', identities: 'all', addresses: [], certificates: [], until: 0xffff_ffff },
    ],
    oidc: [{ jwks: { file: { text: JWKS } } }, { jwks: { url: 'https://two.example/jwks' } }],
  });
  for (const file of ['tokens.yaml', 'jwks.json'])
    t.ok(result.files.includes(join(dir, file)), `${file} is watched`);
});

t.test('each mistake, where it stands', async (t) => {
  const http = (keys: string): string => `admin: { on: "http://127.0.0.1:0", ${keys} }`;
  const oidc = (keys: string): string =>
    http(`oidc: [{ issuer: "https://ci.example", audience: a, ${keys} }]`);
  const cases: [admin: string, problems: string[]][] = [
    ['admin: state/admin.sock', ['namegate.yaml:4:8 admin-form']],
    ['admin: "unix:"', ['namegate.yaml:4:8 admin-form']],
    ['admin: http://127.0.0.1:1', ['namegate.yaml:4:8 admin-form']],
    ['admin: {}', ['namegate.yaml:4:1 admin-form', 'namegate.yaml:4:1 key-missing']],
    [http('colour: red'), ['namegate.yaml:4:1 admin-form', 'namegate.yaml:4:36 key-unknown']],
    ['admin: { on: "http://10.0.0.1:1", tokens: tokens.yaml }', ['namegate.yaml:4:22 url-form']],
    ['admin: { on: "http://0.0.0.0:1", tokens: tokens.yaml }', ['namegate.yaml:4:22 url-form']],
    ['admin: { on: "https://127.0.0.1:1", tokens: tokens.yaml }', ['namegate.yaml:4:15 url-form']],
    [http('tokens: ""'), ['namegate.yaml:4:44 value-empty']],
    [http('tokens: nowhere.yaml'), ['namegate.yaml:4:44 file-missing']],
    [
      http('tokens: bad.yaml'),
      [
        'bad.yaml:2:24 token-form',
        'bad.yaml:3:5 key-missing',
        'bad.yaml:4:24 token-form',
        'bad.yaml:6:13 token-duplicate',
        'bad.yaml:6:24 token-duplicate',
        'bad.yaml:7:99 value-choice',
      ],
    ],
    [oidc('jwks: nowhere.json'), ['namegate.yaml:4:94 file-missing']],
    [oidc('jwks: "http://ci.example/jwks"'), ['namegate.yaml:4:94 jwks-form']],
    [oidc('jwks: "https://u:p@ci.example/jwks"'), ['namegate.yaml:4:94 jwks-form']],
    [oidc('jwks: secret.json'), ['namegate.yaml:4:94 jwks-form']],
    [oidc('jwks: oct.json'), ['namegate.yaml:4:94 jwks-form']],
    [oidc('jwks: text.json'), ['namegate.yaml:4:94 jwks-form']],
    [oidc('jwks: empty.json'), ['namegate.yaml:4:94 jwks-form']],
    ['exceptions: { max_ttl: 0s }', ['namegate.yaml:4:24 value-range']],
  ];
  const files = {
    'tokens.yaml': TOKENS,
    'bad.yaml': `tokens:
  - { name: a, sha256: secret, rights: [open], identities: all }
  - { name: b, sha256: ${HASH}, identities: all }
  - { name: c, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, rights: [open], identities: all }
  - { name: d, sha256: ${HASH}, rights: [open], identities: all }
  - { name: d, sha256: ${HASH}, rights: [open], identities: all }
  - { name: e, sha256: ${OTHER}, rights: [all], identities: all }
`,
    'secret.json': JSON.stringify({ keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', d: 'x' }] }),
    'oct.json': JSON.stringify({ keys: [{ kty: 'oct', k: 'x' }] }),
    'text.json': 'text',
    'empty.json': '{"keys":[]}',
  };
  for (const [admin, wanted] of cases) {
    const found = problemsOf(t, { ...files, 'namegate.yaml': `${SERVER}${admin}\n` });
    t.same(found, wanted, admin);
  }
});

t.test('tokens that can never do what they are for', async (t) => {
  const token = (rest: string): string =>
    `tokens:\n  - { name: a, sha256: ${HASH}, rights: [open], ${rest} }\n`;
  const cases: [string, string, string | null][] = [
    ['identities: [em]', 'token-identity', 'did you mean me?'],
    ['identities: [me, stranger]', 'token-identity', 'write the name of an identity, or remove it'],
    ['identities: all, certificates: ["spiffe://ci.example/beta/*"]', 'token-form', null],
    ['identities: all, until: 2020-01-31', 'token-ended', 'remove it, or write a later `until`'],
    ['identities: all, until: 2099-01-31', '', null],
    ['identities: [me]', '', null],
    ['identities: all', '', null],
  ];
  for (const [rest, code, fix] of cases) {
    const dir = write(t, {
      'namegate.yaml': `${SERVER}admin: { on: "http://127.0.0.1:0", tokens: tokens.yaml }\n`,
      'tokens.yaml': token(rest),
      'policy.yaml': POLICY,
    });
    const found = loadFrom(dir).problems.filter(({ at }) => at.file === join(dir, 'tokens.yaml'));
    t.same(
      found.map((problem) => problem.code),
      code === '' ? [] : [code],
      rest,
    );
    if (fix !== null) t.equal(found[0]?.fix, fix);
    if (code !== '') t.equal(found[0]?.at.line, 2);
  }
});

t.test('where a running server is asked, whatever else is wrong', async (t) => {
  const dir = write(t, {
    'good.yaml': 'admin: unix:run/a.sock\npolicy: nowhere\nlisten: 3\n',
    'http.yaml': 'admin: { on: "http://127.0.0.1:7" }\n',
    'none.yaml': 'listen: []\n',
    'odd.yaml': 'admin: 7\n',
    'broken.yaml': 'a: [\n',
  });
  const of = (file: string) => adminTarget(join(dir, file));
  t.same(of('good.yaml'), { kind: 'unix', path: join(dir, 'run/a.sock') });
  t.same(of('http.yaml'), { kind: 'http', host: '127.0.0.1', port: 7 });
  for (const file of ['none.yaml', 'odd.yaml', 'broken.yaml', 'missing.yaml'])
    t.type(of(file), 'string', file);
  t.same(targetOf('unix:/run/a.sock', 'x'), { kind: 'unix', path: '/run/a.sock' });
  t.same(targetOf('unix:///run/a.sock', 'x'), { kind: 'unix', path: '/run/a.sock' });
  t.equal(targetOf('tcp://127.0.0.1', 'x'), null);
});

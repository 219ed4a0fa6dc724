import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type House, house } from '../../admin/house.ts';
import { put } from '../../config/harness.ts';
import { say } from '../command.ts';

/** A server's admin room, and the server file that names it. */
async function running(t: Test): Promise<{ made: House; config: string[] }> {
  const made = await house(t);
  put(made.folder, {
    'cli.yaml':
      'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\nadmin: unix:state/admin.sock\n',
  });
  return { made, config: ['--config', join(made.folder, 'cli.yaml')] };
}

t.test('a lease by the command line, from its opening to its end', async (t) => {
  const { config } = await running(t);
  const opened = await say([
    'lease',
    'open',
    '--identity',
    'build',
    '--address',
    '10.9.0.1',
    '10.9.1.0/24',
    '--ttl',
    '30m',
    '--job',
    'run=7',
    'a=b=c',
    '--json',
    ...config,
  ]);
  t.equal(opened.code, 0);
  const lease = JSON.parse(opened.stdout) as Record<string, unknown>;
  t.match(lease, {
    identity: 'build',
    stage: 'fetch',
    addresses: ['10.9.0.1', '10.9.1.0/24'],
    job: { run: '7', a: 'b=c' },
  });
  const id = String(lease['id']);
  const moved = await say(['lease', 'advance', id, 'release', '--ttl', '90s', ...config]);
  t.equal(moved.code, 0);
  t.match(moved.stdout, /stage +release\nbinds +10\.9\.0\.1 10\.9\.1\.0\/24\n/);
  const back = await say(['lease', 'advance', id, 'fetch', ...config]);
  t.match(back, { code: 1, stdout: '', stderr: 'namegate lease advance: fetch is before release\n' });
  const shown = await say(['lease', 'show', id, ...config]);
  t.match(shown.stdout, /questions +allow \d+, deny 0/);
  const list = await say(['lease', 'list', ...config]);
  t.match(
    list.stdout,
    /^LEASE +IDENTITY +STAGE +BINDS +EXPIRES +DENIED +OPENED BY\nle-\w+ +build +release +10\.9\.0\.1 10\.9\.1\.0\/24 +2026-11-20T00:01:30Z +0 +admin-socket\n$/,
  );
  t.match(await say(['lease', 'list', '--identity', 'steady', ...config]), {
    code: 0,
    stdout: 'no live leases\n',
  });
  const explained = await say(['explain', '--lease', id, 'release.example', ...config]);
  t.match(explained, { code: 0, stdout: /allow for build at stage release/ });
  t.match(await say(['explain', '--lease', id, 'other.example', '--json', ...config]), {
    code: 1,
    stdout: /^\{"verdict":"deny"/,
  });
  t.match(await say(['lease', 'end', id, ...config]), { code: 0, stdout: /^le-\w+ ended; allow/ });
  t.match(await say(['lease', 'end', id, ...config]), { code: 1, stderr: /there is no live lease/ });
});

t.test('many leases come in pages, and all of them are listed', async (t) => {
  const { made, config } = await running(t);
  const count = 30;
  for (let i = 0; i < count; i++)
    await made.ask('POST', '/v1/leases', { identity: 'build', address: `10.9.0.${i}` });
  const { stdout } = await say(['lease', 'list', '--json', ...config]);
  t.equal((JSON.parse(stdout) as { leases: unknown[] }).leases.length, count);
});

t.test('exceptions by the command line show in explain', async (t) => {
  const { config } = await running(t);
  const added = await say([
    'exception',
    'add',
    'vendor.example',
    '--identity',
    'build',
    '--ttl',
    '1h',
    '--reason',
    'CHG-1',
    '--type',
    'TXT',
    'A',
    ...config,
  ]);
  t.match(added, {
    code: 0,
    stdout: /^ex-\w+: vendor\.example for build until 2026-11-20T01:00:00Z, approved by admin-socket\n$/,
  });
  const id = added.stdout.split(':')[0]!;
  t.match(
    (await say(['exception', 'list', ...config])).stdout,
    /vendor\.example +TXT A|vendor\.example +A TXT/,
  );
  const explained = await say([
    'explain',
    '--identity',
    'build',
    'vendor.example',
    '--at',
    '2026-11-20T00:30:00Z',
    ...config,
  ]);
  t.match(explained, { code: 0, stdout: /exception ex-.*CHG-1/ });
  t.match(await say(['exception', 'revoke', id, ...config]), { code: 0, stdout: /is revoked/ });
  t.match(await say(['exception', 'list', '--json', ...config]), { stdout: '{"exceptions":[]}\n' });
  t.match(await say(['exception', 'add', 'a.example', '--identity', 'build', '--ttl', '1h', ...config]), {
    code: 2,
    stderr: /--reason/,
  });
  t.match(
    await say([
      'exception',
      'add',
      '*.com',
      '--identity',
      'build',
      '--ttl',
      '1h',
      '--reason',
      'x',
      ...config,
    ]),
    { code: 1, stderr: /public suffix/ },
  );
});

t.test('mistakes in the command line are told, and nobody is asked', async (t) => {
  const { config } = await running(t);
  const cases: [string[], RegExp][] = [
    [['lease'], /Usage: namegate lease/],
    [
      ['lease', 'open', '--identity', 'build', '--ttl', '4', '--address', '10.9.0.1'],
      /--ttl 4: write the unit, such as 4m or 4h/,
    ],
    [
      ['exception', 'add', 'a.example', '--identity', 'build', '--ttl', '4', '--reason', 'x'],
      /write the unit/,
    ],
    [['lease', 'open', '--identity', 'build', '--ttl', 'soon', '--address', '10.9.0.1'], /--ttl soon/],
    [['lease', 'open', '--identity', 'build', '--ttl', '1500ms', '--address', '10.9.0.1'], /whole seconds/],
    [['lease', 'open', '--identity', 'build', '--job', 'x', '--address', '10.9.0.1'], /KEY=VALUE/],
    [['lease', 'advance', 'le-1'], /name a stage/],
    [['lease', 'show', 'le-1', '--admin', 'ftp://x'], /--admin ftp:\/\/x/],
    [['lease', 'show', 'le-1', '--admin', 'http://10.0.0.1:1'], /--admin/],
    [['lease', 'show', 'le-1', '--admin', 'http://127.0.0.1:1'], /--token-file/],
    [['lease', 'show', 'le-1', '--token-file', '/nowhere'], /\/nowhere/],
    [['explain', '--lease', 'le-1', '--identity', 'build', 'a.example'], /with one of/],
  ];
  for (const [args, message] of cases) {
    const ran = await say([...args, ...(args.includes('--admin') || args.length === 1 ? [] : config)]);
    t.equal(ran.code, 2, args.join(' '));
    t.match(ran.stderr, message);
  }
});

t.test('nobody answers', async (t) => {
  const { made, config } = await running(t);
  await made.close();
  t.match(await say(['lease', 'list', ...config]), {
    code: 1,
    stdout: '',
    stderr: /nobody answers at .*admin\.sock: is namegate running\?/,
  });
  t.equal(
    (await say(['explain', '--identity', 'build', 'always.example', ...config])).code,
    0,
    'explain does without',
  );
});

t.test('over HTTP with a token', async (t) => {
  const sha256 = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
  const grant = {
    name: 'hook',
    sha256,
    rights: ['administer'] as const,
    identities: 'all' as const,
    addresses: [],
    certificates: [],
    until: 0xffff_ffff,
  };
  const made = await house(t, {
    setting: { kind: 'http', host: '127.0.0.1', port: 0, tokens: [grant], oidc: [] },
  });
  put(made.folder, { good: 'secret\n', bad: 'other\n' });
  const ask = (file: string) =>
    say(['lease', 'list', '--admin', made.admin.urls[0]!, '--token-file', join(made.folder, file)]);
  t.match(await ask('good'), { code: 0, stdout: 'no live leases\n' });
  t.match(await ask('bad'), { code: 1, stderr: /the token is not known/ });
});

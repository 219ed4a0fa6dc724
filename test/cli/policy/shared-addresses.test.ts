import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HISTORY_FILE, openHistory } from '../../../src/history/history-database.ts';
import { say } from '../command.ts';

const POLICY = `
destinations:
  web:
    owner: web
    reason: test
    names:
      - d111.cloudfront.net
      - example.github.io
      - own.example
      - { name: "*.edge.cloudfront.net", types: [A], shared_zone: accept, budget: { contain: 1KiB } }
      - "n{0..9}.pages.dev"
      - { name: ports.example, ports: [tcp/22, tcp/8000-8010] }
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [192.0.2.0/24] }
    allow: [web]
redirects:
  - { name: own.example, to: own.netlify.app }
records:
  - { name: d111.cloudfront.net, type: A, data: 203.0.113.1 }
  - { name: example.github.io, type: A, data: 203.0.113.1 }
  - { name: ports.example, type: A, data: 203.0.113.2 }
`;

t.test('check says what a grant opens besides, where the files know it', async (t) => {
  const files = (enforce: string): string =>
    t.testdir({
      'namegate.yaml': `listen: [udp://127.0.0.1:0]\nupstreams: { default: { servers: [udp://192.0.2.1] } }\npolicy: p.yaml\n${enforce}`,
      'p.yaml': POLICY,
    });
  const check = async (enforce: string): Promise<string> =>
    (await say(['check', '--config', `${files(enforce)}/namegate.yaml`])).stdout;
  const told = await check('enforce: { socket: /run/e.sock, interfaces: [docker0] }\n');
  t.match(told, /ports\.example .*; opens tcp\/22, tcp\/8000-8010/);
  const [, lines = ''] = told.split(
    'shared addresses: what is granted for one name is open for every name at its address\n',
  );
  t.same(lines.split('\n\n')[0]?.split('\n').sort(), [
    '  *.edge.cloudfront.net                    is in cloudfront.net, whose names share addresses',
    '  203.0.113.1                              has d111.cloudfront.net, example.github.io',
    '  d111.cloudfront.net                      is in cloudfront.net, whose names share addresses',
    '  example.github.io                        is in github.io, whose names share addresses',
    '  n{0..9}.pages.dev                        is in pages.dev, whose names share addresses',
    '  own.example, by its redirect             is in netlify.app, whose names share addresses',
  ]);
  const json = async (enforce: string): Promise<{ enforce?: object }> =>
    JSON.parse((await say(['check', '--json', '--config', `${files(enforce)}/namegate.yaml`])).stdout);
  const { enforce } = await json(
    'enforce: { socket: /run/e.sock, interfaces: [docker0], ports: [tcp/443] }\n',
  );
  t.match(enforce, {
    ports: ['tcp/443'],
    rules: [{ pattern: 'ports.example', at: /p\.yaml:12$/, ports: ['tcp/22', 'tcp/8000-8010'] }],
    shared_addresses: {
      zones: [
        { name: 'd111.cloudfront.net', zone: 'cloudfront.net' },
        { name: 'example.github.io', zone: 'github.io' },
        { name: '*.edge.cloudfront.net', zone: 'cloudfront.net' },
        { name: 'n{0..9}.pages.dev', zone: 'pages.dev' },
        { name: 'own.example, by its redirect', zone: 'netlify.app' },
      ],
      records: [{ address: '203.0.113.1', names: ['d111.cloudfront.net', 'example.github.io'] }],
    },
  });
  t.notOk('enforce' in (await json('')));
  const without = await check('');
  t.notMatch(without, /shared addresses/, 'without a firewall nothing is opened');
  t.match(without, /term-unused: ports of this rule change nothing: the server file has no enforce/);
});

t.test('and where the history has seen it', async (t) => {
  const folder = t.testdir({
    'namegate.yaml': `listen: [udp://127.0.0.1:0]
upstreams: { default: { servers: [udp://192.0.2.1] } }
policy: p.yaml
state: state
enforce: { socket: /run/e.sock, interfaces: [docker0] }
`,
    'p.yaml': POLICY,
  });
  const check = async () =>
    JSON.parse((await say(['check', '--json', '--config', `${folder}/namegate.yaml`])).stdout);
  t.same((await check()).enforce.shared_addresses.answers, [], 'there is none yet');
  const state = join(folder, 'state');
  mkdirSync(state);
  writeFileSync(join(state, HISTORY_FILE), 'no history');
  t.same((await check()).enforce.shared_addresses.answers, [], 'it cannot be read');
  writeFileSync(join(state, HISTORY_FILE), '');
  const database = openHistory(join(state, HISTORY_FILE));
  const rows: readonly [name: string, verdict: string, folded: number, addresses: readonly string[]][] = [
    ['a.example', 'allow', 0, ['203.0.113.7', '203.0.113.8']],
    ['b.example', 'allow', 0, ['203.0.113.7', '203.0.113.8']],
    ['c.example', 'allow', 0, ['203.0.113.7', '203.0.113.9']],
    ['a.example', 'allow', 0, ['203.0.113.9', '203.0.113.1']],
    ['a.example', 'allow', 0, ['203.0.113.1']],
    ['d.example', 'allow', 1, ['203.0.113.1']],
    ['e.example', 'local', 0, ['203.0.113.1']],
  ];
  const name = database.prepare('INSERT OR IGNORE INTO name (text, reverse) VALUES (?, ?)');
  const asked = database.prepare(`
    INSERT INTO asked (lease, name, folded, type, verdict, audited, proven, expected, ground, view, first, last, count)
    VALUES (1, (SELECT number FROM name WHERE text = ?), ?, 1, ?, 0, 1, 0, '', 1, 0, 0, 1)`);
  const given = database.prepare(
    'INSERT INTO given (asked, address, first, last, current) VALUES (?, ?, 0, 0, 1)',
  );
  for (const [text, verdict, folded, addresses] of rows) {
    name.run(text, text);
    const { lastInsertRowid } = asked.run(text, folded, verdict);
    for (const address of addresses) given.run(lastInsertRowid, address);
  }
  database.close();
  t.same((await check()).enforce.shared_addresses.answers, [
    { address: '203.0.113.7', names: ['a.example', 'b.example', 'c.example'] },
    { address: '203.0.113.8', names: ['a.example', 'b.example'] },
    { address: '203.0.113.9', names: ['a.example', 'c.example'] },
  ]);
  const { stdout } = await say(['check', '--config', `${folder}/namegate.yaml`]);
  t.match(stdout, / {2}203\.0\.113\.7 +was the answer for a\.example, b\.example, c\.example\n/);
});

import { spawnSync } from 'node:child_process';
import t from 'tap';
import type { FindingList, KeptFinding } from '../../src/outbox/kept-findings.ts';
import { ask } from './client.ts';
import { MAIN, type Namegate, namegate, until } from './namegate.ts';

/** `namegate findings` beside a running server without sinks: what was asked over the wire is there. */

function verb(server: Namegate, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'findings', ...args, '--config', server.path('namegate.yaml')],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  );
  return { code: status, out: stdout, err: stderr };
}

const POLICY = `identities:
  - name: one
    owner: team-one
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    search: [corp.example]
    allow: [{ name: github.com, reason: r }]
    stages:
      fetch: { allow: [] }
      build: { allow: [{ name: pypi.org, reason: r }] }
  - name: two
    owner: team-two
    review_by: 2099-01-01
    from: { addresses: [127.0.0.2] }
    detect: { attempt: off, reason: a test }
    allow: []
`;

t.test('what is asked over the wire is listed', async (t) => {
  const server = await namegate(t, { policy: POLICY, settings: 'admin: unix:admin.sock\n' });
  const listed = (...args: string[]): readonly KeptFinding[] => {
    const { code, out, err } = verb(server, '--json', ...args);
    t.equal(code, 0, err);
    return (JSON.parse(out) as FindingList).findings;
  };
  const name = (i: number): string => `${`${i}`.padStart(30, 'x')}.t.tunnel.example`;
  for (let i = 0; i < 20; i++) {
    await ask(server, name(i));
    await ask(server, name(i), { from: '127.0.0.2' });
    await ask(server, `${name(i)}.corp.example`);
  }
  await ask(server, 'pypi.org');
  // The name is approved, and the type is not.
  await ask(server, 'github.com', { type: 'TYPE10' });
  await ask(server, 'token.oast.pro', { from: '127.0.0.2', type: 'TXT' });
  let found: readonly KeptFinding[] = [];
  await until(
    () => {
      found = listed();
      return (
        found.some(({ kind }) => kind === 'out-of-band') &&
        found.some(({ kind }) => kind === 'odd-type') &&
        found.some(({ severity }) => severity === 'medium')
      );
    },
    () => `not listed: ${JSON.stringify(found)}`,
  );
  const brief = ({ kind, severity, identity, state, key }: KeptFinding): string =>
    [kind, severity, identity, state, key].join(' ');
  t.strictSame(found.map(brief).sort(), [
    'attempt medium one open tunnel.example',
    'odd-type low one open NULL',
    'other-stage medium one open pypi.org',
    'out-of-band high two open oast.pro (interactsh)',
  ]);
  const attempt = found.find(({ kind }) => kind === 'attempt')!;
  t.match(attempt, { owner: 'team-one', first: /Z$/, last: /Z$/, next: /look at the names/ });
  t.equal(attempt.names.length, 5);

  t.strictSame(
    listed('--identity', 'two').map(({ kind }) => kind),
    ['out-of-band'],
  );
  t.strictSame(listed('--since', '2099-01-01T00:00:00Z'), []);
  t.equal(listed('--since', '1h').length, 4);
  t.equal(listed('--limit', '1').length, 1);
  const { out } = verb(server, '--since', '1h');
  t.match(out, /^LAST +SEVERITY +FINDING +IDENTITY +STATE +COUNT +ABOUT$/m);
  t.match(out, /^ {2}next: take the job for compromised/m);
  t.match(verb(server, '--since', 'yesterday'), { code: 2, err: /--since yesterday: write it as/ });
  t.match(verb(server, '--limit', '0'), { code: 2, err: /--limit 0/ });
});

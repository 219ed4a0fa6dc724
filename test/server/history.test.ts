import t, { type Test } from 'tap';
import { say } from '../cli/command.ts';
import { ask } from './client.ts';
import { Namegate, namegate } from './namegate.ts';

const POLICY = `
destinations:
  src: { owner: sec, reason: r, fallback: the mirror, names: [github.com, "*.cdn.example"] }
records:
  - { name: github.com, type: A, data: 192.0.2.7 }
identities:
  - { name: build, owner: team-a, from: { addresses: [127.0.0.9] }, allow: [src], search: [corp.example] }
  - { name: other, owner: team-b, from: { addresses: [127.0.0.0/8] }, allow: [src] }
`;

const OPTIONS = { policy: POLICY, settings: 'admin: unix:admin.sock\nstate: state/\n' };

async function verb(
  server: Namegate,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const { code, stdout, stderr } = await say([...args, '--config', server.path('namegate.yaml')]);
  return { code, out: stdout, err: stderr };
}

async function openLease(server: Namegate, ...more: string[]): Promise<string> {
  const { out } = await verb(
    server,
    'lease',
    'open',
    '--identity',
    'build',
    '--address',
    '127.0.0.1',
    '--ttl',
    '1h',
    '--json',
    ...more,
  );
  return (JSON.parse(out) as { id: string }).id;
}

async function reportOf(
  server: Namegate,
  lease: string,
): Promise<{ complete: boolean; totals: Record<string, { questions: number }> }> {
  return JSON.parse((await verb(server, 'report', '--lease', lease, '--format', 'json')).out);
}

t.test('the account of a job, over a kill', async (t: Test) => {
  let server = await namegate(t, OPTIONS);
  const lease = await openLease(server, '--job', 'run_id=77');

  await t.test('a job that asks what is approved passes', async (t) => {
    for (let i = 0; i < 3; i++) await ask(server, 'github.com');
    const { code, out } = await verb(server, 'report', '--lease', lease, '--fail-on', 'deny');
    t.equal(code, 0, out);
    t.match(out, /^namegate: all that was asked is approved\n/);
    t.match(out, /\nNAMEGATE_REPORT=\{.*\}\n$/);
    t.match(out, /complete: 1 of 1 server; policy [0-9a-f]{16}/);
  });

  await t.test('noise fails nothing, and a type only where it is asked for', async (t) => {
    await ask(server, 'github.com.corp.example');
    await ask(server, 'x.cdn.example', { type: 'MX' });
    t.equal((await verb(server, 'report', '--lease', lease, '--fail-on', 'deny')).code, 0);
    t.equal((await verb(server, 'report', '--lease', lease, '--fail-on', 'deny,empty')).code, 1);
  });

  await t.test('an unapproved name fails it, and says what to do', async (t) => {
    for (let i = 0; i < 7; i++) await ask(server, 'evil.example');
    const { code, out } = await verb(server, 'report', '--lease', lease, '--fail-on', 'deny');
    t.equal(code, 1);
    t.match(out, /^ {2}evil\.example A: 7 times, /m);
    t.match(out, /namegate exception add evil\.example --identity build --ttl 4h --reason TEXT/);
    t.equal((await verb(server, 'report', '--lease', lease)).code, 0, 'without --fail-on');
    t.equal((await verb(server, 'report', '--job', 'run_id=77', '--fail-on', 'deny')).code, 1);
    t.equal((await verb(server, 'report', '--identity', 'build', '--fail-on', 'deny')).code, 1);
    t.equal(
      (await verb(server, 'report', '--identity', 'other', '--fail-on', 'deny')).code,
      3,
      'nothing is known of it',
    );
  });

  await t.test('a kill loses no question, and the lease goes on', async (t) => {
    for (let i = 0; i < 5; i++) await ask(server, 'evil.example');
    server.kill('SIGKILL');
    await server.ended;
    server = await new Namegate(t, server.folder).started();
    await ask(server, 'evil.example');
    const { complete, totals } = await reportOf(server, lease);
    t.equal(complete, true);
    t.equal(totals['unapproved']?.questions, 13);
    t.equal(totals['allowed']?.questions, 3);
    await verb(server, 'lease', 'end', lease);
    const { code, out } = await verb(
      server,
      'report',
      '--lease',
      lease,
      '--fail-on',
      'deny',
      '--format',
      'json',
    );
    t.equal(code, 1);
    t.equal(JSON.parse(out).totals.unapproved.questions, 13);
    await history(t, server, lease);
    await review(t, server);
    await live(t, server);
    await needs(t, server);
    t.equal((await verb(server, 'report', '--lease', 'le-none', '--fail-on', 'deny')).code, 3);
    t.equal((await verb(server, 'report')).code, 2);
    await server.stop(t);
  });
});

async function live(t: Test, server: Namegate): Promise<void> {
  await t.test('top says what was asked in the last minutes, and draws no screen into a pipe', async (t) => {
    await ask(server, 'evil.example');
    const { code, out } = await verb(server, 'top', '--minutes', '10');
    t.equal(code, 0);
    t.match(out, /^nothing|denied\n[\s\S]*evil\.example/m);
    t.notMatch(out, /\u001b/);
    const { denials, identities } = JSON.parse((await verb(server, 'top', '--json')).out);
    t.match(
      denials.find(({ identity }: { identity: string }) => identity === 'other'),
      { name: 'evil.example', verdict: 'deny', lease: null },
    );
    t.ok(identities.some(({ refused }: { refused: number }) => refused > 0));
    t.equal((await verb(server, 'top', '--minutes', '11')).code, 2);
  });

  await t.test('tail tells a decision as it is made, and what comes again with its count', async (t) => {
    const tail = (...args: string[]) => verb(server, 'tail', '--json', '--limit', '1', ...args);
    const asking = setInterval(() => void ask(server, 'now.evil.example'), 200);
    t.teardown(() => clearInterval(asking));
    const [first, again, text] = await Promise.all([
      tail('--verdict', 'deny', '--name', '**.evil.example'),
      tail('--identity', 'other'),
      verb(server, 'tail', '--limit', '1', '--name', '*.evil.example'),
    ]);
    t.match(JSON.parse(first.out), {
      verdict: 'deny',
      identity: 'other',
      name: 'now.evil.example',
      type: 'A',
    });
    t.match(JSON.parse(again.out), { name: 'now.evil.example', client: '127.0.0.1' });
    t.match(text.out, /^\d\d:\d\d:\d\d\.\d{3} deny now\.evil\.example A \(other; .*from 127\.0\.0\.1/);
    t.equal((await verb(server, 'tail', '--verdict', 'no')).code, 2);
  });
}

async function needs(t: Test, server: Namegate): Promise<void> {
  await t.test('dependencies say what identities need', async (t) => {
    const { code, out, err } = await verb(server, 'dependencies', '--format', 'json');
    t.equal(code, 0, err);
    t.match(JSON.parse(out).dependencies, [
      {
        destination: 'src',
        identity: 'build',
        stage: '',
        state: 'good',
        owner: 'sec',
        fallbacks: ['the mirror'],
      },
      { destination: 'src', identity: 'other', state: 'unused', last_used: null },
    ]);
    t.match((await verb(server, 'dependencies')).out, /^src +build +- +good /m);
    const dot = (await verb(server, 'dependencies', '--format', 'dot')).out;
    t.match(dot, /^digraph namegate \{\n[\s\S]* {2}"identity build" -> "destination src" \[[\s\S]*\}\n$/);
  });
}

async function review(t: Test, server: Namegate): Promise<void> {
  await t.test('review says what of the policy is used', async (t) => {
    const { code, out } = await verb(server, 'review', '--identity', 'build', '--json');
    t.equal(code, 0);
    const { identities } = JSON.parse(out);
    t.match(identities, [
      { identity: 'build', owner: 'team-a', jobs: 1, refused: [{ stage: '', questions: 14 }] },
    ]);
    const rules = new Map(identities[0].rules.map((rule: { pattern: string }) => [rule.pattern, rule]));
    t.match(rules.get('github.com'), {
      jobs: 1,
      unused: false,
      destination: 'src',
      owner: 'sec',
      reason: 'r',
    });
    const text = await verb(server, 'review', '--identity', 'other');
    t.match(text.out, /^unused for 30 days, candidates to revoke: .*github\.com/m);
    t.equal((await verb(server, 'review', '--identity', 'nobody')).code, 2);
  });
}

async function history(t: Test, server: Namegate, lease: string): Promise<void> {
  await t.test('history finds who was given an address, and who asked for a name', async (t) => {
    const cases: [args: string[], code: number, found: RegExp | string][] = [
      [
        ['--address', '192.0.2.7'],
        0,
        new RegExp(`github\\.com +A +192\\.0\\.2\\.7 +build +${lease} +127\\.0\\.0\\.1 +run_id=77`),
      ],
      [['--address', '192.0.2.8'], 0, 'nobody\n'],
      [['--name', 'Evil.Example.'], 0, /13 +deny +evil\.example/],
      [['--name', '*.example'], 0, /evil\.example/],
      [['--name', '**.corp.example'], 0, /github\.com\.corp\.example/],
      [['--name', '*.corp.example'], 0, 'nobody\n'],
      [['--lease', lease], 0, /evil\.example/],
      [['--identity', 'other'], 0, 'nobody\n'],
      [['--names-from', server.path('names.txt')], 1, /evil\.example/],
      [['--names-from', server.path('none.txt')], 0, 'nobody\n'],
      [['--name', 'evil.example', '--until', '2026-01-01T00:00:00Z'], 0, 'nobody\n'],
    ];
    server.write('names.txt', '# indicators\nother.example\nEVIL.example\n');
    server.write('none.txt', Array.from({ length: 250 }, (_, i) => `n${i}.example`).join('\n'));
    for (const [args, code, found] of cases) {
      const said = await verb(server, 'history', ...args);
      t.equal(said.code, code, `${args.join(' ')}: ${said.err}`);
      if (typeof found === 'string') t.equal(said.out, found, args.join(' '));
      else t.match(said.out, found, args.join(' '));
    }
    const [line] = (await verb(server, 'history', '--name', 'evil.example', '--json')).out.split('\n');
    t.match(JSON.parse(line!), {
      name: 'evil.example',
      verdict: 'deny',
      count: 13,
      identity: 'build',
      lease,
    });
  });
}

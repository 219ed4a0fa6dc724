import t from 'tap';
import { buildProgram } from '../../src/cli/program.ts';
import { count, enumerate, escapeText, shortPath, Terminal, version } from '../../src/cli/terminal.ts';
import { VERBS } from '../../src/cli/verbs.ts';
import { command, MAIN, namegate, say } from './command.ts';

const NOWHERE = new Terminal({ write: () => {} }, { write: () => {} }, {});

t.test('help, version, and mistakes in the command line', async (t) => {
  const verbs = (await buildProgram(NOWHERE)).commands.map((verb) => verb.name());
  t.same(verbs, Object.keys(VERBS), 'each by the name that it is listed under');
  t.ok(verbs.length > 10, `${verbs.length} verbs`);
  const [help, checkHelp, ver, none, verb, option, missing, value, extra, file] = await Promise.all([
    say(['--help']),
    say(['check', '--help']),
    say(['--version']),
    say([]),
    say(['chekc']),
    say(['check', '--jsno']),
    say(['explain']),
    say(['schema', 'everything']),
    say(['check', 'a', 'b']),
    say(['serve', 'package.json']),
  ]);
  t.equal(help.code, 0);
  t.equal(help.stderr, '');
  for (const name of verbs) t.match(help.stdout, new RegExp(`^  ${name}`, 'm'));
  t.match(help.stdout, /^Examples:$/m);
  t.equal(checkHelp.code, 0);
  t.match(checkHelp.stdout, /^Usage: namegate check .*--config.*^Examples:$/ms);
  t.same(ver, { code: 0, stdout: `${version()}\n`, stderr: '' });
  for (const [what, ran, said] of [
    ['no verb', none, /^Usage: namegate/],
    ['another verb', verb, /unknown command 'chekc'\n\(Did you mean check\?\)/],
    ['another option', option, /unknown option '--jsno'\n\(Did you mean --json\?\)\n\(namegate check --help/],
    ['no name', missing, /missing required argument 'name'/],
    ['another schema', value, /Allowed choices are server, policy/],
    ['too many', extra, /too many arguments/],
    ['a server file behind it', file, /\(a server file is named so: --config package\.json\)/],
  ] as const) {
    t.equal(ran.code, 2, what);
    t.equal(ran.stdout, '', what);
    t.match(ran.stderr, said, what);
  }
});

t.test('every verb has examples', async (t) => {
  for (const verb of (await buildProgram(NOWHERE)).commands) {
    let text = '';
    verb
      .configureOutput({
        writeOut: (part) => {
          text += part;
        },
      })
      .outputHelp();
    t.match(text, new RegExp(`^Examples:\\n  \\$ namegate ${verb.name()}`, 'm'), verb.name());
    t.not(verb.description(), '');
  }
});

t.test('a reader that goes away is no crash', async (t) => {
  const args = ['schema', 'policy'];
  const { stdout, stderr } = await command([
    'bash',
    '-c',
    `"$0" "$@" | head -c 1; echo " \${PIPESTATUS[0]}"`,
    process.execPath,
    MAIN,
    ...args,
  ]);
  t.equal(stderr, '');
  t.equal(stdout, '{ 0\n');
  const closed = await command([
    'bash',
    '-c',
    `"$0" "$@" >&-; echo "$?" >&2`,
    process.execPath,
    MAIN,
    ...args,
  ]);
  t.match(closed.stderr, /^\d+\n$/, 'no standard output at all is none either');
});

t.test('output that cannot be written is a failure', { skip: process.platform !== 'linux' }, async (t) => {
  const args = ['schema', 'policy'];
  const { stderr } = await command([
    'bash',
    '-c',
    `"$0" "$@" >/dev/full; echo "$?" >&2`,
    process.execPath,
    MAIN,
    ...args,
  ]);
  t.match(stderr, /^namegate: the output could not be written: .*ENOSPC.*\n1\n$/);
});

t.test('a process exits with the code of its verb', async (t) => {
  const [good, mistaken] = await Promise.all([namegate(['--version']), namegate(['chekc'])]);
  t.same(good, { code: 0, stdout: `${version()}\n`, stderr: '' });
  t.equal(mistaken.code, 2);
  t.match(mistaken.stderr, /unknown command/);
});

t.test('colours are for terminals that want them', async (t) => {
  const painted = (isTTY: boolean, env: Record<string, string>): string => {
    let text = '';
    const stream = { isTTY, write: (part: string) => (text += part) };
    const terminal = new Terminal(stream, stream, env);
    terminal.print(terminal.paint('red', 'x'));
    return text;
  };
  t.equal(painted(true, {}), '\u001b[31mx\u001b[39m\n');
  t.equal(painted(false, {}), 'x\n');
  t.equal(painted(true, { NO_COLOR: '1' }), 'x\n');
  t.equal(painted(true, { NO_COLOR: '' }), '\u001b[31mx\u001b[39m\n', 'an empty NO_COLOR is none');
});

t.test('schemas are JSON', async (t) => {
  const { code, stdout } = await say(['schema', 'server']);
  t.equal(code, 0);
  t.match(JSON.parse(stdout), { type: 'object' });
});

t.test('texts for terminals', async (t) => {
  t.equal(escapeText('für "a" \\ 東京 €'), 'für "a" \\ 東京 €');
  t.equal(escapeText('a\u001b[2J\tb\n'), 'a\\027[2J\\009b\\010');
  t.equal(escapeText('\u202e\u200b\u0085\ud800'), '\\226\\128\\174\\226\\128\\139\\194\\133\\239\\191\\189');
  t.equal(count(1, 'identity'), '1 identity');
  t.equal(count(1000, 'identity'), '1,000 identities');
  t.equal(count(0, 'error'), '0 errors');
  t.equal(enumerate(['a', 'b']), 'a, b');
  t.equal(
    enumerate(Array.from({ length: 2008 }, (_, i) => `n${i}`)),
    'n0, n1, n2, n3, n4, n5, n6, n7 and 2,000 more',
  );
  t.equal(shortPath(`${process.cwd()}/config/policy`), 'config/policy');
  t.equal(shortPath('/etc/namegate'), '/etc/namegate');
  t.equal(shortPath(process.cwd()), process.cwd());
});

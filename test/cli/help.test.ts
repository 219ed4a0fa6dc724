import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { buildProgram } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import { VERBS, type Verb } from '../../src/cli/verbs.ts';
import { say } from './command.ts';

const COMMANDS = new URL('../../docs/commands.md', import.meta.url);
const nowhere = { write: () => {} };
const verbs = (await buildProgram(new Terminal(nowhere, nowhere, {}))).commands;

/** What the text below the table says once for all verbs that ask a running server. */
const SHARED = ['--config', '--admin', '--token-file', '--json'];

t.test(
  'docs/commands.md has every verb and option, and no other',
  { skip: !existsSync(COMMANDS) },
  async (t) => {
    const usages = shownUsages(readFileSync(COMMANDS, 'utf8'));
    const leaves = verbs.flatMap((verb) =>
      verb.commands.length === 0
        ? [{ name: verb.name(), verb }]
        : verb.commands.map((inner) => ({ name: `${verb.name()} ${inner.name()}`, verb: inner })),
    );
    t.same([...usages.keys()].sort(), leaves.map(({ name }) => name).sort(), 'one usage for each verb');
    for (const { name, verb } of leaves) {
      const usage = usages.get(name) ?? '';
      const shared = optionsOf(verb).includes('--admin') || name.includes(' ') ? SHARED : [];
      const told = [...usage.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option);
      const wanted = optionsOf(verb).filter((option) => told.includes(option) || !shared.includes(option));
      t.same(told.sort(), wanted.sort(), `options of ${name}`);
      for (const argument of verb.registeredArguments) {
        const choices = argument.argChoices ?? [argument.name().toUpperCase()];
        for (const choice of choices) t.match(usage, choice, `${name} ${choice}`);
      }
    }
  },
);

t.test('the help of every verb has each of its options', async (t) => {
  for (const verb of verbs.flatMap((one) => [one, ...one.commands])) {
    const help = verb.helpInformation();
    for (const option of optionsOf(verb)) t.match(help, option, `${verb.name()} ${option}`);
  }
});

t.test('the help of the program has the description of each verb', async (t) => {
  for (const verb of verbs) t.equal(VERBS[verb.name() as Verb].summary, verb.description(), verb.name());
  t.same(
    Object.keys(VERBS),
    verbs.map((verb) => verb.name()),
  );
});

t.test('options that must be given are marked, and no other', async (t) => {
  for (const verb of verbs.flatMap((one) => [one, ...one.commands])) {
    const help = verb.helpInformation().replace(/\n {10,}/g, ' ');
    for (const { flags, mandatory } of verb.options) {
      const line = help.split('\n').find((one) => one.trim().startsWith(flags)) ?? '';
      t.equal(line.endsWith('(required)'), mandatory, `${verb.name()} ${flags}`);
    }
  }
});

t.test('help VERB is VERB --help', async (t) => {
  for (const words of [['stub'], ['lease'], ['lease', 'open'], ['check']]) {
    const asked = await say([...words, '--help']);
    t.equal(asked.code, 0);
    t.same(await say(['help', ...words]), asked, words.join(' '));
  }
  t.same(await say(['help']), await say(['--help']));
  const unknown = await say(['help', 'chekc']);
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /unknown command 'chekc'\n\(Did you mean check\?\)/);
});

function optionsOf(verb: (typeof verbs)[number]): string[] {
  return verb.options.map((option) => option.long ?? option.flags);
}

/** By verb: the usages in the first cells of the table of commands; the verbs of a group may share a cell. */
function shownUsages(table: string): Map<string, string> {
  const groups = new Set(verbs.filter((verb) => verb.commands.length > 0).map((verb) => verb.name()));
  const usages = new Map<string, string>();
  for (const [, cell = ''] of table.matchAll(/^\| (`namegate (?:[^|\\]|\\.)*`) \|/gm)) {
    for (const [, usage = ''] of cell.matchAll(/`(?:namegate )?([^`]*)`/g)) {
      const [first = '', second = ''] = usage.split(' ');
      usages.set(groups.has(first) ? `${first} ${second}` : first, usage);
    }
  }
  return usages;
}

import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { buildProgram } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal.ts';

const README = new URL('../../README.md', import.meta.url);
const nowhere = { write: () => {} };
const verbs = buildProgram(new Terminal(nowhere, nowhere, {})).commands;

t.test('the README has every verb and option, and no other', { skip: !existsSync(README) }, async (t) => {
  const rows = readmeRows(readFileSync(README, 'utf8'));
  t.same(
    [...rows.keys()].sort(),
    verbs.map((verb) => verb.name()).sort(),
    'one row of the table for each verb',
  );
  for (const verb of verbs) {
    const usage = rows.get(verb.name()) ?? '';
    const told = [...usage.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option);
    t.same(told.sort(), optionsOf(verb).sort(), `options of ${verb.name()}`);
    for (const argument of verb.registeredArguments) {
      const choices = argument.argChoices ?? [argument.name().toUpperCase()];
      for (const choice of choices) t.match(usage, choice, `${verb.name()} ${choice}`);
    }
  }
});

t.test('the help of every verb has each of its options', async (t) => {
  for (const verb of verbs) {
    const help = verb.helpInformation();
    for (const option of optionsOf(verb)) t.match(help, option, `${verb.name()} ${option}`);
  }
});

function optionsOf(verb: (typeof verbs)[number]): string[] {
  return verb.options.map((option) => option.long ?? option.flags);
}

/** By verb: the first cell of the table's row that starts with `namegate VERB`. */
function readmeRows(markdown: string): Map<string, string> {
  const cells = [...markdown.matchAll(/^\| `namegate ((?:[^|\\]|\\.)*)` \|/gm)];
  return new Map(cells.map(([, usage = '']) => [/^[a-z]+/.exec(usage)?.[0] ?? '', usage]));
}

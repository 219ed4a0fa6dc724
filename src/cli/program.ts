import { existsSync } from 'node:fs';
import { Command, CommanderError, Help, type HelpConfiguration } from 'commander';
import { EXIT_USAGE, processTerminal, type Terminal, version } from './terminal.ts';
import { isVerb, VERBS, type Verb } from './verbs.ts';

/** Runs one command line, without the program's name. Resolves with the exit code; usage errors are 2. */
export async function run(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const words = helpWanted(argv);
  const [verb = ''] = words;
  try {
    const program = isVerb(verb) ? await buildProgram(terminal, [verb]) : outline(terminal);
    await program.parseAsync(words, { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // People write the server file behind the verb, as other servers take it.
    const file = error.code === 'commander.excessArguments' ? words.slice(1).find(isFile) : undefined;
    if (file !== undefined) terminal.complain(`(a server file is named so: --config ${file})`);
    // Help and version were asked for; everything else is a mistake in the command line.
    return error.exitCode === 0 ? terminal.exitCode : EXIT_USAGE;
  }
}

function isFile(word: string): boolean {
  return !word.startsWith('-') && existsSync(word);
}

/** `help VERB …` is `VERB … --help`; `help` alone, or of no verb that there is, is for the program itself. */
function helpWanted(argv: readonly string[]): string[] {
  if (argv[0] !== 'help') return [...argv];
  const of = argv.slice(1);
  return of.length === 0 ? ['--help'] : isVerb(of[0]!) ? [...of, '--help'] : of;
}

/**
 * The program with these verbs: what the others are made of is not loaded. Each verb leaves its exit code in the terminal; a
 * CommanderError is thrown where commander would exit.
 */
export async function buildProgram(
  terminal: Terminal,
  verbs: readonly Verb[] = Object.keys(VERBS) as Verb[],
): Promise<Command> {
  const program = bare(terminal);
  for (const build of await Promise.all(verbs.map((verb) => VERBS[verb].load()))) {
    const command = build(terminal);
    program.addCommand(command.copyInheritedSettings(program));
    command.showHelpAfterError(`(namegate ${command.name()} --help has examples)`);
    for (const inner of command.commands) {
      inner
        .copyInheritedSettings(command)
        .showHelpAfterError(`(see namegate ${command.name()} ${inner.name()} --help)`);
    }
  }
  return program;
}

/** The program with the names of its verbs alone: for its own help, and for verbs that it does not have. */
function outline(terminal: Terminal): Command {
  const program = bare(terminal);
  for (const [verb, { summary }] of Object.entries(VERBS)) {
    program.addCommand(new Command(verb).description(summary).copyInheritedSettings(program));
  }
  return program;
}

function bare(terminal: Terminal): Command {
  return new Command('namegate')
    .description('A DNS server that gives each client its approved names and nothing else.')
    .version(version(), '-V, --version')
    .helpCommand('help [verb]', 'show the help of a verb')
    .configureHelp(HELP)
    .exitOverride()
    .configureOutput(terminal.output)
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(see namegate --help)');
}

const PLAIN = new Help();

/** Options that must be given are marked. */
const HELP: HelpConfiguration = {
  optionDescription: (option) => `${PLAIN.optionDescription(option)}${option.mandatory ? ' (required)' : ''}`,
};

const EXAMPLES = `
Examples:
  $ namegate serve --config config/namegate.yaml
  $ namegate check
  $ namegate explain --from 10.20.3.4 github.com
  $ namegate query github.com AAAA --server 127.0.0.1:5300
  $ namegate lease list
  $ namegate identity show payments-build
  $ namegate doctor`;

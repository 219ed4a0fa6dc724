import { Command, CommanderError } from 'commander';
import { checkVerb } from './check.ts';
import { doctorVerb } from './doctor.ts';
import { exceptionVerb } from './exception.ts';
import { explainVerb } from './explain.ts';
import { identityVerb } from './identity.ts';
import { leaseVerb } from './lease.ts';
import { queryVerb } from './query.ts';
import { schemaVerb } from './schema.ts';
import { serveVerb } from './serve.ts';
import { stubVerb } from './stub.ts';
import { EXIT_USAGE, processTerminal, type Terminal, version } from './terminal.ts';

/** Runs one command line, without the program's name. Resolves with the exit code; usage errors are 2. */
export async function run(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    await buildProgram(terminal).parseAsync([...argv], { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version were asked for; everything else is a mistake in the command line.
    return error.exitCode === 0 ? terminal.exitCode : EXIT_USAGE;
  }
}

/** All verbs. Each leaves its exit code in the terminal; a CommanderError is thrown where commander would exit. */
export function buildProgram(terminal: Terminal): Command {
  const program = new Command('namegate')
    .description('A DNS server that gives each client its approved names and nothing else.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput(terminal.output)
    .addHelpText('after', EXAMPLES);
  for (const verb of VERBS) {
    const command = verb(terminal);
    program.addCommand(command.copyInheritedSettings(program));
    command.showHelpAfterError(`(namegate ${command.name()} --help has examples)`);
    for (const inner of command.commands) {
      inner
        .copyInheritedSettings(command)
        .showHelpAfterError(`(see namegate ${command.name()} ${inner.name()} --help)`);
    }
  }
  return program.showHelpAfterError('(see namegate --help)');
}

const VERBS = [
  serveVerb,
  checkVerb,
  explainVerb,
  queryVerb,
  schemaVerb,
  leaseVerb,
  exceptionVerb,
  identityVerb,
  doctorVerb,
  stubVerb,
];

const EXAMPLES = `
Examples:
  $ namegate serve --config config/namegate.yaml
  $ namegate check
  $ namegate explain --from 10.20.3.4 github.com
  $ namegate query github.com AAAA --server 127.0.0.1:5300
  $ namegate lease list
  $ namegate identity show payments-build
  $ namegate doctor`;

import { Command, CommanderError } from 'commander';
import { checkVerb } from './check.ts';
import { doctorVerb } from './doctor.ts';
import { EXIT_USAGE, version } from './terminal.ts';
import { explainVerb } from './explain.ts';
import { queryVerb } from './query.ts';
import { schemaVerb } from './schema.ts';
import { serveVerb } from './serve.ts';

/** Runs one command line, without the program's name. Resolves with the exit code; usage errors are 2. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const done = (exit: number): void => {
    code = exit;
  };
  const program = new Command('namegate')
    .description('A DNS server that gives each client its approved names and nothing else.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .showHelpAfterError('(see namegate --help)')
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  for (const verb of [serveVerb, checkVerb, explainVerb, queryVerb, schemaVerb, doctorVerb]) {
    const command = verb(done);
    command.exitOverride();
    program.addCommand(command);
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version were asked for; everything else is a mistake in the command line.
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

const EXAMPLES = `
Examples:
  $ namegate serve --config config/namegate.yaml
  $ namegate check
  $ namegate explain --from 10.20.3.4 github.com
  $ namegate query github.com AAAA --server 127.0.0.1:5300
  $ namegate doctor`;

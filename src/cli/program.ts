import { Command, CommanderError } from 'commander';
import { EXIT_USAGE, processTerminal, type Terminal, version } from './terminal.ts';

/** Runs one command line, without the program's name. Resolves with the exit code; usage errors are 2. */
export async function run(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    const program = await buildProgram(terminal, argv[0]);
    await program.parseAsync([...argv], { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version were asked for; everything else is a mistake in the command line.
    return error.exitCode === 0 ? terminal.exitCode : EXIT_USAGE;
  }
}

/**
 * The program with all its verbs, or with `only` that one where there is one of that name: what the others are made of is
 * then not loaded. Each verb leaves its exit code in the terminal; a CommanderError is thrown where commander would exit.
 */
export async function buildProgram(terminal: Terminal, only = ''): Promise<Command> {
  const program = new Command('namegate')
    .description('A DNS server that gives each client its approved names and nothing else.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput(terminal.output)
    .addHelpText('after', EXAMPLES);
  const verbs = Object.hasOwn(VERBS, only) ? [VERBS[only as keyof typeof VERBS]] : Object.values(VERBS);
  for (const verb of await Promise.all(verbs.map((load) => load()))) {
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

/** In the order of the help. */
const VERBS = {
  serve: async () => (await import('./serve.ts')).serveVerb,
  check: async () => (await import('./check.ts')).checkVerb,
  explain: async () => (await import('./explain.ts')).explainVerb,
  query: async () => (await import('./query.ts')).queryVerb,
  schema: async () => (await import('./schema.ts')).schemaVerb,
  lease: async () => (await import('./lease.ts')).leaseVerb,
  exception: async () => (await import('./exception.ts')).exceptionVerb,
  identity: async () => (await import('./identity.ts')).identityVerb,
  doctor: async () => (await import('./doctor.ts')).doctorVerb,
  stub: async () => (await import('./stub.ts')).stubVerb,
} as const;

const EXAMPLES = `
Examples:
  $ namegate serve --config config/namegate.yaml
  $ namegate check
  $ namegate explain --from 10.20.3.4 github.com
  $ namegate query github.com AAAA --server 127.0.0.1:5300
  $ namegate lease list
  $ namegate identity show payments-build
  $ namegate doctor`;

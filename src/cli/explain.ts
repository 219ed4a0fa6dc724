import { Command } from 'commander';
import { parseAddress } from '../config/addresses.ts';
import { load } from '../config/load.ts';
import { readExactName } from '../config/names.ts';
import { parseTime } from '../config/units.ts';
import { explain, explanationLine } from '../policy/explain.ts';
import { findAddress, UNKNOWN } from '../policy/identity.ts';
import { isError } from '../policy/problem.ts';
import type { Identity, Snapshot } from '../policy/snapshot.ts';
import { typeFromText } from '../wire/iana.ts';
import { complainProblems } from './problems.ts';
import { CONFIG_HELP, complain, type Done, EXIT_GOOD, EXIT_PROBLEMS, EXIT_USAGE, print, serverFile } from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly from?: string;
  readonly identity?: string;
  readonly stage?: string;
  readonly at?: string;
  readonly json?: boolean;
}

export function explainVerb(done: Done): Command {
  return new Command('explain')
    .description('Say how a question would be answered, by which rule, and whom to ask. Exits 0 for allow and local, else 1.')
    .argument('<name>', 'the name that is asked for')
    .argument('[type]', 'the RR type', 'A')
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--from <address>', 'the client’s address'.replace('’', "'"))
    .option('--identity <name>', 'the identity, instead of an address')
    .option('--stage <stage>', 'the stage that the identity is in')
    .option('--at <time>', 'the moment, ISO 8601 (default: now)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate explain --from 127.0.0.1 github.com
  $ namegate explain --identity payments-build --stage fetch pypi.org AAAA --json`,
    )
    .action((name: string, type: string, options: Options) => done(explainQuestion(name, type, options)));
}

function explainQuestion(nameText: string, typeText: string, options: Options): number {
  if ((options.from === undefined) === (options.identity === undefined)) {
    return usage('say who asks: --from ADDRESS or --identity NAME');
  }
  const type = typeFromText(typeText);
  if (type === null) return usage(`${typeText} is no RR type: write a mnemonic such as AAAA, or TYPE65`);
  const name = readExactName(nameText, 'the name asked for');
  if ('message' in name) return usage(`${nameText}: ${name.message}`);
  const at = options.at === undefined ? Date.now() / 1000 : parseTime(options.at);
  if (typeof at !== 'number') return usage(`--at ${options.at}: ${at.message}; ${at.fix}`);

  const { problems, sources, snapshot } = load(serverFile(options.config), { env: process.env, now: at, salt: 0 });
  if (snapshot === null) {
    complainProblems(problems.filter(isError), sources);
    return EXIT_USAGE;
  }
  const identity = findIdentity(snapshot, options);
  if (typeof identity === 'string') return usage(identity);
  const stage = options.stage === undefined ? null : identity.stages.find((known) => known.name === options.stage);
  if (stage === undefined) {
    const known = identity.stages.map((one) => one.name).join(', ') || 'none';
    return usage(`${identity.name} has no stage ${options.stage}; it has: ${known}`);
  }
  const explained = explain(snapshot, identity, stage, name.name, type, at);
  const { because, ...contract } = explained;
  print(options.json === true ? JSON.stringify(contract) : explanationLine(explained));
  return explained.verdict === 'allow' || explained.verdict === 'local' ? EXIT_GOOD : EXIT_PROBLEMS;
}

/** The identity, or what is wrong with how it was named. */
function findIdentity(snapshot: Snapshot, options: Options): Identity | string {
  if (options.identity !== undefined) {
    if (options.identity === UNKNOWN.name) return UNKNOWN;
    const found = snapshot.identities.find(({ name }) => name === options.identity);
    return found ?? `there is no identity ${options.identity}; there are: ${snapshot.identities.map(({ name }) => name).join(', ') || 'none'}`;
  }
  const address = parseAddress(options.from!);
  if ('fix' in address) return `--from ${options.from}: ${address.message}; ${address.fix}`;
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = address.words;
  return snapshot.identities[findAddress(snapshot.addresses, address.family, w0, w1, w2, w3)] ?? UNKNOWN;
}

function usage(message: string): number {
  complain(`namegate explain: ${message}`);
  return EXIT_USAGE;
}

import { Command } from 'commander';
import { parseAddress } from '../config/addresses.ts';
import { load } from '../config/load.ts';
import { parseTime } from '../config/units.ts';
import { explain, explanationLine } from '../policy/explain.ts';
import { findAddress, UNKNOWN } from '../policy/identity.ts';
import { isError } from '../policy/problem.ts';
import type { Identity, Snapshot } from '../policy/snapshot.ts';
import { typeFromText } from '../wire/iana.ts';
import { lowerName } from '../wire/name.ts';
import { complainProblems } from './problems.ts';
import { readQuestionName } from './question-name.ts';
import {
  CONFIG_HELP,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  EXIT_USAGE,
  enumerate,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly from?: string;
  readonly identity?: string;
  readonly stage?: string;
  readonly at?: string;
  readonly json?: boolean;
}

export function explainVerb(terminal: Terminal): Command {
  return new Command('explain')
    .description(
      'Say how a question would be answered, by which rule, and whom to ask. Exits 0 for allow and local, else 1.',
    )
    .argument('<name>', 'the name that is asked for')
    .argument('[type]', 'the RR type', 'A')
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--from <address>', "the client's address")
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
    .action((name: string, type: string, options: Options) => {
      terminal.code = explainQuestion(terminal, name, type, options);
    });
}

function explainQuestion(terminal: Terminal, nameText: string, typeText: string, options: Options): number {
  if ((options.from === undefined) === (options.identity === undefined)) {
    return terminal.usage('explain', 'say who asks, with one of --from ADDRESS and --identity NAME');
  }
  const type = typeFromText(typeText);
  if (type === null)
    return terminal.usage('explain', `${typeText} is no RR type: write a mnemonic such as AAAA, or TYPE65`);
  const name = readQuestionName(nameText);
  if (typeof name === 'string') return terminal.usage('explain', name);
  const at = options.at === undefined ? Date.now() / 1000 : parseTime(options.at);
  if (typeof at !== 'number')
    return terminal.usage('explain', `--at ${options.at}: ${at.message}; ${at.fix}`);

  const missing = missingServerFile(options.config);
  if (missing !== null) return terminal.usage('explain', missing);
  const { problems, sources, snapshot } = load(serverFile(options.config), {
    env: process.env,
    now: at,
    salt: 0,
  });
  if (snapshot === null) {
    complainProblems(terminal, problems.filter(isError), sources);
    return EXIT_USAGE;
  }
  const identity = findIdentity(snapshot, options);
  if (typeof identity === 'string') return terminal.usage('explain', identity);
  const stage =
    options.stage === undefined ? null : identity.stages.find((known) => known.name === options.stage);
  if (stage === undefined) {
    const known = identity.stages.map((one) => one.name).join(', ') || 'none';
    return terminal.usage('explain', `${identity.name} has no stage ${options.stage}; it has: ${known}`);
  }
  const explained = explain(snapshot, identity, stage, lowerName(name), type, at);
  const { because, ...contract } = explained;
  terminal.print(options.json === true ? JSON.stringify(contract) : escapeText(explanationLine(explained)));
  return explained.verdict === 'allow' || explained.verdict === 'local' ? EXIT_GOOD : EXIT_PROBLEMS;
}

/** The identity, or what is wrong with how it was named. */
function findIdentity(snapshot: Snapshot, options: Options): Identity | string {
  if (options.identity !== undefined) {
    if (options.identity === UNKNOWN.name) return UNKNOWN;
    const found = snapshot.identities.find(({ name }) => name === options.identity);
    return (
      found ??
      `there is no identity ${options.identity}; there are: ${enumerate(snapshot.identities.map(({ name }) => name)) || 'none'}`
    );
  }
  const address = parseAddress(options.from!);
  if ('fix' in address) return `--from ${options.from}: ${address.message}; ${address.fix}`;
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = address.words;
  return snapshot.identities[findAddress(snapshot.addresses, address.family, w0, w1, w2, w3)] ?? UNKNOWN;
}

import { Command } from 'commander';
import { load } from '../../config/load.ts';
import { isLoaded } from '../../config/loaded.ts';
import { TextFault } from '../../config/problems.ts';
import { parseDuration } from '../../config/units.ts';
import { isError } from '../../policy/problem.ts';
import { FLAG, messageFlags } from '../../wire/header.ts';
import { typeFromText, typeToText } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { complainProblems } from '../policy/print-problems.ts';
import { CONFIG_HELP, EXIT_GOOD, EXIT_PROBLEMS, EXIT_USAGE, serverFile, type Terminal } from '../terminal.ts';
import { listenerTarget } from './listener-target.ts';
import { type Exchanged, exchange, type Transport } from './one-question.ts';
import { readQuestionName } from './question-name.ts';
import { queryMessage, type ReadableReply, readReply } from './readable-message.ts';
import { parseTarget, type Target, targetText } from './target.ts';

interface Options {
  readonly config?: string;
  readonly server?: string;
  readonly tcp?: boolean;
  readonly timeout: string;
  readonly json?: boolean;
}

export function queryVerb(terminal: Terminal): Command {
  return new Command('query')
    .description(
      'Ask a DNS server one question, and print what it says and why. Exits 0 for NOERROR, 1 for another RCODE or no answer.',
    )
    .argument('<name>', 'the name to ask for')
    .argument('[type]', 'the RR type', 'A')
    .option('-c, --config <file>', CONFIG_HELP)
    .option(
      '-s, --server <host:port>',
      "the server (default: the server file's first listener, else 127.0.0.1:5300)",
    )
    .option('--tcp', 'ask over TCP from the start')
    .option('--timeout <duration>', 'how long to wait for the answer', '5s')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate query github.com
  $ namegate query github.com AAAA --server 127.0.0.1:5300
  $ namegate query example.org._why.namegate.internal TXT
  $ namegate query github.com --tcp --timeout 2s --json`,
    )
    .action(async (name: string, type: string, options: Options) => {
      terminal.code = await query(terminal, name, type, options);
    });
}

async function query(
  terminal: Terminal,
  nameText: string,
  typeText: string,
  options: Options,
): Promise<number> {
  const name = readQuestionName(nameText);
  if (typeof name === 'string') return terminal.usage('query', name);
  const type = typeFromText(typeText);
  if (type === null)
    return terminal.usage('query', `${typeText} is no RR type: write a mnemonic such as AAAA, or TYPE65`);
  const timeout = parseDuration(options.timeout);
  if (timeout instanceof TextFault)
    return terminal.usage('query', `--timeout: ${timeout.message}; ${timeout.fix}`);
  if (timeout === 0 || timeout > MAX_TIMEOUT)
    return terminal.usage('query', '--timeout: write a duration from 1ms to 10m');
  const transport: Transport = options.tcp === true ? 'tcp' : 'udp';
  const server = chooseServer(terminal, options, transport);
  if (server === null) return EXIT_USAGE;
  if (typeof server === 'string') return terminal.usage('query', server);
  const message = queryMessage(name, type);
  if (message === null) {
    return terminal.usage(
      'query',
      `${nameToText(name)}: a label holds a dot, and dns2, which asks for this verb, would ask for another name; ask with dig`,
    );
  }
  const asked = await ask(message, server, transport, timeout);
  const result: Result = { ...asked, server, name: nameToText(name), type: typeToText(type) };
  if (options.json === true) terminal.print(JSON.stringify(report(result)));
  else tell(terminal, result);
  return typeof result.reply !== 'string' && result.reply.status === 'NOERROR' ? EXIT_GOOD : EXIT_PROBLEMS;
}

const MAX_TIMEOUT: Milliseconds = 600_000;

/** The server named, or the first listener of the server file; null after its problems were told, else what is wrong. */
function chooseServer(terminal: Terminal, options: Options, transport: Transport): Target | string | null {
  if (options.server !== undefined) {
    const server = parseTarget(options.server, 53);
    return typeof server === 'string' ? `--server ${options.server}: ${server}` : server;
  }
  const result = load(serverFile(options.config), { env: process.env, now: Date.now() / 1000, salt: 0 });
  if (!isLoaded(result)) {
    if (options.config === undefined) return DEFAULT_SERVER;
    complainProblems(terminal, result.problems.filter(isError), result.sources);
    return null;
  }
  return listenerTarget(result.settings.listen, transport) ?? DEFAULT_SERVER;
}

const DEFAULT_SERVER: Target = { host: '127.0.0.1', port: 5300 };

interface Asked {
  readonly transport: Transport;
  /** It was asked over UDP first, and the answer did not fit. */
  readonly truncated: boolean;
  /** What came, or why nothing useful did. */
  readonly reply: ReadableReply | string;
  /** Milliseconds of the last exchange; 0 without a reply. */
  readonly elapsed: Milliseconds;
}

interface Result extends Asked {
  readonly server: Target;
  readonly name: string;
  readonly type: string;
}

async function ask(
  message: Buffer,
  server: Target,
  transport: Transport,
  timeout: Milliseconds,
): Promise<Asked> {
  const got = await exchange(message, server, transport, timeout);
  const first = asked(got, transport);
  if (transport === 'tcp' || got.kind === 'failure') return first;
  const truncated = (messageFlags(got.octets) & FLAG.TC) !== 0;
  if (!truncated && !isReasonCut(first.reply, got.octets, message)) return first;
  const second = asked(await exchange(message, server, 'tcp', timeout), 'tcp');
  // Half a reason is better than none; what was truncated is no answer.
  return typeof second.reply === 'string' && !truncated ? first : { ...second, truncated: true };
}

/** namegate keeps its denials over UDP within three times the question: a reason that fills this may have been cut. */
function isReasonCut(reply: ReadableReply | string, octets: Buffer, message: Buffer): boolean {
  // The cut leaves up to three octets free, so as not to split a UTF-8 sequence.
  return typeof reply !== 'string' && reply.ede.length > 0 && octets.length + 3 >= 3 * message.length;
}

function asked(got: Exchanged, transport: Transport): Asked {
  if (got.kind === 'failure') return { transport, truncated: false, reply: got.reason, elapsed: 0 };
  return { transport, truncated: false, reply: readReply(got.octets), elapsed: got.elapsed };
}

function report({ server, transport, truncated, reply, elapsed, name, type }: Result): object {
  const head = { server: targetText(server), transport, truncated, name, type };
  if (typeof reply === 'string') return { ...head, status: null, error: reply };
  return { ...head, ...reply, ms: rounded(elapsed) };
}

/** What is not a record is a comment, as dig writes it. */
function tell(
  terminal: Terminal,
  { server, transport, truncated, reply, elapsed, name, type }: Result,
): void {
  const where = `${targetText(server)} over ${transport}${truncated ? ' (truncated over udp)' : ''}`;
  if (typeof reply === 'string') {
    terminal.complain(`namegate query: ${name} ${type}: nothing from ${where}: ${reply}`);
    return;
  }
  const { status, flags, answers, ede } = reply;
  const color = status === 'NOERROR' ? 'green' : 'red';
  terminal.print(
    `; ${name} ${type}: ${terminal.paint(color, status)}; flags ${flags.join(' ')}; ${where}; ${rounded(elapsed)} ms`,
  );
  for (const { code, name, text } of ede)
    terminal.print(`; EDE ${code} (${name})${text === '' ? '' : `: ${text}`}`);
  if (status === 'NOERROR' && answers.length === 0) terminal.print('; no data');
  for (const record of answers)
    terminal.print([record.name, record.ttl, record.class, record.type, record.data].join('\t'));
}

function rounded(milliseconds: Milliseconds): Milliseconds {
  return Math.round(milliseconds * 10) / 10;
}

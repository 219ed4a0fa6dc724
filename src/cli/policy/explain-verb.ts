import { Command } from 'commander';
import { TrustBuilder, type Trusts } from '../../assembly/trust/trusts.ts';
import { load } from '../../config/load.ts';
import { parseTime } from '../../config/units.ts';
import { explain, explanationLine, withState } from '../../policy/explain/explain.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import { typeFromText } from '../../wire/iana.ts';
import { lowerName } from '../../wire/name.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { AdminClient } from '../admin/admin-client.ts';
import { readQuestionName } from '../query/question-name.ts';
import {
  CONFIG_HELP,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';
import { identityAt, identityNamed } from './asker.ts';
import { explainLease, liveClient, liveExceptions, liveState } from './explain-lease.ts';
import { refuseLoad } from './print-problems.ts';
import { type SeenClient, seeCertificate } from './shown-certificate.ts';

interface Options {
  readonly config?: string;
  readonly from?: string;
  readonly identity?: string;
  readonly cert?: string;
  readonly lease?: string;
  readonly admin?: string;
  readonly tokenFile?: string;
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
    .option('--cert <file>', 'the certificate that the client shows, with its chain: PEM or DER')
    .option('--lease <id>', 'the lease that the client has; a running server is asked')
    .option('--admin <url>', "with --lease: the admin API (default: the server file's)")
    .option('--token-file <file>', 'with --lease: file of the token to show')
    .option('--stage <stage>', 'the stage that the identity is in')
    .option('--at <time>', 'the moment, ISO 8601 (default: now)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate explain --from 127.0.0.1 github.com
  $ namegate explain --identity payments-build --stage fetch pypi.org AAAA --json
  $ namegate explain --cert tls/job.pem github.com
  $ namegate explain --lease le-0192f0a1b2c3d4e5f6a7b8c9 pypi.org`,
    )
    .action(async (name: string, type: string, options: Options) => {
      const { lease, from, identity, cert, at, ...rest } = options;
      if (lease !== undefined && [from, identity, cert, at].every((way) => way === undefined)) {
        await explainLease(terminal, name, type, { ...rest, lease });
        return;
      }
      const client = liveClient(options.config);
      terminal.code = await explainQuestion(terminal, name, type, options, client);
    });
}

async function explainQuestion(
  terminal: Terminal,
  nameText: string,
  typeText: string,
  options: Options,
  client: AdminClient | null,
): Promise<number> {
  const { from, identity: named, cert, lease } = options;
  const asked = [from, named, cert, lease].filter((way) => way !== undefined);
  if (asked.length !== 1 || lease !== undefined) {
    const message = 'say who asks, with one of --from ADDRESS, --identity NAME, --cert FILE and --lease ID';
    return terminal.usage('explain', message);
  }
  const type = typeFromText(typeText);
  if (type === null)
    return terminal.usage('explain', `${typeText} is no RR type: write a mnemonic such as AAAA, or TYPE65`);
  const name = readQuestionName(nameText);
  if (typeof name === 'string') {
    const isClient = / is an address, /.test(name);
    return terminal.usage(
      'explain',
      isClient ? `${name}; the address of a client stands behind --from` : name,
    );
  }
  const at = options.at === undefined ? Date.now() / 1000 : parseTime(options.at);
  if (typeof at !== 'number')
    return terminal.usage('explain', `--at ${options.at}: ${at.message}; ${at.fix}`);

  const missing = missingServerFile(options.config);
  if (missing !== null) return terminal.usage('explain', missing);
  const exceptions = await liveExceptions(client);
  const loaded = load(serverFile(options.config), { env: process.env, now: at, salt: 0, exceptions });
  const { problems, sources, snapshot, settings, trusts } = new TrustBuilder().vet(loaded, at);
  if (snapshot === null) {
    return refuseLoad(terminal, { problems, sources });
  }
  const asker = findAsker(snapshot, trusts, options, at);
  if (typeof asker === 'string') return terminal.usage('explain', asker);
  for (const remark of asker.remarks) terminal.complain(escapeText(remark));
  const { identity } = asker;
  if (identity === null) return EXIT_PROBLEMS;
  const stage =
    options.stage === undefined ? null : identity.stages.find((known) => known.name === options.stage);
  if (stage === undefined) {
    const known = identity.stages.map((one) => one.name).join(', ') || 'none';
    return terminal.usage('explain', `${identity.name} has no stage ${options.stage}; it has: ${known}`);
  }
  const policySays = explain(snapshot, identity, stage, lowerName(name), type, at, {
    contact: settings?.replies.contact ?? '',
    nearMiss: settings?.detect['near-miss']?.['length'] ?? 0,
    ...(options.from === undefined ? {} : { unclaimed: `no identity is known by ${options.from} alone` }),
  });
  const { stage: entered, name: question } = policySays;
  const live =
    options.at === undefined && identity.index >= 0
      ? await liveState(client, identity.name, entered, question, typeText)
      : null;
  const explained = live === null ? policySays : withState(policySays, live.state, live.next);
  terminal.print(options.json === true ? JSON.stringify(explained) : escapeText(explanationLine(explained)));
  return explained.verdict === 'allow' || explained.verdict === 'local' ? EXIT_GOOD : EXIT_PROBLEMS;
}

/** Who asks, or what is wrong with how that was said. */
function findAsker(
  snapshot: Snapshot,
  trusts: Trusts,
  options: Options,
  at: EpochSeconds,
): SeenClient | string {
  if (options.cert !== undefined) return seeCertificate(options.cert, trusts, snapshot, at);
  const identity =
    options.identity === undefined
      ? identityAt(options.from!, snapshot)
      : identityNamed(options.identity, snapshot);
  return typeof identity === 'string' ? identity : { identity, remarks: [] };
}

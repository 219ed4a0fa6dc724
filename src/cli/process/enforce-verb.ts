import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatProblem } from '../../config/files/excerpt.ts';
import { type EnforceLoad, loadEnforce } from '../../config/load-enforce.ts';
import { Enforcer } from '../../enforce/enforcer.ts';
import { Firewall } from '../../enforce/firewall.ts';
import { GrantJournal } from '../../enforce/grant-journal.ts';
import { inspectRules, type RulesState } from '../../enforce/inspect.ts';
import { countersOf } from '../../enforce/kernel/counters.ts';
import { SetElements, TABLE } from '../../enforce/kernel/elements.ts';
import { NO_RIGHTS, PROBE_TABLE, probeKernel } from '../../enforce/kernel/kernel-probe.ts';
import { NetfilterExchange } from '../../enforce/kernel/netlink-exchange.ts';
import { runNft } from '../../enforce/kernel/nft.ts';
import { PacketLog } from '../../enforce/kernel/packet-log.ts';
import { RefusalWatch } from '../../enforce/refusal-watch.ts';
import { LOG_GROUP, type SkeletonTerms } from '../../enforce/table-skeleton.ts';
import { isError } from '../../policy/problem.ts';
import { createLog } from '../../report/log.ts';
import { ServiceManager } from '../../report/service-manager.ts';
import type { EnforceSetting } from '../../settings/enforce-settings.ts';
import {
  CONFIG_HELP,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  missingServerFile,
  serverFile,
  type Terminal,
  version,
} from '../terminal.ts';
import { termsOf, uidOf } from './enforce-terms.ts';
import { shrinkHeap } from './heap.ts';
import { takeSignals } from './signals.ts';
import { explainSystemError } from './system-error.ts';

export function enforceVerb(terminal: Terminal): Command {
  return new Command('enforce')
    .description(
      'Keep the firewall: clients connect to what namegate answered to them, and to nothing else. Needs CAP_NET_ADMIN.',
    )
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--check', 'say what this kernel can, change nothing that stays, and end')
    .addHelpText(
      'after',
      `
It owns the table \`inet namegate\` of nftables. What is in the kernel stays when it ends: \`nft delete table inet namegate\`
takes it away. SIGHUP reads the interfaces and listeners anew. The log is JSON lines on the standard error.

Examples:
  $ namegate enforce --config /etc/namegate/namegate.yaml --check
  $ namegate enforce --config /etc/namegate/namegate.yaml`,
    )
    .action(async ({ config, check }: { readonly config?: string; readonly check?: boolean }) => {
      terminal.code = await enforce(terminal, config, check === true);
    });
}

async function enforce(terminal: Terminal, config: string | undefined, check: boolean): Promise<number> {
  const missing = missingServerFile(config);
  if (missing !== null) return terminal.usage('enforce', missing);
  const file = serverFile(config);
  const signals = check ? null : takeSignals();
  const read = loadEnforce(file);
  const setting = settingOf(terminal, read, file);
  if (setting === null) return EXIT_PROBLEMS;
  const exchange = NetfilterExchange.open();
  if (typeof exchange === 'string') return refuse(terminal, exchange);
  const elements = new SetElements(exchange, PROBE_TABLE);
  const found = probeKernel(elements, runNft);
  if (check) {
    for (const { name, good, text } of found)
      terminal.print(`${(good ? 'yes' : 'NO').padEnd(4)} ${name}: ${text}`);
    if (found.every(({ text }) => text !== NO_RIGHTS))
      terminal.print(rulesLine(exchange, termsOf(setting, read)));
    exchange.close();
    return found.every(({ good, needed }) => good || !needed) ? EXIT_GOOD : EXIT_PROBLEMS;
  }
  const lacking = found.find(({ good, needed }) => needed && !good);
  if (lacking !== undefined) return refuse(terminal, `${lacking.name}: ${lacking.text}`);
  const users = usersOf(setting);
  if (typeof users === 'string') return refuse(terminal, users);
  terminal.courtesy = true;
  const log = createLog('info');
  const firewall = new Firewall({
    exchange,
    elements: elements.of(TABLE),
    nft: runNft,
    // Since the machine's start: the journal of an enforcer before this one has the same.
    now: () => Number(process.hrtime.bigint()) / 1e6,
    journal: new GrantJournal(journalOf(setting), bootOf(), (why) =>
      log.warn('enforce-trouble', `the journal of grants is not written: ${why}`, {}),
    ),
  });
  const socket = process.env['LISTEN_PID'] === String(process.pid) ? 3 : setting.socket!;
  const packets = PacketLog.open(LOG_GROUP);
  const refusals = typeof packets === 'string' ? null : watchOf(packets, exchange);
  if (typeof packets === 'string')
    log.warn('enforce-trouble', `nobody is told of refused packets: ${packets}`, {});
  const enforcer = new Enforcer({ firewall, log, socket, users, terms: termsOf(setting, read), refusals });
  const ended = signals!.untilEnd();
  try {
    await enforcer.start();
  } catch (error) {
    log.close();
    return refuse(terminal, explainSystemError(error));
  }
  terminal.print(terminal.paint('bold', `namegate ${version()} enforce`));
  terminal.print(`  ${terminal.paint('dim', 'socket'.padEnd(10))} ${setting.socket}`);
  terminal.print(
    `  ${terminal.paint('dim', 'judging'.padEnd(10))} ${[...setting.interfaces, ...setting.local].join(', ')}`,
  );
  shrinkHeap();
  const manager = ServiceManager.find(process.env);
  manager?.ready('keeps the table inet namegate');
  signals!.onReload(() => reload(terminal, enforcer, file));
  const why = await ended;
  manager?.stopping();
  await enforcer.stop();
  log.info('stopped', `stopped (${why}): what is in the kernel stays`, {});
  log.close();
  exchange.close();
  return EXIT_GOOD;
}

function reload(terminal: Terminal, enforcer: Enforcer, file: string): void {
  const read = loadEnforce(file);
  const setting = settingOf(terminal, read, file);
  if (setting === null) return;
  try {
    enforcer.reload(termsOf(setting, read));
  } catch (error) {
    terminal.complain(`namegate enforce: the rules stay as they were: ${explainSystemError(error)}`);
  }
}

function rulesLine(exchange: NetfilterExchange, terms: SkeletonTerms): string {
  try {
    const state = inspectRules(exchange, runNft, terms);
    return `${(state === 'good' || state === 'gone' ? '--' : 'NO').padEnd(4)} ${RULES[state]}`;
  } catch (error) {
    return `NO   rules: they cannot be looked at: ${error instanceof Error ? error.message : error}`;
  }
}

const RULES: Readonly<Record<RulesState, string>> = {
  good: 'rules: in force, as the server file has them',
  gone: 'rules: there are none; a start writes them',
  changed: 'rules: other than the server file has them; a start or SIGHUP writes them anew',
  asleep: 'rules: the table is dormant, and judges nothing; a start writes it anew',
};

/** Between two looks of the same exchange: nothing else asks it meanwhile. */
function watchOf(packets: PacketLog, exchange: NetfilterExchange): RefusalWatch {
  return new RefusalWatch({
    read: (most, take) => packets.read(most, take),
    refused: () => {
      try {
        return countersOf(exchange).get('refused') ?? null;
      } catch {
        // Another program changes much: the next look tells.
        return null;
      }
    },
  });
}

function settingOf(
  terminal: Terminal,
  { problems, sources, setting }: EnforceLoad,
  file: string,
): EnforceSetting | null {
  for (const problem of problems.filter(isError))
    terminal.complain(formatProblem(problem, sources, { color: terminal.colors.err }));
  if (setting !== null && setting.socket === null) {
    terminal.complain(
      `namegate enforce: enforce in ${file} has no socket: write socket: PATH and interfaces: [NAME]`,
    );
    return null;
  }
  if (setting === null && !problems.some(isError))
    terminal.complain(
      `namegate enforce: ${file} has no enforce; write enforce: { socket: PATH, interfaces: [NAME] }`,
    );
  return setting;
}

function refuse(terminal: Terminal, why: string): number {
  terminal.complain(`namegate enforce: not started: ${why}`);
  return EXIT_PROBLEMS;
}

/** Beside the socket, or where a service manager gives a folder that goes when the machine does. */
function journalOf({ socket }: EnforceSetting): string {
  const [folder] = (process.env['RUNTIME_DIRECTORY'] ?? '').split(':');
  return folder ? join(folder, 'grants') : `${socket}.grants`;
}

/** Another at each start of the machine. Empty in a unit that hides it: its folder does not outlive one. */
function bootOf(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The user that the socket is for, root, and who this runs as; a text where there is no such user. */
function usersOf({ user }: EnforceSetting): number[] | string {
  const own = process.geteuid?.() ?? 0;
  if (user === null) return [own, 0];
  const uid = uidOf(user);
  return uid === null ? `there is no user ${user} on this machine (enforce.user)` : [uid, own, 0];
}

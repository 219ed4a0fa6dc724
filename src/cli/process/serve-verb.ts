import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { TrustBuilder } from '../../assembly/trust/trusts.ts';
import { isLoaded, type Loaded } from '../../config/loaded.ts';
import { loadInThread } from '../../config/thread.ts';
import { suggestName } from '../../policy/explain/suggest.ts';
import { createLog } from '../../report/log.ts';
import { ServiceManager } from '../../report/service-manager.ts';
import { NamegateServer } from '../../server.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { complainProblems } from '../policy/print-problems.ts';
import { listenerTarget } from '../query/listener-target.ts';
import {
  CONFIG_HELP,
  count,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  serverFile,
  shortPath,
  type Terminal,
  version,
} from '../terminal.ts';
import { boundHeapsOfThreads, shrinkHeap } from './heap.ts';
import { takeSignals } from './signals.ts';
import { explainSystemError } from './system-error.ts';

export function serveVerb(terminal: Terminal): Command {
  return new Command('serve')
    .description('Serve DNS until SIGTERM or SIGINT; SIGHUP reloads.')
    .option('-c, --config <file>', CONFIG_HELP)
    .addHelpText(
      'after',
      '\nExamples:\n  $ namegate serve\n  $ namegate serve --config /etc/namegate/namegate.yaml',
    )
    .action(async (options: { config?: string }) => {
      terminal.code = await serve(terminal, serverFile(options.config));
    });
}

async function serve(terminal: Terminal, file: string): Promise<number> {
  const started = performance.now();
  const salt = randomBytes(4).readUInt32LE();
  const signals = takeSignals();
  const ended = signals.untilEnd();
  boundHeapsOfThreads();
  const loading = loadInThread(file, { env: process.env, now: Date.now() / 1000, salt });
  const result = await Promise.race([loading.result, ended]);
  if (typeof result === 'string') {
    loading.stop();
    return EXIT_GOOD;
  }
  const trust = new TrustBuilder();
  const vetted = trust.vet(result, Date.now() / 1000);
  complainProblems(terminal, vetted.problems, vetted.sources);
  if (!isLoaded(vetted)) {
    terminal.complain(`namegate: not started: ${file} has problems`);
    return EXIT_PROBLEMS;
  }
  terminal.courtesy = true;
  const took = Math.round(performance.now() - started);
  const log = createLog(vetted.settings.log.level);
  const server = new NamegateServer(
    { serverFile: file, env: process.env, log, salt, trust, version: version() },
    vetted,
  );
  const manager = ServiceManager.find(process.env);
  shrinkHeap();
  const starting = server.start().then(
    () => null,
    (error: unknown) => error,
  );
  const first = await Promise.race([starting, ended]);
  if (first !== null && typeof first !== 'string') {
    terminal.complain(`namegate: not started: ${explainSystemError(first)}`);
    await server.stop('it could not start');
    log.close();
    return EXIT_PROBLEMS;
  }
  if (first === null) {
    greet(terminal, server, vetted, took);
    manager?.ready(statusOf(server));
    signals.onReload(() => void reload(server, manager));
  }
  const why = await ended;
  manager?.stopping();
  await server.stop(why);
  log.close();
  return EXIT_GOOD;
}

async function reload(server: NamegateServer, manager: ServiceManager | null): Promise<void> {
  manager?.reloading();
  await server.reload('SIGHUP');
  manager?.ready(statusOf(server));
}

/** One line for `systemctl status`. */
function statusOf(server: NamegateServer): string {
  const { reload: refused } = server.readiness.report();
  const { waiting } = server.readiness;
  if (waiting.length > 0) return `waits for the address of ${waiting.join(', ')}`;
  if (refused === null) return 'serves the policy of its files';
  const first = refused.problems[0];
  const where = first === undefined ? '' : `: ${first.at.file}:${first.at.line}: ${first.message}`;
  return `the last change is not in force, ${count(refused.count, 'problem')}${where}`;
}

function greet(
  terminal: Terminal,
  server: NamegateServer,
  { settings, snapshot }: Loaded,
  took: Milliseconds,
): void {
  const line = (label: string, text: string): void =>
    terminal.print(`  ${terminal.paint('dim', label.padEnd(10))} ${text}`);
  terminal.print(terminal.paint('bold', `namegate ${version()}`));
  for (const url of server.urls) {
    if (server.readiness.waiting.includes(url)) line('waiting', `${url}: no interface has this address now`);
    else line('listening', url);
  }
  for (const url of server.adminUrls) line('admin', url);
  if (server.statusUrl !== null) line('status', `${server.statusUrl}/ready`);
  const { identities, rules, views } = snapshot;
  const counts = [
    count(identities.length, 'identity'),
    count(rules.count, 'rule'),
    count(views.length, 'view'),
  ].join(', ');
  line('policy', `${shortPath(settings.policy)}: ${counts}, loaded in ${took} ms`);
  const udp = settings.listen.find(({ protocol }) => protocol === 'udp');
  const name = suggestName(snapshot);
  if (udp !== undefined && name !== null) {
    const url = new URL(server.urls[settings.listen.indexOf(udp)]!.replace('udp:', 'http:'));
    const target = listenerTarget([{ ...udp, port: Number(url.port || 80) }], 'udp');
    if (target !== null) line('try', `dig @${target.host} -p ${target.port} ${name}`);
  }
}

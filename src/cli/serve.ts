import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { type Loaded, load } from '../config/load.ts';
import { suggestName } from '../policy/suggest.ts';
import { createLog } from '../report/log.ts';
import { Server } from '../server.ts';
import { complain, CONFIG_HELP, type Done, EXIT_GOOD, EXIT_PROBLEMS, paint, print, serverFile, version } from './terminal.ts';
import { complainProblems } from './problems.ts';

export function serveVerb(done: Done): Command {
  return new Command('serve')
    .description('Serve DNS until SIGTERM or SIGINT; SIGHUP reloads.')
    .option('-c, --config <file>', CONFIG_HELP)
    .addHelpText('after', '\nExamples:\n  $ namegate serve\n  $ namegate serve --config /etc/namegate/namegate.yaml')
    .action(async (options: { config?: string }) => done(await serve(serverFile(options.config))));
}

async function serve(file: string): Promise<number> {
  const started = performance.now();
  const salt = randomBytes(4).readUInt32LE();
  const result = load(file, { env: process.env, now: Date.now() / 1000, salt });
  complainProblems(result.problems, result.sources);
  if (result.settings === null || result.snapshot === null) {
    complain(`namegate: not started: ${file} has problems`);
    return EXIT_PROBLEMS;
  }
  const loaded: Loaded = { ...result, settings: result.settings, snapshot: result.snapshot };
  const took = Math.round(performance.now() - started);
  const log = createLog(loaded.settings.log.level);
  const server = new Server(
    {
      serverFile: file,
      env: process.env,
      log,
      salt,
      onProblems: ({ problems, sources }) => complainProblems(problems, sources),
    },
    loaded,
  );
  // Signals are taken from now on: one that comes while the listeners open still drains.
  const ended = untilSignal(server);
  try {
    await server.start();
  } catch (error) {
    complain(`namegate: not started: ${explainSystemError(error)}`);
    await server.stop('it could not start');
    log.close();
    return EXIT_PROBLEMS;
  }
  greet(server, loaded, took);
  await server.stop(await ended);
  log.close();
  return EXIT_GOOD;
}

function untilSignal(server: Server): Promise<string> {
  process.on('SIGHUP', () => server.reload('SIGHUP'));
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

function greet(server: Server, { settings, snapshot }: Loaded, took: number): void {
  const line = (label: string, text: string): void => print(`  ${paint(process.stdout, 'dim', label.padEnd(10))} ${text}`);
  print(paint(process.stdout, 'bold', `namegate ${version()}`));
  for (const url of server.urls) line('listening', url);
  if (server.statusUrl !== null) line('status', `${server.statusUrl}/ready`);
  const { identities, rules, views } = snapshot;
  line(
    'policy',
    `${settings.policy}: ${identities.length} identities, ${rules.count} rules, ${views.length} views, loaded in ${took} ms`,
  );
  const udp = settings.listen.find(({ protocol }) => protocol === 'udp');
  const name = suggestName(snapshot);
  if (udp !== undefined && name !== null) {
    const url = new URL(server.urls[settings.listen.indexOf(udp)]!.replace('udp:', 'http:'));
    const host = url.hostname.replace(/^\[|\]$/g, '');
    line('try', `dig @${host} -p ${url.port || '80'} ${name}`);
  }
}

/** What an operator can do about an error of the system's. */
function explainSystemError(error: unknown): string {
  const { code, syscall, address, port, message } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const where = address === undefined ? '' : ` ${address}${port === undefined ? '' : ` port ${port}`}`;
  switch (code) {
    case 'EADDRINUSE':
      return `${where.trim() || 'the address'} is taken: another program listens there (ss -lunpt shows which)`;
    case 'EACCES':
      return `no right to listen on${where}: ports below 1024 need CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${where.trim()} is not an address of this machine`;
    default:
      return `${syscall ?? ''} ${message}`.trim();
  }
}

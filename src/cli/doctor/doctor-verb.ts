import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { load } from '../../config/load.ts';
import { loadEnforce } from '../../config/load-enforce.ts';
import { isLoaded } from '../../config/loaded.ts';
import type { ListenAt, ListenSetting } from '../../settings/settings.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { refuseLoad } from '../policy/print-problems.ts';
import { isHere, listenerTarget } from '../query/listener-target.ts';
import { parseTarget, type Target } from '../query/target.ts';
import {
  CONFIG_HELP,
  count,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  EXIT_USAGE,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';
import { bad, type Finding } from './finding.ts';
import { firewallFindings } from './firewall-findings.ts';
import { identify } from './identify.ts';
import { askNameservers, isNamegate, nameserverFindings } from './nameservers.ts';
import { readStubConfig } from './resolv-conf.ts';
import { stubRemarks } from './stub-remarks.ts';
import { muslVersion, tcpFindings } from './tcp-findings.ts';
import { nsswitchFindings, probeFindings, proxyFindings, type WayOutProbe } from './ways-out.ts';

interface Options {
  readonly config?: string;
  readonly probe?: readonly string[];
  readonly resolvConf: string;
  readonly json?: boolean;
}

export function doctorVerb(terminal: Terminal): Command {
  return new Command('doctor')
    .description(
      'Run inside a job: is namegate its only way to resolve names? Exits 0 when all is well, 1 when something must be done.',
    )
    .option('-c, --config <file>', `${CONFIG_HELP}; it tells where namegate listens`)
    .option(
      '--probe <address...>',
      'addresses that must not be reached (UDP and TCP 53, TCP 853 and 443; or ADDRESS:PORT); nothing else is contacted',
    )
    .option('--resolv-conf <file>', 'what stubs read', '/etc/resolv.conf')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
On the host, as root, with enforce: in the server file, it says whether the firewall is kept, and whether its rules are there.

Examples:
  $ namegate doctor
  $ namegate doctor --probe 9.9.9.9 1.1.1.1
  $ namegate doctor --probe 192.0.2.53:5353 --json`,
    )
    .action(async (options: Options) => {
      terminal.code = await doctor(terminal, options);
    });
}

async function doctor(terminal: Terminal, options: Options): Promise<number> {
  const probes: WayOutProbe[] = [];
  for (const text of options.probe ?? []) {
    const probe = parseTarget(text, 0);
    if (typeof probe === 'string') return terminal.usage('doctor', `--probe ${text}: ${probe}`);
    probes.push(probe);
  }
  if (probes.length > MAX_PROBES)
    return terminal.usage('doctor', `--probe takes at most ${MAX_PROBES} addresses`);
  const listen = listenersOf(terminal, options.config);
  if (listen === null) return EXIT_USAGE;
  const findings = await examine({
    resolvConf: { path: options.resolvConf, text: readText(options.resolvConf) },
    nsswitch: readText('/etc/nsswitch.conf'),
    env: process.env,
    listen,
    musl: muslVersion(),
    probes,
    port: 53,
  });
  if (missingServerFile(options.config) === null)
    findings.push(...firewallFindings(loadEnforce(serverFile(options.config))));
  const toDo = findings.filter(({ status }) => status === 'bad').length;
  if (options.json === true) terminal.print(JSON.stringify({ well: toDo === 0, findings }));
  else tell(terminal, findings, toDo);
  return toDo === 0 ? EXIT_GOOD : EXIT_PROBLEMS;
}

const MAX_PROBES = 32;

/** Milliseconds that each probe has; they run side by side. */
const PATIENCE: Milliseconds = 2000;

/** Milliseconds that a nameserver has: namegate and its stub say within 4 s that nobody above them answers. */
const NAMESERVER_PATIENCE: Milliseconds = 4500;

/** Nameservers that are asked; stubs use three. */
const MAX_NAMESERVERS = 8;

export interface Surroundings {
  readonly resolvConf: { readonly path: string; readonly text: string | null };
  readonly nsswitch: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where namegate listens, as far as a server file tells. */
  readonly listen: readonly (ListenAt | ListenSetting)[];
  /** The version of musl on this machine, or null. */
  readonly musl?: string | null;
  readonly probes: readonly WayOutProbe[];
  /** Of the nameservers; stubs know 53 alone. */
  readonly port: number;
}

/** Looks at everything at once: it takes little more than NAMESERVER_PATIENCE. */
export async function examine(around: Surroundings): Promise<Finding[]> {
  const { path, text } = around.resolvConf;
  const stub = readStubConfig(text ?? '', around.env);
  // Without one, stubs ask this host.
  const hosts = stub.nameservers.length === 0 ? ['127.0.0.1'] : stub.nameservers.slice(0, MAX_NAMESERVERS);
  const listener = listenerTarget(around.listen, 'udp');
  const [servers, own, probed] = await Promise.all([
    askNameservers(hosts, around.port, NAMESERVER_PATIENCE),
    listener === null || !isHere(listener.host) ? null : identify(listener, 'udp', PATIENCE),
    probeFindings(around.probes, PATIENCE),
  ]);
  const findings: Finding[] = [];
  if (stub.nameservers.length === 0) {
    const what = text === null ? 'cannot be read' : 'lists no nameserver';
    const fix = `write one nameserver line, for namegate, in ${path}`;
    findings.push(bad('resolv-conf', `${path} ${what}: stubs ask 127.0.0.1`, fix));
  }
  const known: Target | null = own?.kind === 'namegate' && !servers.some(isNamegate) ? listener : null;
  findings.push(...nameserverFindings(servers, path, known), ...stubRemarks(stub));
  findings.push(...nsswitchFindings(around.nsswitch), ...proxyFindings(around.env), ...probed);
  findings.push(...tcpFindings(around.listen, around.musl ?? null));
  return findings;
}

/** The listeners of the server file, none where there is no file; null when its problems were told. */
function listenersOf(terminal: Terminal, config: string | undefined): readonly ListenSetting[] | null {
  const missing = missingServerFile(config);
  if (missing !== null) {
    if (config === undefined) return [];
    terminal.complain(`namegate doctor: ${missing}`);
    return null;
  }
  const result = load(serverFile(config), { env: process.env, now: Date.now() / 1000, salt: 0 });
  if (isLoaded(result)) return result.settings.listen;
  if (config === undefined) return [];
  refuseLoad(terminal, result);
  return null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

function tell(terminal: Terminal, findings: readonly Finding[], toDo: number): void {
  for (const { status, message, fix } of findings) {
    const color = status === 'ok' ? 'green' : status === 'bad' ? 'red' : 'yellow';
    terminal.print(`${terminal.paint(color, status.padEnd(4))}  ${escapeText(message)}`);
    if (fix !== null) terminal.print(`      do: ${escapeText(fix)}`);
  }
  if (toDo === 0) terminal.print(terminal.paint('green', 'all is well'));
  else terminal.print(terminal.paint('red', `${count(toDo, 'thing')} to do`));
}

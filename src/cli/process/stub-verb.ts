import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { Listeners } from '../../assembly/listeners.ts';
import { isLoopback, parseAddress } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import { parseServer } from '../../config/server/endpoint.ts';
import { descriptorLimit, shareDescriptors } from '../../listen/descriptors.ts';
import { createLog, type Log } from '../../report/log.ts';
import { ServiceManager } from '../../report/service-manager.ts';
import type { Answerer } from '../../resolve/ports.ts';
import type { ListenSetting } from '../../settings/settings.ts';
import { loadNative } from '../../socket/linux-native.ts';
import type { Native } from '../../socket/native.ts';
import type { TlsServerAddress } from '../../socket/tls-connector.ts';
import { type CredentialFiles, isFault, readCredentials } from '../../stub/credentials.ts';
import { serverUrl } from '../../stub/server-url.ts';
import { Stub } from '../../stub/stub.ts';
import { parseTarget, type Target } from '../query/target.ts';
import { EXIT_GOOD, EXIT_PROBLEMS, shortPath, type Terminal, version } from '../terminal.ts';
import { shrinkHeap } from './heap.ts';
import { takeSignals } from './signals.ts';
import { explainSystemError } from './system-error.ts';

interface Options {
  readonly listen: string;
  readonly server: readonly string[];
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** What a command line asks for. */
export interface StubSettings {
  readonly listen: Target;
  readonly servers: readonly TlsServerAddress[];
  readonly files: CredentialFiles;
}

export function stubVerb(terminal: Terminal): Command {
  return new Command('stub')
    .description(
      "Run beside a container: listen on loopback for its resolver, and ask namegate over mutual TLS with the container's certificate. It asks nobody else.",
    )
    .option(
      '-l, --listen <addr:port>',
      'where to listen, over UDP and TCP: a loopback address',
      '127.0.0.1:53',
    )
    .requiredOption(
      '-s, --server <url>',
      'namegate, as tls://HOST:PORT#NAME; may be given more than once, the preferred first. Without #NAME its certificate holds the address',
      (url: string, before: readonly string[] | undefined) => [...(before ?? []), url],
    )
    .requiredOption('--cert <file>', 'the client certificate, PEM, its intermediates behind it')
    .requiredOption('--key <file>', 'its private key, PEM')
    .requiredOption('--ca <file>', 'the CAs that namegate is known by, PEM')
    .addHelpText(
      'after',
      `
The files are read anew when they change, and on SIGHUP. The log is JSON lines on the standard error.

Examples:
  $ namegate stub --server tls://192.0.2.10:853#dns.example --cert tls.crt --key tls.key --ca ca.crt
  $ namegate stub --listen 127.0.0.1:5300 --server tls://192.0.2.10 --server tls://192.0.2.11 \\
      --cert tls.crt --key tls.key --ca ca.crt`,
    )
    .action(async (options: Options) => {
      terminal.code = await stub(terminal, options);
    });
}

async function stub(terminal: Terminal, options: Options): Promise<number> {
  const settings = stubSettings(options);
  if (typeof settings === 'string') return terminal.usage('stub', settings);
  const signals = takeSignals();
  const ended = signals.untilEnd();
  const reading = readCredentials(settings.files);
  const { result } = reading;
  if (isFault(result)) {
    terminal.complain(`namegate stub: not started: ${result.file} ${result.message}; ${result.fix}`);
    return EXIT_PROBLEMS;
  }
  terminal.courtesy = true;
  const log = createLog('info');
  const manager = ServiceManager.find(process.env);
  const { servers, files } = settings;
  const native = loadNative();
  const listen = (answerer: Answerer): Listeners => listeners(settings.listen, answerer, native, log);
  const running = new Stub({ servers, files, listen, log }, reading, result);
  signals.onReload(() => running.reload());
  const starting = running.start().then(
    () => null,
    (error: unknown) => error,
  );
  const first = await Promise.race([starting, ended]);
  if (first instanceof Error) {
    terminal.complain(`namegate stub: not started: ${explainSystemError(first)}`);
    await running.stop('it could not start');
    log.close();
    return EXIT_PROBLEMS;
  }
  if (first === null) {
    greet(terminal, running, settings);
    shrinkHeap();
    if (typeof native !== 'string') native.giveBackMemory();
    manager?.ready('serves');
  }
  const why = await ended;
  manager?.stopping();
  await running.stop(why);
  log.close();
  return EXIT_GOOD;
}

/** Reads the options; a text says what is wrong, and what to write. */
export function stubSettings({ listen, server, cert, key, ca }: Options): StubSettings | string {
  const at = parseTarget(listen, 53);
  if (typeof at === 'string') return `--listen ${listen}: ${at}`;
  const address = parseAddress(at.host);
  if (address instanceof TextFault || !isLoopback(address))
    return `--listen ${listen}: whoever reaches it is namegate's client by this certificate; write a loopback address, such as 127.0.0.1:53`;
  const servers: TlsServerAddress[] = [];
  for (const url of server) {
    const read = readServer(url);
    if (typeof read === 'string') return `--server ${url}: ${read}`;
    if (servers.some((other) => serverUrl(other) === serverUrl(read)))
      return `--server ${url} is given twice; leave one out`;
    servers.push(read);
  }
  for (const [option, path] of Object.entries({ cert, key, ca }))
    if (path === '') return `--${option} is empty; write the path of a PEM file`;
  return { listen: at, servers, files: { cert: resolve(cert), key: resolve(key), ca: resolve(ca) } };
}

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const HOST_NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

function readServer(url: string): TlsServerAddress | string {
  const endpoint = parseServer(url);
  if (endpoint instanceof TextFault) {
    const name = /^tls:\/\/([a-z][a-z0-9.-]*)(:\d+)?/i.exec(url);
    if (name !== null && isIP(name[1]!) === 0)
      return `${name[1]} is a name, and nobody resolves names for the stub; write tls://ADDRESS${name[2] ?? ''}#${name[1]}`;
    return `${endpoint.message}; ${endpoint.fix}`;
  }
  if (endpoint.scheme !== 'tls') return 'the stub speaks mutual TLS alone; write tls://ADDRESS:853#NAME';
  const { host, port } = endpoint;
  if (endpoint.name === null) return { host, port, name: null };
  const name = endpoint.name.toLowerCase().replace(/\.$/, '');
  const good = isIP(name) !== 0 || (HOST_NAME.test(name) && name.length <= 253 && !/(^|\.)\d+$/.test(name));
  return good
    ? { host, port, name }
    : `${endpoint.name} is no host name; write the name that its certificate holds`;
}

/** Connections of clients over TCP; a client has an eighth of them. */
const CLIENTS = 1024;

function listeners({ host, port }: Target, answerer: Answerer, native: Native | string, log: Log): Listeners {
  const settings: ListenSetting[] = [
    { protocol: 'udp', host, port, spoofable: false },
    { protocol: 'tcp', host, port, proxyFrom: [] },
  ];
  const shares = shareDescriptors(descriptorLimit(), { listeners: 1, clients: CLIENTS, upstreams: 32 });
  return new Listeners({ settings, shares, answerer, native, log });
}

function greet(terminal: Terminal, running: Stub, { servers, files }: StubSettings): void {
  const line = (label: string, text: string): void =>
    terminal.print(`  ${terminal.paint('dim', label.padEnd(11))} ${text}`);
  terminal.print(terminal.paint('bold', `namegate ${version()} stub`));
  for (const url of running.urls) line('listening', url);
  for (const server of servers) line('server', serverUrl(server));
  line('certificate', shortPath(files.cert));
}

import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { NOT_CONTAINED } from '../server/namegate.ts';
import { freePort, must, type Peer, run, type StartOptions, start, until } from './process.ts';
import { EXAMPLE_ZONE, SIGNED_ZONE, sign, type Zone } from './zones.ts';

/** A peer that answers DNS. */
export interface Server extends Peer {
  readonly host: string;
  /** For UDP and TCP. */
  readonly port: number;
}

export interface Place {
  readonly host?: string;
  /** Chosen where it is not given. */
  readonly port?: number;
  readonly namespace?: string;
}

const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Writes `example.` and the freshly signed `signed.example.` into a folder of the test. */
export async function zones(t: Test): Promise<{ readonly example: Zone; readonly signed: Zone }> {
  const folder = folderFor(t, 'zones');
  writeFileSync(join(folder, 'example.zone'), EXAMPLE_ZONE);
  writeFileSync(join(folder, 'signed.zone'), SIGNED_ZONE);
  return {
    example: { name: 'example.', file: join(folder, 'example.zone'), anchor: null },
    signed: await sign(folder, 'signed.example.', 'signed.zone'),
  };
}

/** NSD as an authoritative server; it refuses what is in none of its zones. */
export async function nsd(t: Test, served: readonly Zone[], place: Place = {}): Promise<Server> {
  const { host, port, folder } = await settle(t, 'nsd', place);
  const lines = [
    'server:',
    `  ip-address: ${host}@${port}`,
    '  username: ""',
    '  pidfile: ""',
    '  database: ""',
    `  zonelistfile: "${folder}/zone.list"`,
    `  xfrdfile: "${folder}/xfrd.state"`,
    `  zonesdir: "${folder}"`,
    // Its default would throttle a forwarder, which is one address that asks for everybody.
    '  rrl-ratelimit: 0',
    '  server-count: 1',
    'remote-control:',
    '  control-enable: no',
    ...served.flatMap(({ name, file }) => ['zone:', `  name: "${name}"`, `  zonefile: "${file}"`]),
  ];
  writeFileSync(join(folder, 'nsd.conf'), `${lines.join('\n')}\n`);
  const peer = start(t, ['nsd', '-d', '-c', join(folder, 'nsd.conf')], place);
  return ready({ ...peer, host, port }, place);
}

export interface UnboundOptions extends Place {
  /** Lines of the `server:` clause. */
  readonly server?: readonly string[];
  /** Other clauses, whole. */
  readonly clauses?: readonly string[];
}

/** Unbound, for loopback clients, with nothing but what the options say: no root hints, no trust anchor, no control. */
export async function unbound(t: Test, options: UnboundOptions): Promise<Server> {
  const { host, port, folder } = await settle(t, 'unbound', options);
  const lines = [
    'server:',
    `  interface: ${host}@${port}`,
    `  directory: "${folder}"`,
    '  chroot: ""',
    '  username: ""',
    '  pidfile: ""',
    '  use-syslog: no',
    '  do-daemonize: no',
    '  num-threads: 1',
    '  verbosity: 1',
    '  val-log-level: 2',
    '  do-not-query-localhost: no',
    '  qname-minimisation: no',
    '  access-control: 127.0.0.0/8 allow',
    ...(options.server ?? []).map((line) => `  ${line}`),
    ...(options.clauses ?? []),
    'remote-control:',
    '  control-enable: no',
  ];
  writeFileSync(join(folder, 'unbound.conf'), `${lines.join('\n')}\n`);
  const peer = start(t, ['unbound', '-d', '-p', '-c', join(folder, 'unbound.conf')], options);
  return ready({ ...peer, host, port }, options);
}

/** The clause that sends every question to one server. */
export function forwardAll({ host, port }: { readonly host: string; readonly port: number }): string {
  return `forward-zone:\n  name: "."\n  forward-addr: ${host}@${port}`;
}

/** dnsmasq, that reads no file of the machine and logs each question with where its answer came from. */
export async function dnsmasq(t: Test, options: readonly string[], place: Place = {}): Promise<Server> {
  const { host, port } = await settle(t, 'dnsmasq', place);
  const peer = start(
    t,
    [
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--pid-file=',
      '--user=root',
      '--bind-interfaces',
      `--listen-address=${host}`,
      `--port=${port}`,
      '--log-queries',
      '--log-facility=-',
      ...options,
    ],
    place,
  );
  return ready({ ...peer, host, port }, place);
}

export interface NamegateOptions extends Place {
  /** YAML of one policy file. */
  readonly policy: string;
  /** YAML of `servers:` in the group `default`, such as `[udp://127.0.0.1:1053]`. */
  readonly upstream: string;
  /** More keys of the server file. */
  readonly server?: string;
  /** More hosts to listen on. */
  readonly alsoOn?: readonly string[];
  /** More entries of `listen`. */
  readonly listen?: readonly object[];
  /** A program with its arguments that runs the server, such as a tracer. */
  readonly under?: readonly string[];
}

export interface Namegate extends Server {
  readonly folder: string;
  /** Where /health and /ready are answered. */
  readonly health: string;
}

/** namegate from this source tree, as a process of its own, on the Node that runs the test. */
export async function namegate(t: Test, options: NamegateOptions): Promise<Namegate> {
  const { host, port, folder } = await settle(t, 'namegate', options);
  const health = await freePort();
  const hosts = [host, ...(options.alsoOn ?? [])];
  const own = hosts.flatMap((on) => [`udp://${on}:${port}`, `tcp://${on}:${port}`]);
  const listen = [...own, ...(options.listen ?? [])];
  const config = `listen: ${JSON.stringify(listen)}
upstreams: { default: { servers: ${options.upstream} } }
policy: policy/
state: state/
metrics: http://127.0.0.1:${health}
${options.server?.includes('detect:') ? '' : NOT_CONTAINED}
${options.server ?? ''}
`;
  mkdirSync(join(folder, 'policy'), { recursive: true });
  writeFileSync(join(folder, 'policy', 'test.yaml'), options.policy);
  writeFileSync(join(folder, 'namegate.yaml'), config);
  const command = [
    ...(options.under ?? []),
    process.execPath,
    source,
    'serve',
    '--config',
    join(folder, 'namegate.yaml'),
  ];
  const peer = start(t, command, { ...options, cwd: folder });
  return ready({ ...peer, host, port, folder, health: `http://127.0.0.1:${health}` }, options);
}

/** A certificate authority and a server certificate of it for `name`, as PEM files. */
export async function certificate(
  t: Test,
  name: string,
): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> {
  const folder = folderFor(t, 'certificate');
  const at = (file: string) => join(folder, file);
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await must([
    'openssl',
    'req',
    '-x509',
    ...fresh,
    '-subj',
    '/CN=test CA',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ]);
  await must(
    ['openssl', 'req', '-x509', ...fresh, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
      .concat(['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth'])
      .concat([
        '-CA',
        at('ca.pem'),
        '-CAkey',
        at('ca.key'),
        '-keyout',
        at('server.key'),
        '-out',
        at('server.pem'),
      ]),
  );
  return { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key') };
}

async function settle(
  t: Test,
  name: string,
  place: Place,
): Promise<{ host: string; port: number; folder: string }> {
  const host = place.host ?? '127.0.0.1';
  // In a namespace of the test's own every port is free.
  const port = place.port ?? (await freePort(host));
  return { host, port, folder: folderFor(t, name) };
}

function folderFor(t: Test, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `namegate-${name}-`));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until the server answers anything at all: REFUSED will do. */
async function ready<S extends Server>(server: S, { namespace }: StartOptions): Promise<S> {
  const answers = namespace === undefined ? () => probe(server) : () => probeInside(server, namespace);
  await until(
    () => {
      if (server.ended()) throw new Error(`it ended before it served:\n${server.log()}`);
      return answers();
    },
    () => `it does not answer on ${server.host}:${server.port}:\n${server.log()}`,
  );
  return server;
}

/** `localhost. A IN`, RD, ID 0x6e67. */
const PROBE = Buffer.from('6e6701000001000000000000096c6f63616c686f73740000010001', 'hex');

/** Whether a response comes within 200 ms. */
export async function probe({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<boolean> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const answered = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 200);
    const end = (result: boolean) => {
      clearTimeout(timer);
      resolve(result);
    };
    socket.on('error', () => end(false));
    socket.on('message', (reply) => end(reply.length >= 12 && reply.readUInt16BE(0) === 0x6e67));
    socket.connect(port, host, () => socket.send(PROBE));
  });
  const result = await answered;
  socket.close();
  return result;
}

async function probeInside({ host, port }: Server, namespace: string): Promise<boolean> {
  const question = ['dig', `@${host}`, '-p', `${port}`, '+tries=1', '+timeout=1', 'localhost', 'A'];
  return (await run(question, { namespace })).code === 0;
}

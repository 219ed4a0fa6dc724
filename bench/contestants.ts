import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_NAME, type ListenerCertificates, TLS_NAME } from './certificates.ts';
import { SETTINGS, type Setting } from './loads.ts';
import { APPROVED, WILDCARD_ZONE } from './names.ts';
import { type Daemon, find, freePort, start } from './processes.ts';
import { serving, type Upstream } from './upstreams.ts';

/** A server that takes part: how it is configured and started. */
export interface Contestant {
  readonly name: string;
  /** What must be installed. */
  readonly program: string;
  /** What it can be set up for. */
  readonly settings: readonly Setting[];
  /** Its configuration, the 1,000 approved names left out; for people. */
  shown(setup: Setup): string;
  /** Writes its files and returns the command that serves. */
  prepare(setup: Setup): readonly string[];
}

/** Where it runs and what stands behind it. */
export interface Setup {
  readonly folder: string;
  readonly port: number;
  readonly upstream: Pick<Upstream, 'port' | 'ca'>;
  /** Where it listens with TLS, or null. */
  readonly tls: TlsSetup | null;
}

export interface TlsSetup {
  readonly port: number;
  /** Where clients must show a certificate: namegate alone. */
  readonly mutualPort: number;
  readonly certificates: ListenerCertificates;
}

export interface Running {
  readonly contestant: Contestant;
  readonly daemon: Daemon;
  readonly port: number;
  readonly tls: TlsSetup | null;
  readonly shown: string;
}

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Octets of the socket buffers, where a server lets them be set. 200 questions fit the kernel's default too. */
const BUFFER = 4 * 1024 * 1024;

/** Starts it on the core, with TLS listeners where there are certificates for them, and waits until it answers. */
export async function launch(
  contestant: Contestant,
  folder: string,
  upstream: Upstream,
  certificates: ListenerCertificates | null,
  core: number,
): Promise<Running> {
  const port = await freePort();
  const tls =
    certificates === null ? null : { port: await freePort(), mutualPort: await freePort(), certificates };
  const setup = { folder: join(folder, contestant.name), port, upstream, tls };
  mkdirSync(setup.folder, { recursive: true });
  const daemon = start(contestant.prepare(setup), { core, cwd: setup.folder });
  try {
    await serving(contestant.name, daemon, port);
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return { contestant, daemon, port, tls, shown: contestant.shown(setup) };
}

/**
 * namegate with the configuration that it is shipped with: only where it listens and whom it asks is replaced, and a file
 * with the approved names is added to the policy. Its identity claims 127.0.0.1, more closely than the shipped one, and the
 * certificate of the client that shakes hands.
 */
export const namegate: Contestant = {
  name: 'namegate',
  program: process.execPath,
  settings: SETTINGS,
  shown: (setup) => `${namegateConfig(setup)}# policy/bench.yaml\n${NAMEGATE_POLICY}`,
  prepare: (setup) => {
    const policy = join(setup.folder, 'policy');
    mkdirSync(join(policy, 'lists'), { recursive: true });
    for (const file of ['default.yaml', 'lists/registries.txt']) {
      writeFileSync(join(policy, file), readFileSync(join(ROOT, 'config/policy', file)));
    }
    writeFileSync(join(policy, 'bench.yaml'), NAMEGATE_POLICY);
    writeFileSync(join(policy, 'lists/approved.txt'), `${APPROVED.join('\n')}\n`);
    const config = join(setup.folder, 'namegate.yaml');
    writeFileSync(config, namegateConfig(setup));
    return [process.execPath, join(ROOT, 'src/main.ts'), 'serve', '--config', config];
  },
};

/** The shipped server file with `listen`, `upstreams` and the status port replaced. */
export function namegateConfig({ port, upstream, tls }: Omit<Setup, 'folder'>): string {
  const server =
    upstream.ca === null
      ? `[udp://127.0.0.1:${upstream.port}]`
      : `[{ on: "tls://127.0.0.1:${upstream.port}", name: ${TLS_NAME}, ca: ${upstream.ca} }]`;
  const ours = `listen:
  - udp://127.0.0.1:${port}
  - tcp://127.0.0.1:${port}
${tls === null ? '' : tlsListeners(tls)}upstreams: { default: { servers: ${server} } }
`;
  const shipped = readFileSync(join(ROOT, 'config/namegate.yaml'), 'utf8');
  // Top-level keys with all that is indented below them.
  const rest = shipped.replace(/^(listen|upstreams|metrics):.*\n(?:[ \t]+.*\n|\n(?=[ \t]))*/gm, '');
  const kept = rest.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  return `${ours}${kept.join('\n')}\n`;
}

function tlsListeners({ port, mutualPort, certificates: { server, clientCa } }: TlsSetup): string {
  const pair = `certificate: ${server.certificate}, key: ${server.key}`;
  return `  - { on: "tls://127.0.0.1:${port}", ${pair}, clients: none }
  - { on: "tls://127.0.0.1:${mutualPort}", ${pair}, clients: required, client_ca: ${clientCa} }
`;
}

const NAMEGATE_POLICY = `destinations:
  bench:
    owner: bench
    reason: the names that the bench asks for
    names: [{ name: "*.${WILDCARD_ZONE}", budget: off }]
    names_from: [lists/approved.txt]
identities:
  - name: bench
    owner: bench
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1], certificates: ["${CLIENT_NAME}"] }
    allow: [bench]
`;

/**
 * Unbound. `always_nxdomain` for the root is its cheapest denial; `always_transparent` lets an approved name through
 * (with what is under it: Unbound has no zone of one name). It does not validate, as namegate does not.
 */
export const unbound: Contestant = {
  name: 'unbound',
  program: 'unbound',
  settings: SETTINGS,
  shown: (setup) => unboundConfig(setup, APPROVED.slice(0, 1)),
  prepare: (setup) => {
    const config = join(setup.folder, 'unbound.conf');
    writeFileSync(config, unboundConfig(setup, APPROVED));
    return [find('unbound') ?? 'unbound', '-d', '-p', '-c', config];
  },
};

export function unboundConfig(setup: Setup, approved: readonly string[]): string {
  const { folder, port, upstream, tls } = setup;
  const name = upstream.ca === null ? '' : `#${TLS_NAME}`;
  return `server:
  interface: 127.0.0.1@${port}
${tls === null ? '' : unboundTls(tls)}  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  verbosity: 0
  log-queries: no
  num-threads: 1
  so-rcvbuf: ${BUFFER}
  so-sndbuf: ${BUFFER}
  msg-cache-size: 32m
  rrset-cache-size: 32m
  outgoing-range: 8192
  num-queries-per-thread: 4096
  module-config: "iterator"
  qname-minimisation: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
${upstream.ca === null ? '' : `  tls-cert-bundle: "${upstream.ca}"\n`}  local-zone: "." always_nxdomain
  local-zone: "${WILDCARD_ZONE}." always_transparent
${approved.map((name) => `  local-zone: "${name}." always_transparent`).join('\n')}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream.port}${name}
${upstream.ca === null ? '' : '  forward-tls-upstream: yes\n'}`;
}

function unboundTls({ port, certificates: { server } }: TlsSetup): string {
  return `  interface: 127.0.0.1@${port}
  tls-port: ${port}
  tls-service-key: "${server.key}"
  tls-service-pem: "${server.certificate}"
  incoming-num-tcp: 100
`;
}

/**
 * dnsdist with a packet cache; names are looked up in a hash set, and the rule answers the rest. One thread for UDP
 * questions, one for TCP, and one for its upstream's answers, which it cannot do without.
 */
export const dnsdist: Contestant = {
  name: 'dnsdist',
  program: 'dnsdist',
  settings: SETTINGS,
  shown: (setup) => dnsdistConfig(setup, APPROVED.slice(0, 1)),
  prepare: (setup) => {
    const config = join(setup.folder, 'dnsdist.conf');
    writeFileSync(config, dnsdistConfig(setup, APPROVED));
    return [find('dnsdist') ?? 'dnsdist', '--supervised', '--disable-syslog', '-C', config];
  },
};

export function dnsdistConfig(
  { port, upstream, tls }: Omit<Setup, 'folder'>,
  approved: readonly string[],
): string {
  const secured =
    upstream.ca === null
      ? ''
      : `, tls="openssl", subjectName="${TLS_NAME}", caStore="${upstream.ca}", validateCertificates=true`;
  return `setLocal("127.0.0.1:${port}")
${tls === null ? '' : dnsdistTls(tls)}setACL({"127.0.0.0/8"})
setSecurityPollSuffix("")
setUDPSocketBufferSizes(${BUFFER}, ${BUFFER})
setMaxUDPOutstanding(65535)
setMaxTCPClientThreads(1)
setRingBuffersSize(1)
newServer({address="127.0.0.1:${upstream.port}", sockets=1${secured}})
getPool(""):setCache(newPacketCache(100000, {maxTTL=86400}))
approved = newDNSNameSet()
for _, name in ipairs({${approved.map((name) => `"${name}."`).join(',')}}) do
  approved:add(newDNSName(name))
end
wildcard = newSuffixMatchNode()
wildcard:add(newDNSName("${WILDCARD_ZONE}."))
addAction(NotRule(OrRule({QNameSetRule(approved), SuffixMatchNodeRule(wildcard)})), RCodeAction(DNSRCode.NXDOMAIN))
`;
}

function dnsdistTls({ port, certificates: { server } }: TlsSetup): string {
  return `addTLSLocal("127.0.0.1:${port}", "${server.certificate}", "${server.key}", { provider="openssl" })
`;
}

/** dnsmasq: `address=/#/` is NXDOMAIN for all but the names (with what is under them) that `server=` forwards. */
export const dnsmasq: Contestant = {
  name: 'dnsmasq',
  program: 'dnsmasq',
  settings: ['plain'],
  shown: (setup) => dnsmasqConfig(setup, APPROVED.slice(0, 1)),
  prepare: (setup) => {
    const config = join(setup.folder, 'dnsmasq.conf');
    writeFileSync(config, dnsmasqConfig(setup, APPROVED));
    return [find('dnsmasq') ?? 'dnsmasq', '--keep-in-foreground', `--conf-file=${config}`];
  },
};

export function dnsmasqConfig(
  { port, upstream }: Omit<Setup, 'folder'>,
  approved: readonly string[],
): string {
  return `listen-address=127.0.0.1
port=${port}
bind-interfaces
no-resolv
no-hosts
pid-file=
user=root
log-facility=-
cache-size=10000
dns-forward-max=10000
address=/#/
${[WILDCARD_ZONE, ...approved].map((name) => `server=/${name}/127.0.0.1#${upstream.port}`).join('\n')}
`;
}

export const CONTESTANTS: readonly Contestant[] = [namegate, unbound, dnsdist, dnsmasq];

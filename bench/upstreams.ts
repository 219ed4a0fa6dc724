import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverCertificate } from './certificates.ts';
import { APPROVED_ZONE, approvedZone, WILDCARD_ZONE, wildcardZone } from './names.ts';
import { answers, type Daemon, find, freePort, start, until } from './processes.ts';

/** A server that the contestants ask. */
export interface Upstream {
  readonly daemon: Daemon;
  readonly port: number;
  /** Path of the certificate that proves its name, where it serves TLS. */
  readonly ca: string | null;
}

/** NSD with both zones, unsigned. Its response rate limit would throttle a forwarder, so it is off. */
export async function startNsd(folder: string, core: number): Promise<Upstream> {
  const at = join(folder, 'nsd');
  mkdirSync(at);
  writeFileSync(join(at, 'approved.zone'), approvedZone());
  writeFileSync(join(at, 'wildcard.zone'), wildcardZone());
  const port = await freePort();
  const config = join(at, 'nsd.conf');
  writeFileSync(config, nsdConfig(at, port));
  const daemon = start([find('nsd') ?? 'nsd', '-d', '-c', config], { core });
  await serving('nsd', daemon, port);
  return { daemon, port, ca: null };
}

export function nsdConfig(folder: string, port: number): string {
  return `server:
  ip-address: 127.0.0.1@${port}
  username: ""
  pidfile: ""
  database: ""
  zonelistfile: "${folder}/zone.list"
  xfrdfile: "${folder}/xfrd.state"
  zonesdir: "${folder}"
  rrl-ratelimit: 0
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "${APPROVED_ZONE}"
  zonefile: "${folder}/approved.zone"
zone:
  name: "${WILDCARD_ZONE}"
  zonefile: "${folder}/wildcard.zone"
`;
}

/** Unbound as a server over TLS. It answers the wildcard zone from its own configuration, and asks nobody. */
export async function startTlsUpstream(folder: string, core: number): Promise<Upstream> {
  const at = join(folder, 'tls-upstream');
  mkdirSync(at);
  const { key, certificate } = await serverCertificate(at);
  const [port, plain] = [await freePort(), await freePort()];
  const config = join(at, 'unbound.conf');
  writeFileSync(config, tlsUpstreamConfig(at, port, plain, key, certificate));
  const daemon = start([find('unbound') ?? 'unbound', '-d', '-p', '-c', config], { core });
  await serving('unbound, the TLS upstream', daemon, plain);
  return { daemon, port, ca: certificate };
}

export function tlsUpstreamConfig(
  folder: string,
  port: number,
  plain: number,
  key: string,
  certificate: string,
): string {
  return `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  verbosity: 0
  interface: 127.0.0.1@${port}
  interface: 127.0.0.1@${plain}
  tls-port: ${port}
  tls-service-key: "${key}"
  tls-service-pem: "${certificate}"
  incoming-num-tcp: 100
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-zone: "." refuse
  local-zone: "${WILDCARD_ZONE}." redirect
  local-data: "${WILDCARD_ZONE}. 3600 A 192.0.2.1"
remote-control:
  control-enable: no
`;
}

/** Waits until a daemon answers over UDP. Throws with what it printed where it ends or stays silent. */
export async function serving(name: string, daemon: Daemon, port: number): Promise<void> {
  await until(
    () => {
      if (daemon.ended()) throw new Error(`${name} ended before it served:\n${daemon.log()}`);
      return answers(port);
    },
    () => `${name} does not answer:\n${daemon.log()}`,
  );
}

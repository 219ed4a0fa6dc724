import { type Milliseconds, unreachable } from '../../wire/quantity.ts';
import { tryConnect } from '../query/one-question.ts';
import { type Target, targetText } from '../query/target.ts';
import { escapeText } from '../terminal.ts';
import { bad, type Finding, note, ok } from './finding.ts';
import { identify } from './identify.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Proxies resolve names themselves. Only what stands in the environment is looked at; credentials are not repeated. */
export function proxyFindings(env: Env): Finding[] {
  const variables = Object.keys(env).filter((name) => PROXY.test(name) && env[name] !== '');
  if (variables.length === 0) return [ok('proxy', 'no variable names a proxy')];
  const named = variables.sort().map((name) => `${escapeText(name)} (${proxyHost(env[name] ?? '')})`);
  const fix = 'hold the proxy to the same names, or unset it: it resolves names itself, past namegate';
  return [note('proxy', `a proxy is set by ${named.join(', ')}`, fix)];
}

const PROXY = /^(?:(?:https?|ftp|all|socks|rsync|wss?)_proxy|npm_config_(?:https_|http_)?proxy)$/i;

function proxyHost(value: string): string {
  const host = URL.canParse(value) ? new URL(value).host : '';
  return host === '' ? (/^[A-Za-z0-9.-]+:\d+$/.exec(value)?.[0] ?? 'not a URL') : escapeText(host);
}

/** Modules of `hosts:` in nsswitch.conf(5) that find addresses by other ways than resolv.conf. `text` null: no such file. */
export function nsswitchFindings(text: string | null): Finding[] {
  const hosts = /^[ \t]*hosts:([^#\n]*)/m.exec(text ?? '')?.[1] ?? '';
  const modules = hosts
    .replace(/\[[^\]]*\]/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '' && !LOCAL_MODULES.has(word));
  return modules.map((module) => {
    const what =
      module === 'resolve' ? 'systemd-resolved, with its own nameservers' : 'something besides DNS';
    return note(
      'nsswitch',
      `hosts: in /etc/nsswitch.conf names ${escapeText(module)}: lookups ask ${what}`,
      'write hosts: files dns',
    );
  });
}

const LOCAL_MODULES = new Set(['files', 'dns', 'myhostname', 'mymachines']);

/** An address to try: at one port over UDP and TCP, or, with port 0, where resolvers and web servers listen. */
export type WayOutProbe = Target;

/** Tries only what was named. */
export async function probeFindings(
  probes: readonly WayOutProbe[],
  patience: Milliseconds,
): Promise<Finding[]> {
  if (probes.length === 0) {
    return [
      note(
        'probe',
        'whether other resolvers, DoH and bare addresses are reached was not tried: nothing outside was contacted',
        'name addresses that must not be reached: namegate doctor --probe 9.9.9.9 1.1.1.1',
      ),
    ];
  }
  return Promise.all(probes.map((probe) => probeOne(probe, patience)));
}

async function probeOne(probe: WayOutProbe, patience: Milliseconds): Promise<Finding> {
  const { host, port } = probe;
  const tries =
    port === 0
      ? [
          tryDns(host, 53, 'udp', patience),
          tryDns(host, 53, 'tcp', patience),
          tryTcp(host, 853, 'DNS over TLS', patience),
          tryTcp(host, 443, 'DNS over HTTPS, or any web server', patience),
        ]
      : [tryDns(host, port, 'udp', patience), tryDns(host, port, 'tcp', patience)];
  const tried = await Promise.all(tries);
  const out = tried.filter(({ result }) => result === 'out');
  const where = port === 0 ? host : targetText(probe);
  if (out.length > 0) {
    const fix = `deny egress to it: packaging/nftables/namegate-clients.nft shows how`;
    return bad(
      'probe',
      `${where} is reached: ${out.map(({ at, text }) => `${at} (${text})`).join(', ')}`,
      fix,
    );
  }
  const reasons = [...Map.groupBy(tried, ({ text }) => text)];
  const held = reasons.map(([reason, those]) => `${those.map(({ at }) => at).join(', ')}: ${reason}`);
  return ok('probe', `${where} is not reached (${held.join('; ')})`);
}

interface Tried {
  readonly result: 'out' | 'held';
  /** `UDP 53`. */
  readonly at: string;
  readonly text: string;
}

/** An answer from namegate means that the network leads such questions to it. */
async function tryDns(
  host: string,
  port: number,
  transport: 'udp' | 'tcp',
  patience: Milliseconds,
): Promise<Tried> {
  const at = `${transport.toUpperCase()} ${port}`;
  const answerer = await identify({ host, port }, transport, patience);
  switch (answerer.kind) {
    case 'namegate':
      return { result: 'held', at, text: 'led to namegate' };
    case 'stub':
      return { result: 'held', at, text: 'led to namegate stub' };
    case 'other':
      return { result: 'out', at, text: `a resolver answers ${answerer.status}` };
    case 'silent':
      return answerer.connected
        ? { result: 'out', at, text: 'it connects' }
        : { result: 'held', at, text: answerer.reason };
    default:
      unreachable(answerer);
  }
}

async function tryTcp(host: string, port: number, what: string, patience: Milliseconds): Promise<Tried> {
  const at = `TCP ${port}`;
  const reason = await tryConnect({ host, port }, patience);
  return reason === null ? { result: 'out', at, text: what } : { result: 'held', at, text: reason };
}

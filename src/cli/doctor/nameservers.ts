import { type Milliseconds, unreachable } from '../../wire/quantity.ts';
import { type Target, targetText } from '../query/target.ts';
import { bad, type Finding, note, ok } from './finding.ts';
import { identify, type Responder } from './identify.ts';

/** What was found at one nameserver of resolv.conf. */
export interface Nameserver {
  readonly host: string;
  readonly udp: Responder;
  readonly tcp: Responder;
}

/** Asks each nameserver over both transports at once; `port` is 53 for stubs. */
export function askNameservers(
  hosts: readonly string[],
  port: number,
  patience: Milliseconds,
): Promise<Nameserver[]> {
  return Promise.all(
    hosts.map(async (host) => {
      const [udp, tcp] = await Promise.all([
        identify({ host, port }, 'udp', patience),
        identify({ host, port }, 'tcp', patience),
      ]);
      return { host, udp, tcp };
    }),
  );
}

export function isNamegate({ udp, tcp }: Nameserver): boolean {
  return udp.kind === 'namegate' || tcp.kind === 'namegate';
}

function isStub({ udp, tcp }: Nameserver): boolean {
  return udp.kind === 'stub' || tcp.kind === 'stub';
}

/** Is namegate reached, and is it the only one listed? `file` is resolv.conf; `own` is where namegate listens, if known. */
export function nameserverFindings(
  servers: readonly Nameserver[],
  file: string,
  own: Target | null,
): Finding[] {
  const findings = servers.map((server) => aboutOne(server, file));
  const others = servers.filter((server) => !isNamegate(server) && !isStub(server));
  if (others.length === 0 && !servers.some(isNamegate)) return findings;
  if (others.length === 0) findings.push(ok('resolv-conf', `namegate is the only nameserver in ${file}`));
  else if (others.length === servers.length) {
    findings.push(
      bad('resolv-conf', `namegate is not among the nameservers in ${file}`, howToList(file, own)),
    );
  } else {
    const names = others.map(({ host }) => host).join(', ');
    findings.push(
      bad(
        'resolv-conf',
        `namegate is not the only nameserver in ${file}: stubs ask ${names} too, at random or when one fails`,
        `leave the nameserver lines of namegate alone in ${file}`,
      ),
    );
  }
  return [...findings, ...identityFindings(servers.filter(isNamegate))];
}

function aboutOne({ host, udp, tcp }: Nameserver, file: string): Finding {
  const who = `nameserver ${host}`;
  if (udp.kind === 'namegate' && tcp.kind === 'namegate') {
    return ok('nameserver', `${who} is namegate, over UDP and TCP`);
  }
  if (udp.kind === 'namegate' || tcp.kind === 'namegate') {
    const [here, there, failed] = udp.kind === 'namegate' ? ['UDP', 'TCP', tcp] : ['TCP', 'UDP', udp];
    const fix = `let namegate listen on ${there.toLowerCase()}:// there, and let the port through: stubs need both`;
    return bad('nameserver', `${who} is namegate over ${here}, but over ${there} ${outcome(failed)}`, fix);
  }
  if (udp.kind === 'silent' && tcp.kind === 'silent') {
    const same = udp.reason === tcp.reason;
    const reason = same ? udp.reason : `UDP: ${udp.reason}; TCP: ${tcp.reason}`;
    const fix = `start namegate there and let port 53 through, or remove the line from ${file}`;
    return bad('nameserver', `${who} does not answer: ${reason}`, fix);
  }
  const stub = udp.kind === 'stub' ? udp : tcp;
  if (stub.kind === 'stub') {
    const what = `${who} is namegate stub, which cannot ask namegate: ${stub.reason}`;
    const fix =
      'keep the line; start the server that the stub names, let its port through, and look at the log of the stub';
    return bad('nameserver', what, fix);
  }
  const answer = udp.kind === 'other' ? udp : tcp;
  return bad('nameserver', `${who} is not namegate: it ${outcome(answer)}`, `remove the line from ${file}`);
}

function outcome(answerer: Responder): string {
  switch (answerer.kind) {
    case 'namegate':
      return 'is namegate';
    case 'stub':
      return `is namegate stub, which cannot ask namegate: ${answerer.reason}`;
    case 'other':
      return `answers ${answerer.status} where namegate explains itself`;
    case 'silent':
      return `it does not answer: ${answerer.reason}`;
    default:
      unreachable(answerer);
  }
}

function howToList(file: string, own: Target | null): string {
  if (own === null) {
    return `write "nameserver ADDRESS" with namegate's address in ${file} (docker run --dns ADDRESS; in a pod, dnsConfig.nameservers)`;
  }
  if (own.port === 53) return `write "nameserver ${own.host}" in ${file}, and no other`;
  return `namegate listens on ${targetText(own)}, but resolv.conf cannot name a port: listen on port 53, and write "nameserver ${own.host}" in ${file}`;
}

/** As whom does namegate see us, and is that what its operator meant? */
function identityFindings(servers: readonly Nameserver[]): Finding[] {
  const seen = servers
    .flatMap(({ host, udp, tcp }) => [udp, tcp].map((answerer) => ({ host, answerer })))
    .flatMap(({ host, answerer }) => (answerer.kind === 'namegate' ? [{ host, ...answerer }] : []));
  const findings: Finding[] = [];
  const identities = [...new Set(seen.map(({ identity }) => identity))];
  for (const identity of identities) {
    const first = seen.find((one) => one.identity === identity)!;
    const address = seen.find((one) => one.identity === identity && one.seen !== null)?.seen ?? null;
    const who = `namegate sees this client${address === null ? '' : `, from ${address},`} as ${identity}`;
    if (identity === 'unknown') {
      const fix =
        address === null
          ? "look at namegate's log for the address that it sees, and add that to from.addresses of an identity"
          : `add ${address} to from.addresses of an identity. Where it is not the address of this client, find what changes it on the way`;
      findings.push(bad('identity', `${who}, for whom nothing resolves`, fix));
    } else if (first.audit) {
      const fix = 'write mode: enforce when the record is clean';
      findings.push(note('identity', `${who}, in audit mode: what it would be denied is resolved`, fix));
    } else {
      findings.push(ok('identity', who));
    }
  }
  if (identities.length > 1) {
    const fix = 'give all addresses of this client to one identity';
    findings.push(bad('identity', `this client is several identities: ${identities.join(', ')}`, fix));
  }
  const between = new Set(
    seen.filter(({ direct, host }) => !direct || host === DOCKER_EMBEDDED).map(({ host }) => host),
  );
  for (const host of between) {
    const what = host === DOCKER_EMBEDDED ? "Docker's embedded DNS" : 'something that forwards';
    const fix =
      'make sure that namegate sees this very client above, or write its own address in resolv.conf';
    findings.push(note('forwarder', `${what} stands between this client and namegate at ${host}`, fix));
  }
  return findings;
}

const DOCKER_EMBEDDED = '127.0.0.11';

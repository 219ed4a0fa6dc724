import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type Dialled, Dialler } from './dialler.ts';
import { cable, namespace } from './netns.ts';
import { must, type Peer, run, start, until } from './process.ts';

export const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Connections of each kind. `NAMEGATE_CONNECTIONS=10000` is the long run. */
export const CONNECTIONS = Number(process.env['NAMEGATE_CONNECTIONS'] ?? 250);

/** Milliseconds that a start may take: a policy of many names takes a while to load, and so does anything on a busy machine. */
const PATIENCE = 60_000 + 10 * CONNECTIONS;

export const DNS = '10.77.0.1';
export const JOB = '10.77.0.2';
export const OTHER = '10.77.0.3';
/** A client has 4,096 grants at most, so that the long run has several. */
export const CLIENTS = ['10.77.0.10', '10.77.0.11', '10.77.0.12', '10.77.0.13'];
export const PORTS = [443, 80, 8001, 22];

/** Everything that is routed to it is the machine's own, and answers: TCP and UDP, both families. */
const INTERNET = `
for (const port of ${JSON.stringify(PORTS)}) {
  const server = require('node:net').createServer((s) => s.on('error', () => {}).on('data', (d) => s.write(d)));
  server.listen({ port, host: '::', backlog: 4096 });
  const socket = require('node:dgram').createSocket({ type: 'udp6', ipv6Only: true });
  socket.on('message', (m, { port, address }) => socket.send(m, port, address)).bind(port, '::');
}
// What connects here is sent octets all the time, whether it listens or not.
require('node:net').createServer((s) => {
  const timer = setInterval(() => s.write('x'), 5);
  s.on('error', () => {}).on('data', () => {}).on('close', () => clearInterval(timer));
}).listen({ port: 8002, host: '::' });
// A reply comes from the address that was asked.
const named = require('node:dgram').createSocket('udp4');
named.on('message', (m, { port, address }) => named.send(m, port, address)).bind(443, '198.51.100.1', () => console.log('listening'));
`;

export function address(i: number): string {
  return `203.0.${113 + (i >> 8)}.${i & 255}`;
}

/** The names of the test, each with an address of its own. */
export function policy(until: Date): string {
  const records = Array.from(
    { length: CONNECTIONS },
    (_, i) => `  - { name: n${i}.lab.example, type: A, data: ${address(i)} }`,
  );
  return `
identities:
  - name: job
    owner: platform
    review_by: 2099-01-01
    from: { addresses: [10.77.0.0/24, "fd00:77::/64", 10.78.0.0/24, "fd00:78::/64"] }
    allow:
      - { name: "n{0..${CONNECTIONS - 1}}.lab.example", owner: platform, reason: test }
      - { name: ports.lab.example, owner: platform, reason: test, ports: [tcp/80, udp/443, tcp/8000-8010] }
      - { name: six.lab.example, owner: platform, reason: test }
      - { name: many.lab.example, owner: platform, reason: test }
      - { name: crowd.lab.example, owner: platform, reason: test }
      - { name: hint.lab.example, owner: platform, reason: test }
      - { name: neighbour.lab.example, owner: platform, reason: test, private: true }
      - { name: published.lab.example, owner: platform, reason: test }
${['zero', 'thirteen', 'dual', 'chain', 'service', 'slow', 'short'].map((name) => `      - { name: ${name}.lab.example, owner: platform, reason: test }`).join('\n')}
      - { name: ends.lab.example, owner: platform, reason: test, until: "${until.toISOString()}" }
records:
${records.join('\n')}
  - { name: ports.lab.example, type: A, data: 198.51.100.1 }
  - { name: ports.lab.example, type: AAAA, data: "2001:db8:6::1" }
  - { name: six.lab.example, type: AAAA, data: "2001:db8:6::1" }
  - { name: ends.lab.example, type: A, data: 198.51.100.2 }
  - { name: neighbour.lab.example, type: A, data: 10.78.0.3 }
  - { name: neighbour.lab.example, type: AAAA, data: "fd00:78::3" }
  - { name: published.lab.example, type: A, data: 203.0.202.1 }
  - { name: hint.lab.example, type: HTTPS, data: "1 . ipv4hint=198.51.100.3" }
${Array.from({ length: 200 }, (_, i) => `  - { name: many.lab.example, type: A, data: 192.0.2.${i + 3} }`).join('\n')}
${Array.from({ length: 257 }, (_, i) => `  - { name: crowd.lab.example, type: A, data: 198.18.${i >> 8}.${i & 255} }`).join('\n')}
`;
}

export interface Lab {
  readonly folder: string;
  readonly host: string;
  /** Namespaces of the job and of the internet. */
  readonly inside: string;
  readonly outside: string;
  readonly job: Dialler;
  enforcer: Peer;
  server: Peer;
}

export async function lab(t: Test): Promise<Lab> {
  const job = await namespace(t, 'job');
  const host = await namespace(t, 'host');
  const outside = await namespace(t, 'out');
  await cable(
    {
      namespace: job,
      device: 'eth0',
      addresses: [...[JOB, OTHER, ...CLIENTS].map((address) => `${address}/24`), 'fd00:77::2/64'],
    },
    { namespace: host, device: 'job0', addresses: [`${DNS}/24`, 'fd00:77::1/64'] },
  );
  await cable(
    { namespace: host, device: 'up0', addresses: ['172.31.0.1/24', '2001:db8::1/64'] },
    { namespace: outside, device: 'eth0', addresses: ['172.31.0.2/24', '2001:db8::2/64'] },
  );
  for (const [name, ...route] of [
    [job, 'default', 'via', DNS],
    [job, 'default', 'via', 'fd00:77::1'],
    [host, 'default', 'via', '172.31.0.2'],
    [host, 'default', 'via', '2001:db8::2'],
    [outside, 'default', 'via', '172.31.0.1'],
    [outside, 'default', 'via', '2001:db8::1'],
    ...['192.0.2.0/24', '198.51.100.0/24', '203.0.0.0/16'].map((net) => [
      outside,
      'local',
      net,
      'dev',
      'eth0',
    ]),
    [outside, 'local', '2001:db8:6::/64', 'dev', 'eth0'],
  ] as const)
    await must(
      ['ip', ...(route.some((word) => word.includes('::')) ? ['-6'] : []), 'route', 'add', ...route],
      {
        namespace: name,
      },
    );
  await must(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'], {
    namespace: host,
  });
  // Each refusal is to be seen: the kernel tells one client of six at once, and of one a second.
  await must(['sysctl', '-q', '-w', 'net.ipv4.icmp_ratelimit=0'], { namespace: host });
  // All clients together have a limit of their own, which not every kernel lets a namespace raise.
  await run(['sysctl', '-q', '-w', 'net.ipv4.icmp_msgs_per_sec=100000', 'net.ipv4.icmp_msgs_burst=10000'], {
    namespace: host,
  });
  const internet = start(t, [process.execPath, '-e', INTERNET], { namespace: outside });
  await until(() => internet.log().includes('listening'), internet.log);
  // A short path: a socket's has 107 octets at most.
  const folder = mkdtempSync(join(tmpdir(), 'namegate-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    join(folder, 'namegate.yaml'),
    `
listen: [{ on: "udp://${DNS}:53", spoofable: false }, "tcp://${DNS}:53", "udp://[fd00:77::1]:53", "tcp://[fd00:77::1]:53"]
upstreams: { default: { servers: [udp://127.0.0.1:1053] } }
policy: policy.yaml
admin: unix:admin.sock
metrics: http://127.0.0.1:9153
enforce: { socket: enforce.sock, interfaces: [job0, docker0], ports: [tcp/443], wait: 1s }
`,
  );
  const dialler = await Dialler.start(t, job, folder);
  return { folder, host, inside: job, outside, job: dialler, ...(await both(t, folder, host)) };
}

/** Two jobs at one bridge of the host, whose packets to each other its firewall sees. Dials from the first; the second listens. */
export async function bridge(t: Test, host: string): Promise<Dialler> {
  const jobs = [await namespace(t, 'first'), await namespace(t, 'second')] as const;
  const inside = (command: string, where: string) => must(command.split(' '), { namespace: where });
  await inside('ip link add docker0 type bridge', host);
  for (const [i, job] of jobs.entries()) {
    const addresses = [`10.78.0.${i + 2}/24`, `fd00:78::${i + 2}/64`];
    await cable(
      { namespace: job, device: 'eth0', addresses },
      { namespace: host, device: `port${i}`, addresses: [] },
    );
    await inside(`ip link set port${i} master docker0`, host);
    await inside('ip route add default via 10.78.0.1', job);
    await inside('ip -6 route add default via fd00:78::1', job);
  }
  await inside('ip address add 10.78.0.1/24 dev docker0', host);
  await inside('ip address add fd00:78::1/64 dev docker0 nodad', host);
  await inside('ip link set docker0 up', host);
  const calls = ['iptables', 'ip6tables'].map((what) => `net.bridge.bridge-nf-call-${what}=1`);
  await must(['sysctl', '-q', '-w', ...calls], { namespace: host });
  const server = start(t, [process.execPath, '-e', INTERNET.replace("'198.51.100.1'", "'10.78.0.3'")], {
    namespace: jobs[1],
  });
  await until(() => server.log().includes('listening'), server.log);
  const folder = mkdtempSync(join(tmpdir(), 'namegate-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return Dialler.start(t, jobs[0], folder);
}

export async function both(t: Test, folder: string, host: string): Promise<Pick<Lab, 'enforcer' | 'server'>> {
  writeFileSync(join(folder, 'policy.yaml'), policy(new Date(Date.now() + 86_400_000)));
  const enforcer = await enforce(t, folder, host);
  const server = await serve(t, folder, host);
  return { enforcer, server };
}

export async function enforce(t: Test, folder: string, host: string): Promise<Peer> {
  const command = [process.execPath, main, 'enforce', '--config', join(folder, 'namegate.yaml')];
  const peer = start(t, command, { namespace: host });
  await until(() => peer.log().includes('judging'), peer.log, PATIENCE);
  return peer;
}

export async function serve(t: Test, folder: string, host: string): Promise<Peer> {
  const command = [process.execPath, main, 'serve', '--config', join(folder, 'namegate.yaml')];
  const peer = start(t, command, { namespace: host });
  // It listens after it has told the enforcer.
  const said = ['the enforcer has all that is live', '"event":"ready"'];
  await until(() => said.every((text) => peer.log().includes(text)), peer.log, PATIENCE);
  return peer;
}

/** Asks the admin API. */
export function api(folder: string, method: string, path: string, body?: object): Promise<{ id: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const options = { socketPath: join(folder, 'admin.sock'), method, path, ...(body ? { headers } : {}) };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more) => {
        text += more;
      });
      response.on('end', () => {
        if (response.statusCode! < 300) resolve(JSON.parse(text || '{}'));
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export async function ready(host: string): Promise<string> {
  const command = [
    process.execPath,
    '-e',
    "fetch('http://127.0.0.1:9153/ready').then((r) => r.text()).then(console.log)",
  ];
  return (await run(command, { namespace: host })).stdout;
}

/** Does it for each of so many, some at once; the results by count, and the median time. */
export async function counted(
  many: number,
  deed: (i: number) => Promise<Dialled>,
): Promise<{ results: Readonly<Record<string, number>>; times: string }> {
  const results: Record<string, number> = {};
  const times: number[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < many; i = next++) {
      const { result, ms } = await deed(i);
      results[result] = (results[result] ?? 0) + 1;
      times.push(ms);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor(share * (times.length - 1))]!.toFixed(1);
  return { results, times: `half within ${at(0.5)} ms, 99 % within ${at(0.99)} ms, all within ${at(1)} ms` };
}

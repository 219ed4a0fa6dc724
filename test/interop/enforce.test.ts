import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Dialled, Dialler } from './dialler.ts';
import { cable, namespace } from './netns.ts';
import { missingForRoot, must, type Peer, run, start, until } from './process.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Connections of each kind. `NAMEGATE_CONNECTIONS=10000` is the long run. */
const CONNECTIONS = Number(process.env['NAMEGATE_CONNECTIONS'] ?? 250);

const DNS = '10.77.0.1';
const JOB = '10.77.0.2';
const OTHER = '10.77.0.3';
/** A client has 4,096 grants at most, so that the long run has several. */
const CLIENTS = ['10.77.0.10', '10.77.0.11', '10.77.0.12', '10.77.0.13'];
const PORTS = [443, 80, 8001, 22];

/** Everything that is routed to it is the machine's own, and answers: TCP and UDP, both families. */
const INTERNET = `
for (const port of ${JSON.stringify(PORTS)}) {
  const server = require('node:net').createServer((s) => s.on('error', () => {}).on('data', (d) => s.write(d)));
  server.listen({ port, host: '::', backlog: 4096 });
  const socket = require('node:dgram').createSocket({ type: 'udp6', ipv6Only: true });
  socket.on('message', (m, { port, address }) => socket.send(m, port, address)).bind(port, '::');
}
// A reply comes from the address that was asked.
const named = require('node:dgram').createSocket('udp4');
named.on('message', (m, { port, address }) => named.send(m, port, address)).bind(443, '198.51.100.1', () => console.log('listening'));
`;

function address(i: number): string {
  return `203.0.${113 + (i >> 8)}.${i & 255}`;
}

/** The names of the test, each with an address of its own. */
function policy(until: Date): string {
  const records = Array.from(
    { length: CONNECTIONS },
    (_, i) => `  - { name: n${i}.lab.example, type: A, data: ${address(i)} }`,
  );
  return `
identities:
  - name: job
    owner: platform
    review_by: 2099-01-01
    from: { addresses: [10.77.0.0/24, "fd00:77::/64"] }
    allow:
      - { name: "n{0..${CONNECTIONS - 1}}.lab.example", owner: platform, reason: test }
      - { name: ports.lab.example, owner: platform, reason: test, ports: [tcp/80, udp/443, tcp/8000-8010] }
      - { name: six.lab.example, owner: platform, reason: test }
      - { name: many.lab.example, owner: platform, reason: test }
      - { name: crowd.lab.example, owner: platform, reason: test }
      - { name: hint.lab.example, owner: platform, reason: test }
      - { name: ends.lab.example, owner: platform, reason: test, until: "${until.toISOString()}" }
records:
${records.join('\n')}
  - { name: ports.lab.example, type: A, data: 198.51.100.1 }
  - { name: six.lab.example, type: AAAA, data: "2001:db8:6::1" }
  - { name: ends.lab.example, type: A, data: 198.51.100.2 }
  - { name: hint.lab.example, type: HTTPS, data: "1 . ipv4hint=198.51.100.3" }
${Array.from({ length: 200 }, (_, i) => `  - { name: many.lab.example, type: A, data: 192.0.2.${i + 3} }`).join('\n')}
${Array.from({ length: 257 }, (_, i) => `  - { name: crowd.lab.example, type: A, data: 198.18.${i >> 8}.${i & 255} }`).join('\n')}
`;
}

interface Lab {
  readonly folder: string;
  readonly host: string;
  readonly job: Dialler;
  enforcer: Peer;
  server: Peer;
}

async function lab(t: Test): Promise<Lab> {
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
enforce: { socket: enforce.sock, interfaces: [job0], ports: [tcp/443], wait: 1s }
`,
  );
  return { folder, host, job: await Dialler.start(t, job, folder), ...(await both(t, folder, host)) };
}

async function both(t: Test, folder: string, host: string): Promise<Pick<Lab, 'enforcer' | 'server'>> {
  writeFileSync(join(folder, 'policy.yaml'), policy(new Date(Date.now() + 86_400_000)));
  const enforcer = await enforce(t, folder, host);
  const server = await serve(t, folder, host);
  return { enforcer, server };
}

async function enforce(t: Test, folder: string, host: string): Promise<Peer> {
  const command = [process.execPath, main, 'enforce', '--config', join(folder, 'namegate.yaml')];
  const peer = start(t, command, { namespace: host });
  await until(() => peer.log().includes('judging'), peer.log, 20_000);
  return peer;
}

async function serve(t: Test, folder: string, host: string): Promise<Peer> {
  const command = [process.execPath, main, 'serve', '--config', join(folder, 'namegate.yaml')];
  const peer = start(t, command, { namespace: host });
  await until(() => peer.log().includes('the enforcer has all that is live'), peer.log, 20_000);
  return peer;
}

/** Asks the admin API. */
function api(folder: string, method: string, path: string, body?: object): Promise<{ id: string }> {
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

async function ready(host: string): Promise<string> {
  const command = [
    process.execPath,
    '-e',
    "fetch('http://127.0.0.1:9153/ready').then((r) => r.text()).then(console.log)",
  ];
  return (await run(command, { namespace: host })).stdout;
}

/** Does it for each of so many, some at once; the results by count, and the median time. */
async function counted(
  many: number,
  deed: (i: number) => Promise<Dialled>,
): Promise<{ results: object; median: number }> {
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
  return { results, median: times[times.length >> 1]! };
}

t.test(
  'only what was resolved may be connected to',
  { skip: missingForRoot('ip', 'nft', 'sysctl', 'setpriv') },
  async (t) => {
    // What is started anew in a part lasts until the end of all.
    const outer = t;
    const here = await lab(t);
    const { job, folder, host } = here;
    const tcp = (where: string, port = 443, from = JOB) => job.do({ deed: 'tcp', host: where, port, from });
    const dns = (name: string, type = 'A', from = JOB) =>
      job.do({ deed: 'dns', name, type, server: DNS, from });
    const is = async (wanted: string, dialled: Promise<Dialled>, what: string): Promise<void> => {
      t.equal((await dialled).result, wanted, what);
    };

    await is('ECONNREFUSED', tcp(address(0)), 'nothing was answered yet');
    await is('ECONNREFUSED', tcp(DNS, 9153), 'nor is the machine itself open');
    t.comment(
      await must([process.execPath, main, 'enforce', '--check', '--config', join(folder, 'namegate.yaml')], {
        namespace: host,
      }),
    );

    const accepted = await counted(CONNECTIONS, (i) =>
      job.do({ deed: 'both', name: `n${i}.lab.example`, server: DNS, port: 443, from: CLIENTS[i % 4]! }),
    );
    t.same(accepted.results, { ok: CONNECTIONS }, 'each connection in the instant after its answer');
    await t.test('what was refused comes back', async (t) => {
      const udp = { deed: 'udp', host: address(1), port: 443, from: JOB } as const;
      t.equal((await tcp(address(1), 443, OTHER)).result, 'ECONNREFUSED', 'granted to another');
      t.not((await job.do(udp)).result, 'ok', 'another protocol');
      t.equal((await job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 })).result, 'ECONNREFUSED');
      const wanted: readonly [key: string, target: string | null][] = [
        [`${JOB} to ${DNS} tcp/9153`, null],
        [`${OTHER} to ${address(1)} tcp/443`, 'n1.lab.example'],
        [`${JOB} to ${address(1)} udp/443`, 'n1.lab.example'],
        ['fd00:77::2 to 2001:db8:6::1 tcp/443', null],
      ];
      let found: readonly Record<string, unknown>[] = [];
      await until(
        async () => {
          const list = (await api(folder, 'GET', '/v1/findings')) as unknown as { findings: typeof found };
          found = list.findings;
          return wanted.every(([key]) => found.some((finding) => finding['key'] === key));
        },
        () => JSON.stringify(found),
      );
      for (const [key, target] of wanted) {
        const finding = found.find((each) => each['key'] === key)!;
        t.match(finding, { kind: 'direct-address', severity: 'medium', identity: 'job', state: 'open' }, key);
        t.equal(finding['target'], target, 'the name that was granted there');
      }
      t.equal(found.filter(({ kind }) => kind === 'direct-address').length, 5, 'and nothing else');
    });
    const kinds: [string, (i: number) => Promise<Dialled>][] = [
      ['an address that was not answered', (i) => tcp(`203.0.200.${i & 255}`)],
      ['what was answered to another client', (i) => tcp(address(i), 443, OTHER)],
      ['another port', (i) => tcp(address(i), PORTS[1 + (i % 3)], CLIENTS[i % 4])],
    ];
    for (const [what, deed] of kinds) {
      const { results, median } = await counted(CONNECTIONS, deed);
      t.same(
        results,
        { ECONNREFUSED: CONNECTIONS },
        `${what}: refused (half within ${median.toFixed(1)} ms)`,
      );
    }
    t.not(
      (await job.do({ deed: 'udp', host: address(1), port: 443, from: JOB })).result,
      'ok',
      'another protocol',
    );
    await is('ECONNREFUSED', job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 }), 'IPv6');

    t.equal((await dns('ports.lab.example')).result, 'ok');
    await is('ok', tcp('198.51.100.1', 80), 'a port of the rule');
    await is('ok', tcp('198.51.100.1', 8001), 'one of its range');
    await is('ok', job.do({ deed: 'udp', host: '198.51.100.1', port: 443, from: JOB }), 'over UDP');
    await is('ECONNREFUSED', tcp('198.51.100.1', 443), 'not the default');

    t.equal((await dns('six.lab.example', 'AAAA')).result, 'ok', 'over IPv4');
    await is('ECONNREFUSED', job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 }), 'that opens no IPv6');
    const six = { deed: 'dns', name: 'six.lab.example', type: 'AAAA', server: '[fd00:77::1]' } as const;
    t.equal((await job.do(six)).result, 'ok');
    await is('ok', job.do({ deed: 'tcp', host: '2001:db8:6::1', port: 443 }), 'over IPv6 it does');

    const pool = await dns('many.lab.example');
    t.equal(pool.addresses.length, 200);
    const all = await counted(200, (i) => tcp(pool.addresses[i]!));
    t.same(all.results, { ok: 200 }, 'a pool of 200');
    await is('ESERVFAIL', dns('crowd.lab.example'), 'more addresses than a name may have');

    await t.test('a rule that ends takes its grants, and leaves connections', async (t) => {
      // A policy of many names takes a while to load.
      const end = Math.ceil(Date.now() / 1000 + 4 + CONNECTIONS / 500) * 1000;
      writeFileSync(join(folder, 'policy.yaml'), policy(new Date(end)));
      here.server.kill('SIGHUP');
      await until(() => here.server.log().includes('"policy-loaded"'), here.server.log, 60_000);
      t.equal((await dns('ends.lab.example')).result, 'ok');
      const long = { host: '198.51.100.2', port: 443, from: JOB, hold: 'long' };
      t.equal((await job.do({ deed: 'tcp', ...long })).result, 'ok');
      await until(
        () => Date.now() > end + 200,
        () => 'the time has not come',
        60_000,
      );
      t.equal((await tcp('198.51.100.2')).result, 'ECONNREFUSED', 'to the second');
      t.equal(
        (await job.do({ deed: 'echo', hold: 'long' })).result,
        'ok',
        'the connection outlives its grant',
      );
    });

    await t.test('the end of a lease cuts its connections', async (t) => {
      const lease = await api(folder, 'POST', '/v1/leases', { identity: 'job', addresses: [JOB], ttl: 600 });
      t.equal((await tcp(address(2))).result, 'ECONNREFUSED', 'the lease begins with nothing');
      t.equal((await dns('n2.lab.example')).result, 'ok');
      t.equal(
        (await job.do({ deed: 'tcp', host: address(2), port: 443, from: JOB, hold: 'cut' })).result,
        'ok',
      );
      t.equal((await job.do({ deed: 'echo', hold: 'cut' })).result, 'ok');
      await api(folder, 'DELETE', `/v1/leases/${lease.id}`);
      t.equal((await tcp(address(2))).result, 'ECONNREFUSED', 'its grants are gone when the API answers');
      t.equal((await job.do({ deed: 'echo', hold: 'cut' })).result, 'gone');
    });

    await t.test('either side is killed, and is back', async (t) => {
      t.equal((await dns('n3.lab.example')).result, 'ok');
      here.enforcer.kill('SIGKILL');
      await until(() => here.enforcer.ended(), here.enforcer.log);
      t.equal((await tcp(address(3))).result, 'ok', 'what was granted stays');
      t.equal((await tcp(address(4))).result, 'ECONNREFUSED', 'what was not does too');
      t.equal((await dns('n3.lab.example')).result, 'ok', 'a name whose grant is there is answered');
      t.equal((await dns('n5.lab.example')).result, 'ESERVFAIL', 'no other');
      t.match(await ready(host), /enforce-down/);
      here.enforcer = await enforce(outer, folder, host);
      await until(async () => (await dns('n5.lab.example')).result === 'ok', here.server.log);
      t.equal((await tcp(address(5))).result, 'ok');

      here.server.kill('SIGKILL');
      await until(() => here.server.ended(), here.server.log);
      t.equal((await tcp(address(5))).result, 'ok', 'without the server too');
      t.equal((await tcp(address(6))).result, 'ECONNREFUSED');
      here.server = await serve(outer, folder, host);
      t.equal((await tcp(address(5))).result, 'ok', 'and when it is back');
    });

    await t.test('rules that somebody flushes are noticed', async (t) => {
      t.equal((await dns('n7.lab.example')).result, 'ok');
      await must(['nft', 'flush', 'ruleset'], { namespace: host });
      const flushed = Date.now();
      await until(async () => (await ready(host)).includes('enforce-rules'), here.server.log);
      t.comment(`noticed within ${Date.now() - flushed} ms`);
      await until(async () => (await tcp(address(7))).result === 'ok', here.server.log);
      t.equal((await tcp('203.0.200.7')).result, 'ECONNREFUSED');
    });

    await t.test('nobody else reaches the socket', async (t) => {
      const script = `require('node:net').connect('${join(folder, 'enforce.sock')}').on('error', (e) => console.log(e.code)).on('connect', () => console.log('open'))`;
      const as = await run(['setpriv', '--reuid', '65534', '--clear-groups', process.execPath, '-e', script]);
      t.match(as.stdout, /EACCES/);
    });
  },
);

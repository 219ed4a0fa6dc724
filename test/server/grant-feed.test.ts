import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Consumer } from '../assembly/firewall/consumer.ts';
import { missing, start } from '../interop/process.ts';
import { framed, queryOctets } from './client.ts';
import { type Message, readMessage } from './message.ts';
import { type Namegate, namegate, until } from './namegate.ts';

/** A server that tells its grants to an enforcer elsewhere. Its clients come from behind a balancer: loopback is granted nothing. */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [192.0.2.0/24] }
    allow:
      - { name: a.example, reason: test }
      - { name: b.example, reason: test, ports: [tcp/22] }
redirects:
  - { name: b.example, to: c.example }
records:
  - { name: a.example, type: A, data: 203.0.113.1, ttl: 60 }
  - { name: c.example, type: A, data: 203.0.113.2, ttl: 60 }
`;

/** A question from 192.0.2.`host`, by a PROXY v2 header. */
function ask(t: Test, { tcp }: Namegate, name: string, host: number): Promise<Message> {
  const socket: Socket = connect({ port: tcp, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  const head = Buffer.from(
    `0d0a0d0a000d0a515549540a2111000cc00002${host.toString(16).padStart(2, '0')}c0000201abcd0035`,
    'hex',
  );
  socket.write(Buffer.concat([head, framed(queryOctets(name))]));
  return new Promise((resolve, reject) => {
    let all = Buffer.alloc(0);
    socket.on('data', (more: Buffer) => {
      all = Buffer.concat([all, more]);
      if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) resolve(readMessage(all.subarray(2)));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without an answer')));
  });
}

function api(folder: string, path: string, method = 'GET', body?: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({ socketPath: join(folder, 'admin.sock'), path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more) => {
        text += more;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

t.test('an answer leaves when the enforcers of its feeds have its grants', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ng-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const settings = (fail: string): string => `admin: "unix:${folder}/admin.sock"
metrics: http://127.0.0.1:0
enforce:
  wait: 2s
  fail: ${fail}
  feeds:
    - { name: edge, on: "unix:${folder}/edge.sock", class: wait }
    - { name: proxy, on: "unix:${folder}/proxy.sock" }`;
  const server = await namegate(t, {
    policy: POLICY,
    listen: ['udp://127.0.0.1:0', { on: 'tcp://127.0.0.1:0', proxy_from: ['127.0.0.1'] }],
    settings: settings('closed'),
  });
  t.ok(existsSync(join(folder, 'edge.sock')));
  t.match(await ask(t, server, 'a.example', 7), { rcode: 'SERVFAIL' }, 'nobody follows the feed');
  t.match((await server.ready()).reasons, [{ code: 'enforce-feed', text: /edge/ }]);

  const dial = (name: string): Consumer => {
    const consumer = new Consumer(connect({ path: join(folder, `${name}.sock`) }), name === 'proxy');
    t.teardown(() => consumer.socket.destroy());
    consumer.hello();
    return consumer;
  };
  const [edge, proxy] = [dial('edge'), dial('proxy')];
  const program = fileURLToPath(new URL('../../packaging/enforce/follow.py', import.meta.url));
  const absent = missing('python3') !== false;
  const follower = absent ? null : start(t, ['python3', program, join(folder, 'proxy.sock')]);
  await until(() => edge.snapshots === 1 && proxy.snapshots === 1);
  t.same([...edge.live.keys()], ['192.0.2.0/24']);
  edge.acknowledge();
  await until(async () => (await server.ready()).ready);

  let answered = false;
  const asked = ask(t, server, 'b.example', 7).then((reply) => {
    answered = true;
    return reply;
  });
  await until(() => edge.grants.size === 1 && proxy.grants.size === 1);
  t.notOk(answered, 'the enforcer has not acknowledged it');
  const { seq, ttl_ms: ttl, policy, rule, ...line } = edge.lines.at(-1)!;
  t.same(line, {
    op: 'grant',
    identity: 'job',
    lease: null,
    client: '192.0.2.7',
    name: 'b.example',
    chain: ['c.example'],
    address: '203.0.113.2',
    ports: ['tcp/22'],
  });
  t.match(rule, /test\.yaml:9$/);
  t.match(policy, /^[0-9a-f]{16}$/);
  t.ok(Number(ttl) > 60_000 && Number(ttl) <= 120_000);
  t.type(seq, 'number');
  edge.acknowledge();
  t.match(await asked, { rcode: 'NOERROR' });
  t.match(await ask(t, server, 'b.example', 7), { rcode: 'NOERROR' }, 'what it has is answered at once');

  const lease = await api(folder, '/v1/leases', 'POST', { identity: 'job', address: '192.0.2.9', ttl: 60 });
  await until(() => edge.live.has('192.0.2.9'));
  edge.acknowledge();
  const leased = ask(t, server, 'a.example', 9);
  await until(() => edge.grants.has('192.0.2.9 203.0.113.1 tcp/443'));
  edge.acknowledge();
  await leased;
  t.match(await api(folder, `/v1/grants?lease=${lease['id']}`), {
    live: [{ client: '192.0.2.9', lease: lease['id'] }],
    grants: [{ client: '192.0.2.9', name: 'a.example', address: '203.0.113.1', lease: lease['id'] }],
    more: false,
  });
  t.match(await api(folder, '/v1/grants?identity=nobody'), { live: [], grants: [] });
  t.match(await api(folder, '/v1/grants?limit=1'), { more: true });
  await api(folder, `/v1/leases/${lease['id']}`, 'DELETE');
  await until(() => !edge.live.has('192.0.2.9') && !proxy.live.has('192.0.2.9'));
  t.equal(edge.grants.size, 1, 'its grants are gone with it');
  edge.acknowledge();

  const change = (from: string, to: string): void => {
    const text = readFileSync(server.path('namegate.yaml'), 'utf8');
    server.write('namegate.yaml', text.replace(from, to));
  };
  change('wait: 2s', 'wait: 50ms');
  await server.logged('policy-loaded');
  const silent = ask(t, server, 'a.example', 8);
  t.match(await silent, { rcode: 'SERVFAIL' }, 'what is not acknowledged in time is not answered');
  edge.acknowledge();
  change('fail: closed', 'fail: open');
  await server.logged('policy-loaded', 2);
  t.match(await ask(t, server, 'a.example', 6), { rcode: 'NOERROR' }, 'fail: open gives it');
  await until(async () => (await server.ready()).reasons.some(({ code }) => code === 'enforce-open'));
  if (follower !== null) {
    const wanted = ['+ 192.0.2.7 203.0.113.2 tcp/22'];
    for (const sign of ['+', '-']) wanted.push(`${sign} 192.0.2.9 203.0.113.1 tcp/443`);
    for (const client of [8, 6]) wanted.push(`+ 192.0.2.${client} 203.0.113.1 tcp/443`);
    const said = () =>
      follower
        .log()
        .split('\n')
        .filter((line) => / tcp\/(?:22|443)$/.test(line));
    await until(() => said().length >= wanted.length);
    t.same(said(), wanted, 'what the example of a consumer says');
  }
  await server.stop(t);
});

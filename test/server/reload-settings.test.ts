import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { IN_FORCE, inForce, policyOf, resolves } from './changes.ts';
import { ask } from './client.ts';
import { Namegate, NOT_CONTAINED, namegate, pause, until } from './namegate.ts';
import { type Upstream, upstream } from './upstream.ts';

/** Settings that change while the server runs, and a ConfigMap's way to change files. */

// They wait more than they work.
t.jobs = 3;

t.test('what needs a restart is said, each key, and what does not is in force', async (t) => {
  const server = await namegate(t, {
    policy: policyOf('a.example'),
    settings: 'metrics: http://127.0.0.1:0',
  });
  server.write(
    'namegate.yaml',
    `listen: ["udp://127.0.0.1:0"]
upstreams: { default: { servers: ["udp://127.0.0.1:9"] } }
policy: policy/
metrics: http://127.0.0.2:0
state: other/
log: { level: warn }
cache: { size: 1MiB }
limits: { tcp_clients: 7 }
replies: { max_ttl: 9s }
`,
  );
  await until(async () => (await ask(server, 'a.example')).answer[0]?.ttl === 9);
  await server.logged('policy-loaded');
  t.same(
    server
      .events('restart-needed')
      .map(({ key }) => key)
      .sort(),
    ['cache.size', 'limits.tcp_clients', 'listen', 'log', 'metrics', 'state'],
  );
  t.equal((await ask(server, 'a.example', { over: 'tcp' })).rcode, 'NOERROR', 'the TCP listener stays');
  server.write('policy/test.yaml', policyOf('b.example'));
  await server.logged('policy-loaded', 2);
  t.equal(server.events('restart-needed').length, 6, 'said once');
  await server.stop(t);
});

t.test('audit identities are named by /ready while audit lasts', async (t) => {
  const audit = (until: string): string =>
    policyOf('a.example').replace('    allow:', `    mode: audit\n    audit_until: ${until}\n    allow:`);
  const server = await namegate(t, { policy: policyOf('a.example') });
  t.same((await server.ready()).audit, []);
  server.write('policy/test.yaml', audit('2099-01-01'));
  await until(async () => (await server.ready()).audit.length === 1);
  t.same((await server.ready()).audit, [{ identity: 'job', until: '2099-01-01T00:00:00Z' }]);
  const soon = new Date(Math.ceil(Date.now() / 1000 + 5) * 1000).toISOString();
  server.write('policy/test.yaml', audit(soon));
  await until(async () => (await server.ready()).audit[0]?.until === soon.replace('.000Z', 'Z'));
  await pause(Date.parse(soon) - Date.now() + 100);
  t.same((await server.ready()).audit, [], 'over without a reload');
  t.equal((await ask(server, 'other.example')).rcode, 'NXDOMAIN', 'and enforced');
  await server.stop(t);
});

t.test(
  'a ConfigMap: the `..data` link is swapped, for the policy folder and for the server file',
  async (t) => {
    const folder = t.testdir();
    const publish = (mount: string, files: Readonly<Record<string, string>>): void => {
      const base = join(folder, mount);
      const old = readdirSync(base).filter((name) => /^\.\.\d/.test(name));
      const fresh = `..${Date.now()}`;
      mkdirSync(join(base, fresh));
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(base, fresh, name), text);
        if (!readdirSync(base).includes(name)) symlinkSync(`..data/${name}`, join(base, name));
      }
      symlinkSync(fresh, join(base, '..data_tmp'));
      renameSync(join(base, '..data_tmp'), join(base, '..data'));
      for (const name of old) rmSync(join(base, name), { recursive: true });
    };
    const serverFile = (ttl: number): string => `listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
upstreams: { default: { servers: ["udp://127.0.0.1:9"] } }
policy: policy
metrics: http://127.0.0.1:0
replies: { max_ttl: ${ttl}s }
`;
    mkdirSync(join(folder, 'policy'));
    publish('policy', { 'test.yaml': policyOf('one.example') });
    publish('.', { 'namegate.yaml': serverFile(11) });
    const server = await new Namegate(t, folder).started();
    t.ok(await resolves(server, 'one.example'));
    for (const name of ['two.example', 'three.example']) {
      publish('policy', { 'test.yaml': policyOf(name) });
      await inForce(t, server, { [name]: true, 'one.example': false }, name);
    }
    publish('.', { 'namegate.yaml': serverFile(12) });
    const took = await until(async () => (await ask(server, 'three.example')).answer[0]?.ttl === 12);
    t.ok(took < IN_FORCE, 'the server file', { took });
    publish('policy', { 'test.yaml': 'nonsense' });
    await until(async () => (await server.ready()).reload !== null);
    t.ok(await resolves(server, 'three.example'), 'a bad one changes nothing');
    publish('policy', { 'test.yaml': policyOf('four.example') });
    await inForce(t, server, { 'four.example': true, 'three.example': false }, 'four');
    await server.stop(t);
  },
);

t.test('upstreams: servers and zones change without a restart', async (t) => {
  const answering = (last: number): Promise<Upstream> =>
    upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 0 A 198.51.100.${last}`] }));
  const [one, two, three] = await Promise.all([answering(1), answering(2), answering(3)]);
  const policy = policyOf('local.example').replace(
    '    allow:',
    '    allow:\n      - { name: "*.test.example", reason: test }',
  );
  const text = (upstreams: string): string => `listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
upstreams: { ${upstreams} }
policy: policy/
metrics: http://127.0.0.1:0
${NOT_CONTAINED}
`;
  const server = await namegate(t, { policy, servers: `["${one.url}"]` });
  const last = async (name: string): Promise<string> =>
    (await ask(server, name)).answer[0]?.data.slice(-1) ?? '';
  const becomes = async (name: string, wanted: string, what: string): Promise<void> => {
    const took = await until(async () => (await last(name)) === wanted);
    t.ok(took < IN_FORCE, what, { took });
  };
  t.equal(await last('a.test.example'), '1');
  server.write('namegate.yaml', text(`default: { servers: ["${two.url}"] }`));
  await becomes('a.test.example', '2', 'another server');
  server.write(
    'namegate.yaml',
    text(
      `default: { servers: ["${two.url}"] }, inner: { servers: ["${three.url}"], zones: [b.test.example] }`,
    ),
  );
  await becomes('b.test.example', '3', 'a group more');
  t.equal(await last('a.test.example'), '2');
  server.write(
    'namegate.yaml',
    text(
      `inner: { servers: ["${one.url}"], zones: [b.test.example] }, default: { servers: ["${three.url}"] }`,
    ),
  );
  await becomes('b.test.example', '1', 'in another order');
  t.equal(await last('a.test.example'), '3');
  server.write('namegate.yaml', text(`default: { servers: ["${two.url}"] }`));
  await becomes('b.test.example', '2', 'a group less');
  await server.stop(t);
});

t.test('NAMEGATE_UPSTREAM stays in force', async (t) => {
  const mine = await upstream(t);
  const written = await upstream(t);
  const policy = policyOf('local.example').replace(
    '    allow:',
    '    allow:\n      - { name: "*.test.example", reason: test }',
  );
  const server = await namegate(t, {
    policy,
    servers: `["${written.url}"]`,
    env: { NAMEGATE_UPSTREAM: mine.url },
  });
  t.equal((await ask(server, 'a.test.example')).rcode, 'NOERROR');
  server.write('policy/test.yaml', policy.replace('local.example', 'changed.example'));
  await server.logged('policy-loaded');
  server.write(
    'namegate.yaml',
    `listen: ["udp://127.0.0.1:0"]\nupstreams: { default: { servers: system } }\npolicy: policy/\nmetrics: http://127.0.0.1:0\n`,
  );
  await server.logged('policy-loaded', 2);
  t.equal((await ask(server, 'b.test.example')).rcode, 'NOERROR');
  t.same([mine.asked, written.asked], [['a.test.example. A', 'b.test.example. A'], []]);
  await server.stop(t);
});

import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask } from './client.ts';
import { Namegate, namegate, pause, until } from './namegate.ts';
import { type Upstream, upstream } from './upstream.ts';

/** What an operator does to files while the server runs, and what comes of it. */

/** Milliseconds in which a change is in force. */
const IN_FORCE = 2000;

/** A policy that approves these names and has an address for each, so that nothing is asked upstream. */
function policyOf(...names: string[]): string {
  return `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
${names.map((name) => `      - { name: ${name}, reason: test }`).join('\n')}
records:
${names.map((name) => `  - { name: ${name}, type: A, data: 192.0.2.1 }`).join('\n')}
`;
}

async function resolves(server: Namegate, name: string): Promise<boolean> {
  const { rcode } = await ask(server, name);
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') throw new Error(`${name}: ${rcode}`);
  return rcode === 'NOERROR';
}

/** Waits until exactly these of the names resolve, and holds that to the time in which a change is in force. */
async function inForce(
  t: Test,
  server: Namegate,
  wanted: Readonly<Record<string, boolean>>,
  what: string,
): Promise<void> {
  const names = Object.keys(wanted);
  const took = await until(
    async () =>
      (await Promise.all(names.map((name) => resolves(server, name)))).every(
        (is, i) => is === wanted[names[i]!],
      ),
    () => `${what}: not in force:\n${server.stderr}`,
  );
  t.ok(took < IN_FORCE, `${what}: in force within ${IN_FORCE} ms`, { took });
}

/** Waits until /ready tells of a refused change; the names must resolve as before. */
async function refused(
  t: Test,
  server: Namegate,
  codes: readonly string[],
  stays: string,
  what: string,
): Promise<void> {
  const took = await until(
    async () => {
      t.equal(await resolves(server, stays), true, `${what}: the last good policy stays`);
      const { reload } = await server.ready();
      return (
        reload !== null && codes.every((code) => reload.problems.some((problem) => problem.code === code))
      );
    },
    () => `${what}: /ready does not tell:\n${server.stderr}`,
  );
  t.ok(took < IN_FORCE, `${what}: told within ${IN_FORCE} ms`, { took });
  t.match(
    await server.ready(),
    { status: 200, ready: true, reasons: [] },
    `${what}: clients are still served`,
  );
}

t.test('files', async (t) => {
  const server = await namegate(t, { policy: policyOf('start.example') });
  const file = 'policy/test.yaml';
  const test = (name: string, run: (t: Test) => Promise<void>): Promise<unknown> => t.test(name, run);

  await test('an edit in place', async (t) => {
    server.write(file, policyOf('edited.example'));
    await inForce(t, server, { 'edited.example': true, 'start.example': false }, 'edit');
  });

  await test('a new file renamed over the old one', async (t) => {
    server.replace(file, policyOf('renamed.example'));
    await inForce(t, server, { 'renamed.example': true, 'edited.example': false }, 'rename');
  });

  await test('a file of the same size and time of change', async (t) => {
    server.write(file, policyOf('same-sz.example'));
    server.write(file, policyOf('renamed.example'));
    await pause(400);
    server.write(file, policyOf('resized.example'));
    await inForce(
      t,
      server,
      { 'resized.example': true, 'renamed.example': false, 'same-sz.example': false },
      'edit',
    );
  });

  await test('a file more in the folder, and one less', async (t) => {
    server.write(
      'policy/more.yml',
      'destinations: { more: { owner: team, reason: more, names: [more.example] } }\n',
    );
    server.write(
      file,
      policyOf('both.example').replace('    allow:', '    allow:\n      - more') +
        '  - { name: more.example, type: A, data: 192.0.2.2 }\n',
    );
    await inForce(t, server, { 'both.example': true, 'more.example': true }, 'two files');
    server.write(file, policyOf('one.example'));
    rmSync(server.path('policy/more.yml'));
    await inForce(t, server, { 'one.example': true, 'more.example': false }, 'one file');
    t.equal((await server.ready()).reload, null);
  });

  await test('a list that a policy names', async (t) => {
    server.write('policy/lists/names.txt', 'listed.example\n');
    server.write(
      file,
      `${policyOf('lists.example').replace('    allow:', '    allow:\n      - listed')}
  - { name: listed.example, type: A, data: 192.0.2.2 }
  - { name: later.example, type: A, data: 192.0.2.2 }
destinations: { listed: { owner: team, reason: listed, names_from: [lists/names.txt] } }
`,
    );
    await inForce(t, server, { 'listed.example': true, 'later.example': false }, 'list');
    server.replace('policy/lists/names.txt', 'later.example\n');
    await inForce(t, server, { 'listed.example': false, 'later.example': true }, 'list changed');
    rmSync(server.path('policy/lists/names.txt'));
    await refused(t, server, ['file-missing'], 'later.example', 'list gone');
    server.write(file, policyOf('one.example'));
    await inForce(t, server, { 'one.example': true, 'later.example': false }, 'without a list');
  });

  await test('the file is deleted, and comes back', async (t) => {
    rmSync(server.path(file));
    await refused(t, server, ['policy-empty'], 'one.example', 'deleted');
    server.write(file, policyOf('one.example'));
    await until(async () => (await server.ready()).reload === null);
    t.ok(await resolves(server, 'one.example'), 'the same again');
  });

  await test('the folder is deleted, and comes back', async (t) => {
    rmSync(server.path('policy'), { recursive: true });
    await refused(t, server, ['file-missing'], 'one.example', 'deleted');
    server.write(file, policyOf('again.example'));
    await inForce(t, server, { 'again.example': true, 'one.example': false }, 'folder back');
    server.write(file, policyOf('watched.example'));
    await inForce(t, server, { 'watched.example': true, 'again.example': false }, 'and watched');
  });

  await test('the folder is replaced by another', async (t) => {
    mkdirSync(server.path('next'));
    writeFileSync(server.path('next/other.yaml'), policyOf('other.example'));
    renameSync(server.path('policy'), server.path('old'));
    renameSync(server.path('next'), server.path('policy'));
    await inForce(t, server, { 'other.example': true, 'watched.example': false }, 'folder replaced');
    rmSync(server.path('policy/other.yaml'));
    server.write(file, policyOf('watched.example'));
    await inForce(t, server, { 'watched.example': true, 'other.example': false }, 'and watched');
  });

  await test('a file half written, then completed', async (t) => {
    const whole = policyOf('first.example', 'complete.example');
    for (const size of [
      0,
      20,
      whole.indexOf('complete.example'),
      whole.indexOf('records:') + 30,
      whole.length - 2,
    ]) {
      server.write(file, whole.slice(0, size));
      await pause(120);
      // Half a policy may be a policy of its own; one that is refused changes nothing.
      if (!(await resolves(server, 'first.example'))) {
        t.ok(await resolves(server, 'watched.example'), `${size} octets`);
      }
    }
    server.write(file, whole);
    await inForce(t, server, { 'complete.example': true, 'watched.example': false }, 'completed');
    await until(async () => (await server.ready()).reload === null);
  });

  await test('a policy with mistakes, then without', async (t) => {
    const lines = server.log.length;
    server.write(
      file,
      `${policyOf('mistaken.example')}  - { name: x.example, type: A, data: nonsense }\nfoo: bar\n`,
    );
    await refused(t, server, ['key-unknown'], 'complete.example', 'mistaken');
    const { reload } = await server.ready();
    t.ok(reload!.count >= 2, 'every problem is told', { problems: reload!.problems });
    t.ok(
      reload!.problems.every(({ at }) => at.file.endsWith('policy/test.yaml') && at.line > 1),
      'with its place',
    );
    const failed = await server.logged('reload-failed', server.events('reload-failed').length);
    t.match(failed, { level: 'error', problems: reload!.count });
    await pause(1300);
    t.ok(server.log.length - lines < 10, 'told once, not at each look');
    server.write(file, policyOf('mended.example'));
    await inForce(t, server, { 'mended.example': true, 'complete.example': false }, 'mended');
    t.equal((await server.ready()).reload, null);
  });

  await test('not UTF-8, a folder where a file should be, 2 MB', async (t) => {
    writeFileSync(
      server.path(file),
      Buffer.concat([Buffer.from(policyOf('octets.example')), Buffer.from([0xff, 0xfe])]),
    );
    await refused(t, server, ['file-encoding'], 'mended.example', 'octets');
    rmSync(server.path(file));
    mkdirSync(server.path(file));
    await refused(t, server, ['file-kind'], 'mended.example', 'folder');
    rmSync(server.path(file), { recursive: true });
    server.write(file, policyOf(...Array.from({ length: 10_000 }, (_, i) => `n${i}.many.example`)));
    await until(async () => await resolves(server, 'n9999.many.example'));
    server.write(file, policyOf('mended.example'));
    await until(async () => await resolves(server, 'mended.example'));
  });

  await test('SIGHUP: now', async (t) => {
    const count = server.events('policy-loaded').length;
    server.write(file, policyOf('hup.example'));
    server.kill('SIGHUP');
    const line = await server.logged('policy-loaded', count + 1);
    t.equal(line['why'], 'SIGHUP');
    t.ok(await resolves(server, 'hup.example'));
    server.kill('SIGHUP');
    server.kill('SIGHUP');
    await pause(200);
    t.ok(await resolves(server, 'hup.example'), 'and again without a change');
  });

  await test('the server file itself', async (t) => {
    const before = await ask(server, 'hup.example');
    t.equal(before.answer[0]?.ttl, 300);
    const text = `listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
upstreams: { default: { servers: ["udp://127.0.0.1:9"] } }
policy: policy/
metrics: http://127.0.0.1:0
`;
    server.write('namegate.yaml', `${text}replies: { max_ttl: 7s }\n`);
    const took = await until(async () => (await ask(server, 'hup.example')).answer[0]?.ttl === 7);
    t.ok(took < IN_FORCE, 'replies.max_ttl', { took });
    server.write('namegate.yaml', `${text}replies: { max_ttl: 8s }\nnonsense: true\n`);
    await refused(t, server, ['key-unknown'], 'hup.example', 'server file');
    t.equal((await ask(server, 'hup.example')).answer[0]?.ttl, 7);
    server.write('namegate.yaml', `${text}policy: elsewhere/\n`.replace('policy: policy/\n', ''));
    await refused(t, server, ['file-missing'], 'hup.example', 'policy elsewhere');
    server.write('elsewhere/test.yaml', policyOf('elsewhere.example'));
    await inForce(t, server, { 'elsewhere.example': true, 'hup.example': false }, 'policy elsewhere');
    server.write('elsewhere/test.yaml', policyOf('and-followed.example'));
    await inForce(
      t,
      server,
      { 'and-followed.example': true, 'elsewhere.example': false },
      'and followed there',
    );
  });

  await server.stop(t);
});

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
  const soon = new Date(Math.ceil(Date.now() / 1000 + 1.2) * 1000).toISOString();
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

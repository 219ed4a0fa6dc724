import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { IN_FORCE, inForce, policyOf, refused, resolves } from './changes.ts';
import { ask } from './client.ts';
import { namegate, pause, until } from './namegate.ts';

/** What an operator does to files while the server runs, and what comes of it. */

// They wait more than they work.
t.jobs = 2;

t.test('files and folders', async (t) => {
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

  await server.stop(t);
});

t.test('contents', async (t) => {
  const server = await namegate(t, { policy: policyOf('watched.example') });
  const file = 'policy/test.yaml';
  const test = (name: string, run: (t: Test) => Promise<void>): Promise<unknown> => t.test(name, run);

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
    await pause(300);
    const lines = server.log.length;
    server.write(
      file,
      `${policyOf('mistaken.example')}  - { name: x.example, type: A, data: nonsense }\nfoo: bar\n`,
    );
    await refused(t, server, ['key-unknown'], 'complete.example', 'mistaken');
    const { reload } = await server.ready();
    // Lines of the log wait a moment to be written.
    await pause(300);
    t.ok(reload!.count >= 2, 'every problem is told', { problems: reload!.problems });
    t.ok(
      reload!.problems.every(({ at }) => at.file.endsWith('policy/test.yaml') && at.line > 1),
      'with its place',
    );
    const told = server.events('policy-problem').slice(-reload!.count);
    t.same(
      told.map(({ code, file, line, column }) => ({ code, at: { file, line, column } })),
      reload!.problems.map(({ code, at }) => ({ code, at })),
      'the log has them, a line each',
    );
    t.match(server.events('reload-failed').at(-1), { level: 'error', problems: reload!.count });
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
    // The file takes seconds of a processor to read, and its thread stands behind everybody else's.
    const late = (): string => `not in force: ${server.stderr.slice(-1000)}`;
    await until(async () => await resolves(server, 'n9999.many.example'), late, 60_000);
    server.write(file, policyOf('mended.example'));
    await until(async () => await resolves(server, 'mended.example'));
  });

  await test('SIGHUP: now', async (t) => {
    // Many signals in a row: some meet a load that runs.
    server.write(file, policyOf('hup.example'));
    for (let i = 0; i < 5; i++) server.kill('SIGHUP');
    // The watch may have read the change before them; then a signal finds nothing new, and says so.
    await until(
      () =>
        server.events('policy-loaded').some(({ why }) => why === 'SIGHUP') ||
        server.events('reload-unchanged').length > 0,
    );
    await until(async () => await resolves(server, 'hup.example'));
    t.ok(await resolves(server, 'hup.example'));
    server.kill('SIGHUP');
    server.kill('SIGHUP');
    await pause(200);
    t.ok(await resolves(server, 'hup.example'), 'and again without a change');
  });

  await test('the server file itself', async (t) => {
    const before = await ask(server, 'hup.example');
    t.equal(before.answer[0]?.ttl, 60);
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

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { ask } from './client.ts';
import { MAIN, type Namegate, namegate, until } from './namegate.ts';

/** `namegate alerts` beside a running server with a sink that takes events, and one that takes none. */

function verb(
  server: Namegate,
  ...args: string[]
): { readonly code: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'alerts', ...args, '--config', server.path('namegate.yaml')],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  );
  return { code: status, out: stdout, err: stderr };
}

t.test('status, test, replay and dead', async (t) => {
  const server = await namegate(t, {
    policy: 'identities: [{ name: one, owner: o, from: { addresses: [127.0.0.0/8] }, allow: [] }]',
    settings: `admin: unix:admin.sock
alerts:
  sinks:
    - { name: local, type: file, to: alerts.jsonl, format: json, kinds: [deny, heartbeat, finding] }
    - { name: gone, type: syslog, to: "tcp://127.0.0.1:9", format: json, kinds: [deny] }
`,
  });
  const events = (): { id: string; kind: string; seq: number; text?: string }[] =>
    existsSync(server.path('alerts.jsonl'))
      ? readFileSync(server.path('alerts.jsonl'), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
      : [];
  const denials = () => events().filter(({ kind, seq }) => kind === 'deny' && seq > 0);
  await ask(server, 'denied.example');
  await until(
    () => denials().length > 0,
    () => 'the denial did not arrive',
  );

  await t.test('status', async (t) => {
    const { code, out } = verb(server, 'status');
    t.equal(code, 0);
    t.match(out, /^local +ok +/m);
    t.match(out, /^gone +waiting +/m);
    const { sinks } = JSON.parse(verb(server, '--json').out);
    t.match(sinks, [
      { name: 'local', status: 'ok', dead: 0 },
      { name: 'gone', status: 'waiting', depth: 1 },
    ]);
  });

  await t.test('test', async (t) => {
    const { code, out } = verb(server, 'test');
    t.equal(code, 1, 'one sink did not take it');
    t.match(out, /^local: took 9 events$/m);
    t.match(out, /^gone: took 0 of 9: .*ECONNREFUSED/m);
    t.equal(events().filter(({ seq, text }) => seq === 0 && text === 'a test of this sink').length, 9);
  });

  await t.test('replay', async (t) => {
    const [first] = denials();
    const { code, out } = verb(server, 'replay', '--sink', 'local', '--since', '2020-01-01T00:00:00Z');
    t.equal(code, 0);
    t.match(out, /^local: \d+ events? on the way$/m);
    await until(
      () => denials().filter(({ id }) => id === first?.id).length === 2,
      () => `not again: ${JSON.stringify(denials())}`,
    );
    t.match(verb(server, 'replay', '--sink', 'nobody', '--since', '2020-01-01T00:00:00Z'), {
      code: 1,
      err: /there is no such sink/,
    });
    for (const since of ['yesterday', '2026-02-30T00:00:00Z', '2026-11-28T24:00:00Z', '2026-11-28T00:00:00'])
      t.match(verb(server, 'replay', '--sink', 'local', '--since', since), {
        code: 2,
        err: new RegExp(`--since ${since}: write it as`),
      });
  });

  await t.test('dead', async (t) => {
    t.match(verb(server, 'dead'), { code: 0, out: /^local: 0 dead letters\ngone: 0 dead letters\n$/ });
    t.match(verb(server, 'dead', '--sink', 'local', '--retry'), { code: 0, out: 'local: took 0, 0 left\n' });
    t.match(verb(server, 'dead', '--sink', 'nobody'), { code: 1, err: /there is no such sink/ });
  });

  await server.stop(t);
});

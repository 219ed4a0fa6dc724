import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { policyOf } from '../hostile/policy.ts';
import { Client } from '../server/client.ts';
import { house, Namegate } from '../server/namegate.ts';
import { missingForRoot, run } from './process.ts';

/** Two whole servers and the hooks of a job, and one of the servers is killed while the job runs. */

const HOOKS = fileURLToPath(new URL('../../packaging/github-runner', import.meta.url));
/** Where the hooks of root keep their records. */
const RECORDS = `/var/tmp/namegate-runner-${process.getuid?.()}`;
const ADDRESS = '127.0.0.41';

async function server(t: Test): Promise<{ folder: string; server: Namegate }> {
  const folder = mkdtempSync(join(tmpdir(), 'ng-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const policy = policyOf({ name: 'job', from: ['127.0.0.2'], allow: ['good.example'] });
  house(t, { policy, settings: 'admin: unix:admin.sock' }, folder);
  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' };
  return { folder, server: await new Namegate(t, folder, { env }).started() };
}

t.test('a job of two servers of which one is down', { skip: missingForRoot('curl', 'bash') }, async (t) => {
  const aside = `${RECORDS}.aside`;
  if (existsSync(RECORDS)) renameSync(RECORDS, aside);
  t.teardown(() => {
    rmSync(RECORDS, { recursive: true, force: true });
    if (existsSync(aside)) renameSync(aside, RECORDS);
  });
  const one = await server(t);
  const two = await server(t);
  const summary = join(one.folder, 'summary.md');
  const hook = (name: string) => {
    rmSync(summary, { force: true });
    return run([join(HOOKS, name)], {
      environment: {
        PATH: process.env['PATH'],
        NAMEGATE_ADMIN: [one, two].map(({ folder }) => `unix:${join(folder, 'admin.sock')}`).join(' '),
        NAMEGATE_IDENTITY: 'job',
        NAMEGATE_ADDRESS: ADDRESS,
        NAMEGATE_PATIENCE: '5',
        GITHUB_RUN_ID: '7',
        GITHUB_STEP_SUMMARY: summary,
      },
    });
  };
  const asks = async (server: Namegate, name: string): Promise<void> => {
    const client = await Client.open(server, 'udp', ADDRESS);
    await client.ask(name);
    client.close();
  };
  const started = await hook('job-started.sh');
  t.equal(started.code, 0, started.stderr);
  await asks(one.server, 'first.evil.example');
  await asks(two.server, 'second.evil.example');
  two.server.kill('SIGKILL');
  await two.server.ended;

  const half = await hook('job-completed.sh');
  t.equal(half.code, 1);
  t.match(half.stdout, /^namegate: 1 name was refused; .*; complete: 1 of 2 servers$/m);
  t.match(half.stdout, /^::error title=namegate refused a name::first\.evil\.example/m);
  t.match(
    half.stdout,
    new RegExp(`^::warning title=namegate does not know::.*${two.folder}.* did not tell`, 'm'),
  );
  t.match(readFileSync(summary, 'utf8'), /complete: 1 of 2 servers/);

  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' };
  two.server = await new Namegate(t, two.folder, { env }).started();
  const whole = await hook('job-completed.sh');
  t.equal(whole.code, 1);
  t.match(
    whole.stdout,
    /^namegate: 2 names were refused; .*; complete: 2 of 2 servers$/m,
    'a kill loses nothing',
  );
  t.match(whole.stdout, /^::error title=namegate refused a name::second\.evil\.example/m);
  await one.server.stop(t);
  await two.server.stop(t);
});

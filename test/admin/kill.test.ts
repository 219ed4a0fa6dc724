import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { amount } from '../amount.ts';
import { MAIN } from '../cli/command.ts';
import { put } from '../config/harness.ts';
import { askAt, POLICY } from './house.ts';

/** A server as people run it: killed in the middle of its work, and started again. */

const SERVER = `listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]
upstreams: { default: { servers: [udp://127.0.0.1:2] } }
policy: policy.yaml
admin: unix:state/admin.sock
`;

async function serve(t: Test, folder: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(
    'env',
    [
      '-i',
      `PATH=${process.env['PATH']}`,
      process.execPath,
      MAIN,
      'serve',
      '--config',
      join(folder, 'namegate.yaml'),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  await new Promise<void>((ready, fail) => {
    child.stderr!.on('data', (chunk) => {
      log += chunk;
      if (log.includes('"event":"ready"')) ready();
    });
    child.once('exit', () => fail(new Error(log)));
  });
  return { child, url: `unix:${join(folder, 'state', 'admin.sock')}` };
}

t.test(
  'kill -9 in the middle of a hundred leases: what was answered holds, and what was ended stays gone',
  async (t) => {
    const folder = t.testdir({});
    put(folder, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY });
    const opened = new Map<string, string>();
    const ended = new Set<string>();
    const uncertain = new Set<string>();
    for (let round = 0; round < amount(2, 3); round++) {
      const { child, url } = await serve(t, folder);
      const before = (await askAt(url, 'GET', '/v1/leases?limit=1000')).body['leases'] as {
        id: string;
        stage: string;
      }[];
      const there = new Map(before.map(({ id, stage }) => [id, stage]));
      for (const [id, stage] of opened) {
        if (!uncertain.has(id)) t.equal(there.get(id), stage, `${id} in round ${round}`);
      }
      for (const id of ended) t.notOk(there.has(id), `${id} stays gone`);
      const work = Array.from({ length: 100 }, async (_, i) => {
        const reply = await askAt(url, 'POST', '/v1/leases', {
          identity: 'build',
          address: `10.9.${round}.${i}`,
          ttl: 3000,
        });
        if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
        const id = reply.body['id'] as string;
        opened.set(id, 'fetch');
        if (i % 3 === 0) {
          uncertain.add(id);
          const gone = await askAt(url, 'DELETE', `/v1/leases/${id}`);
          if (gone.status !== 200) return;
          opened.delete(id);
          ended.add(id);
        } else if (i % 3 === 1) {
          uncertain.add(id);
          const moved = await askAt(url, 'PATCH', `/v1/leases/${id}`, { stage: 'compile' });
          if (moved.status === 200) opened.set(id, 'compile');
        }
        uncertain.delete(id);
      });
      const settled = Promise.allSettled(work);
      const wanted = opened.size + 25 + round * 10;
      while (opened.size < wanted && uncertain.size < 100) await new Promise((done) => setTimeout(done, 1));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const results = await settled;
      t.ok(
        results.some(({ status }) => status === 'rejected'),
        'it was in the middle',
      );
    }
    const { child, url } = await serve(t, folder);
    const { body } = await askAt(url, 'GET', '/v1/leases?limit=1000');
    const there = new Set((body['leases'] as { id: string }[]).map(({ id }) => id));
    for (const id of opened.keys()) if (!uncertain.has(id)) t.ok(there.has(id));
    for (const id of ended) t.notOk(there.has(id));
    t.ok(there.size > 30);
    t.equal((await askAt(url, 'POST', '/v1/leases', { identity: 'build', address: '10.8.0.1' })).status, 201);
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null]);
    t.match(readFileSync(join(folder, 'state', 'leases.journal'), 'latin1'), /10\.8\.0\.1/);
  },
);

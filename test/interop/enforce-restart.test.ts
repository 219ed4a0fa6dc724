import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { address, api, CLIENTS, DNS, enforce, JOB, type Lab, lab, main, serve } from './enforce-lab.ts';
import { missingForRoot, SLOW, start, until } from './process.ts';

/** Rounds of kills while a resolver tells what is granted. `NAMEGATE_KILLS=100` is the long run. */
const ROUNDS = Number(process.env['NAMEGATE_KILLS'] ?? 4);

/** A resolver that starts anew under another policy knows nothing of what was granted, and takes away what is approved no longer. */
t.test(
  'no grant outlives its rule over a restart, and none that is approved is cut',
  { skip: missingForRoot('ip', 'nft', 'sysctl', 'setpriv') },
  async (t) => {
    const outer = t;
    const here = await lab(t);
    const { job, folder, host } = here;
    const file = join(folder, 'policy.yaml');
    const whole = readFileSync(file, 'utf8');
    const tcp = async (host: string, port = 443, from = JOB) =>
      (await job.do({ deed: 'tcp', host, port, from })).result;
    const ask = async (name: string, from = JOB) =>
      (await job.do({ deed: 'dns', name, type: 'A', server: DNS, from })).result;
    const name = (i: number): string => `n${i}.lab.example`;
    /** Of each name, and of one that it shares an address with. */
    const all = async (from = JOB): Promise<void> => {
      for (let i = 0; i < 8; i++) t.equal(await ask(name(i), from), 'ok');
    };
    /** The family of names begins with this number. */
    const from = (least: number): void => writeFileSync(file, whole.replace('n{0..', `n{${least}..`));
    const kill = async (side: 'enforcer' | 'server'): Promise<void> => {
      here[side].kill('SIGKILL');
      await until(() => here[side].ended(), here[side].log);
    };
    const command = [process.execPath, main, 'serve', '--config', join(folder, 'namegate.yaml')];
    const back = async (side: 'enforcer' | 'server'): Promise<void> => {
      here[side] = await (side === 'enforcer' ? enforce(outer, folder, host) : serve(outer, folder, host));
    };

    await t.test('another policy, the resolver alone', async (t) => {
      await all();
      t.equal(await ask('ports.lab.example'), 'ok');
      await kill('server');
      t.equal(await tcp(address(0)), 'ok', 'while nobody resolves, grants last');
      // Its ports are others.
      writeFileSync(file, whole.replace('n{0..', 'n{2..').replace('[tcp/80, udp/443, ', '[udp/443, '));
      const stop = connecting(here, [2, 3, 7]);
      await back('server');
      await gone(() => tcp(address(0)));
      t.equal(await tcp(address(1)), 'ECONNREFUSED', 'its rule is gone');
      t.equal(await tcp('198.51.100.1', 80), 'ECONNREFUSED', 'a port that the rule names no longer');
      t.equal(await tcp('198.51.100.1', 8001), 'ok', 'one that it still names');
      t.same(await stop(), [], 'what is still approved was never refused');
      const held = (await api(folder, 'GET', '/v1/grants')) as unknown as { grants: { name: string }[] };
      t.same(
        [...new Set(held.grants.map((grant) => grant.name))].sort(),
        [2, 3, 4, 5, 6, 7].map(name).concat('ports.lab.example'),
        'and the resolver knows what is granted',
      );
    });

    await t.test('both, and the enforcer first', async (t) => {
      from(0);
      here.server.kill('SIGHUP');
      await until(async () => (await ask(name(0))) === 'ok', here.server.log, 20_000);
      await all();
      await kill('enforcer');
      await kill('server');
      from(3);
      const stop = connecting(here, [3, 7]);
      await back('enforcer');
      t.equal(await tcp(address(2)), 'ok', 'nobody has said that it is over');
      await back('server');
      await gone(() => tcp(address(2)));
      t.same(await stop(), []);
    });

    await t.test('a lease and its stage', async (t) => {
      from(0);
      here.server.kill('SIGHUP');
      await until(async () => (await ask(name(0))) === 'ok', here.server.log, 20_000);
      const client = CLIENTS[0]!;
      const lease = { identity: 'job', addresses: [client], ttl: 600 };
      const { id } = await api(folder, 'POST', '/v1/leases', lease);
      await all(client);
      await all(CLIENTS[1]);
      await kill('server');
      from(4);
      const stop = connecting(here, [4, 7], client);
      await back('server');
      await gone(() => tcp(address(3), 443, client));
      t.same(await stop(), [], 'of the lease');
      await api(folder, 'DELETE', `/v1/leases/${id}`);
      t.equal(await tcp(address(4), 443, client), 'ECONNREFUSED', 'its end ends what was taken over');
      t.equal(await tcp(address(4), 443, CLIENTS[1]), 'ok', 'of another client it does not');
    });

    await t.test('without a journal nothing is known, and nothing stays', async (t) => {
      t.equal(await ask(name(5)), 'ok');
      await kill('server');
      await kill('enforcer');
      rmSync(join(folder, 'enforce.sock.grants'));
      await back('enforcer');
      await back('server');
      await gone(() => tcp(address(5)));
      t.equal(await ask(name(5)), 'ok');
      t.equal(await tcp(address(5)), 'ok', 'an answer opens it again');
    });

    await t.test(`killed ${ROUNDS} times in the middle`, async (t) => {
      const odd: string[] = [];
      for (let i = 4; i < 8; i++) t.equal(await ask(name(i)), 'ok');
      for (let round = 0; round < ROUNDS; round++) {
        const least = round % 2 === 0 ? 0 : 4;
        from(least);
        await kill('server');
        if (round % 3 > 0) await kill('enforcer');
        const stop = connecting(here, [5, 6], JOB);
        if (round % 3 > 0) await back('enforcer');
        // Somewhere between its start and the end of what it tells.
        const half = start(outer, command, { namespace: host });
        await after(200 + ((round * 37) % 300) * SLOW);
        half.kill('SIGKILL');
        if (round % 4 === 3) {
          await kill('enforcer');
          await back('enforcer');
        }
        await until(() => half.ended(), half.log);
        await back('server');
        if (least > 0) await gone(() => tcp(address(0)));
        odd.push(...(await stop()));
        for (let i = 4; i < 8; i++) if ((await ask(name(i))) !== 'ok') odd.push(`no ${i}`);
        if (least === 0) for (let i = 0; i < 4; i++) if ((await ask(name(i))) !== 'ok') odd.push(`no ${i}`);
      }
      t.same(odd, []);
    });

    async function gone(dial: () => Promise<string>): Promise<void> {
      await until(async () => (await dial()) === 'ECONNREFUSED', here.server.log, 5_000);
    }
  },
);

/** Connects to each all the time. The end of it returns what failed. */
function connecting({ job }: Lab, numbers: readonly number[], from = JOB): () => Promise<string[]> {
  const failed: string[] = [];
  let isOver = false;
  const each = numbers.map(async (i) => {
    while (!isOver) {
      const { result } = await job.do({ deed: 'tcp', host: address(i), port: 443, from });
      if (result !== 'ok') failed.push(`${i}: ${result}`);
      await after(10);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(each);
    return failed;
  };
}

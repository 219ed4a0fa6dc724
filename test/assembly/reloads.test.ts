import { writeFileSync } from 'node:fs';
import t from 'tap';
import { Reloads } from '../../src/assembly/reloads.ts';
import { load } from '../../src/config/load.ts';
import type { Log } from '../../src/report/log.ts';

t.test('a load that meets a bug is not in force, and the same files are tried again', async (t) => {
  const dir = t.testdir({
    'namegate.yaml': 'listen: [udp://127.0.0.1:5300]\npolicy: policy.yaml\n',
    'policy.yaml': 'identities: []\n',
  });
  const serverFile = `${dir}/namegate.yaml`;
  const options = { env: {}, now: 0, salt: 1 };
  const logged: Record<string, unknown>[] = [];
  const tell = (event: string, msg: string, fields = {}): void => void logged.push({ event, msg, ...fields });
  const retries: { ms: number; then: () => void }[] = [];
  let broken = true;
  let taken = 0;
  const reloads = new Reloads(
    {
      serverFile,
      loadOptions: () => options,
      log: { info: tell, warn: tell, error: tell } as unknown as Log,
      take: () => {
        taken++;
        if (broken) throw new Error('a bug');
        return true;
      },
      retry: (ms, then) => void retries.push({ ms, then }),
      listen: () => [],
      takeTrust: () => ({ inForce: true, problems: [] }),
    },
    load(serverFile, options),
  );
  t.teardown(() => reloads.close());
  writeFileSync(`${dir}/policy.yaml`, 'identities: [] # another\n');
  t.same((await reloads.outcome('a test')).inForce, false);
  t.equal(taken, 1);
  t.match(logged, [{ event: 'fault', why: 'a test', retry_s: 1, msg: /all of what was in force stays/ }]);
  retries[0]!.then();
  t.same((await reloads.outcome('a test')).inForce, false, 'the same files: the next look takes them again');
  t.ok(taken >= 2, `taken ${taken} times`);
  t.same(retries.map(({ ms }) => ms).slice(0, 2), [1000, 2000], 'less and less often');
  broken = false;
  t.same((await reloads.outcome('a test')).inForce, true);
  const before = taken;
  await reloads.outcome('a test');
  t.equal(taken, before, 'and then there is nothing to do');
});

t.test('a signal leaves its line, whatever else asks while a load runs', async (t) => {
  for (const [orderName, asked] of Object.entries({
    'a file event behind it': ['SIGHUP', 'a file changed'],
    'a file event before it': ['a file changed', 'SIGHUP'],
    'file events around it': ['a file changed', 'SIGHUP', 'a file changed'],
  })) {
    const dir = t.testdir({
      'namegate.yaml': 'listen: [udp://127.0.0.1:5300]\npolicy: policy.yaml\n',
      'policy.yaml': 'identities: []\n',
    });
    const serverFile = `${dir}/namegate.yaml`;
    const options = { env: {}, now: 0, salt: 1 };
    const logged: string[] = [];
    const tell = (event: string): void => void logged.push(event);
    const reloads = new Reloads(
      {
        serverFile,
        loadOptions: () => options,
        log: { info: tell, warn: tell, error: tell } as unknown as Log,
        take: (_, why) => {
          logged.push(`taken: ${why}`);
          return true;
        },
        retry: () => undefined,
        listen: () => [],
        takeTrust: () => ({ inForce: true, problems: [] }),
      },
      load(serverFile, options),
    );
    writeFileSync(`${dir}/policy.yaml`, 'identities: [] # another\n');
    const first = reloads.outcome('a file changed');
    for (const why of asked) reloads.ask(why);
    await first;
    await reloads.outcome('a test');
    t.same(logged, ['taken: a file changed', 'reload-unchanged'], orderName);
    await reloads.close();
  }
});

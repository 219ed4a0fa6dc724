import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAt, POLICY, type Reply } from '../admin/house.ts';
import { house, Namegate } from '../server/namegate.ts';
import { missingForRoot, must } from './process.ts';

t.test(
  'a state folder that is full: what was answered holds, and what has ended does not come back',
  { skip: missingForRoot('mount', 'umount') },
  async (t) => {
    const folder = t.testdir({});
    const state = join(folder, 'state');
    mkdirSync(state);
    await must(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'none', state]);
    try {
      house(t, { policy: POLICY, settings: 'admin: unix:admin.sock' }, folder);
      const url = `unix:${join(folder, 'admin.sock')}`;
      const open = (address: string): Promise<Reply> =>
        askAt(url, 'POST', '/v1/leases', { identity: 'build', address, ttl: 3000 });
      const list = async (): Promise<Map<string, string>> => {
        const { body } = await askAt(url, 'GET', '/v1/leases?limit=1000');
        const leases = body['leases'] as { readonly id: string; readonly addresses: readonly string[] }[];
        return new Map(leases.map(({ id, addresses }) => [id, addresses[0] ?? '']));
      };
      let server = await new Namegate(t, folder).started();
      const killAndStart = async (): Promise<void> => {
        server.kill('SIGKILL');
        await server.ended;
        server = await new Namegate(t, folder).started();
      };

      const first = (await open('10.9.0.1')).body['id'] as string;
      const filler = join(state, 'filler');
      t.throws(() => writeFileSync(filler, Buffer.alloc(64 * 2 ** 20)), { code: 'ENOSPC' });
      const opened: string[] = [];
      let full = await open('10.9.1.1');
      for (let i = 2; full.status === 201 && i < 200; i++) {
        opened.push(full.body['id'] as string);
        full = await open(`10.9.1.${i}`);
      }
      t.match(full, { status: 507, body: { detail: /ENOSPC/ } });
      // The record of an end is smaller than that of an opening: a few may still have room.
      const held = await list();
      const gone: string[] = [];
      let ended = 200;
      for (const id of [first, ...opened]) {
        if (ended !== 200) break;
        gone.push(id);
        ended = (await askAt(url, 'DELETE', `/v1/leases/${id}`)).status;
      }
      t.equal(ended, 507);
      const last = gone.at(-1)!;
      const address = held.get(last)!;
      t.notOk((await list()).has(last), 'an end is in force all the same');
      t.equal((await open(address)).status, 507, 'nothing is taken while that cannot be written');

      rmSync(filler);
      const second = await open(address);
      t.equal(second.status, 201);
      await killAndStart();
      const there = await list();
      for (const id of gone) t.notOk(there.has(id), 'what has ended stays gone');
      t.equal(there.get(second.body['id'] as string), address, 'who came after it is there');
      const stays = opened.filter((id) => !gone.includes(id));
      for (const id of stays) t.ok(there.has(id));

      t.equal((await askAt(url, 'DELETE', `/v1/leases/${second.body['id']}`)).status, 200);
      t.throws(() => writeFileSync(filler, Buffer.alloc(64 * 2 ** 20)), { code: 'ENOSPC' });
      await killAndStart();
      t.same(
        [...(await list()).keys()].sort(),
        stays.sort(),
        'it starts on a full disk with all that it had',
      );
      rmSync(filler);
      await server.stop(t);
    } finally {
      // A folder that is mounted cannot be removed.
      await must(['umount', '-l', state]);
    }
  },
);

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAt } from '../admin/house.ts';
import { Client } from '../server/client.ts';
import { house, Namegate, until } from '../server/namegate.ts';
import { policyOf } from './policy.ts';

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const MIB = 2 ** 20;
/** More than the history has rows of its own for, of one lease. */
const NAMES = 5_000;

t.test(
  'a full disk costs an account nothing: it is whole once there is room, and a report says so until then',
  { skip: isRoot ? false : 'needs root' },
  async (t) => {
    const text = policyOf({ name: 'job', from: ['127.0.0.2'], allow: ['good.example'] });
    const folder = house(t, { policy: text, settings: 'admin: unix:admin.sock' });
    const state = join(folder, 'state');
    mkdirSync(state, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'tmpfs', state]);
    let isMounted = true;
    const unmount = (): void => {
      if (isMounted) execFileSync('umount', ['-l', state]);
      isMounted = false;
    };
    process.once('exit', unmount);
    const server = await new Namegate(t, folder, {
      env: { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' },
    }).started();
    const url = `unix:${join(folder, 'admin.sock')}`;
    const lease = async (address: string): Promise<string> => {
      const { body } = await askAt(url, 'POST', '/v1/leases', {
        identity: 'job',
        addresses: [address],
        ttl: 600,
      });
      return body['id'] as string;
    };
    const report = (id: string) => askAt(url, 'GET', `/v1/leases/${id}/report`);
    const asks = async (address: string, names: number): Promise<void> => {
      const client = await Client.open(server, 'udp', address);
      for (let i = 0; i < names; i++) await client.ask(`n${i}.d${i % 7}.evil${i % 5}.example`);
      client.close();
    };
    const isWhole = async (id: string, questions: number): Promise<void> => {
      const { status, body } = await report(id);
      const { complete, totals } = body as {
        complete: boolean;
        totals: Record<string, { questions: number }>;
      };
      t.same(
        [status, complete, totals?.['unapproved']?.questions],
        [200, true, questions],
        JSON.stringify(body).slice(0, 200),
      );
    };

    const before = await lease('127.0.0.11');
    const during = await lease('127.0.0.12');
    const between = await lease('127.0.0.13');
    await asks('127.0.0.11', 3);
    await askAt(url, 'DELETE', `/v1/leases/${before}`);
    await isWhole(before, 3);
    const { bavail, bsize } = statfsSync(state);
    const filler = join(state, 'filler');
    t.throws(() => writeFileSync(filler, Buffer.alloc(bavail * bsize + MIB)), { code: 'ENOSPC' });
    await asks('127.0.0.12', NAMES);
    await asks('127.0.0.13', 1);
    const { status, body } = await report(during);
    t.equal(status, 503, 'a job cannot know, and no report says that nothing was refused');
    t.match(body['detail'], /not all that was asked is written down yet, for .*(full|I\/O).*: try again/);
    rmSync(filler);
    await until(
      async () => (await report(during)).status === 200,
      () => server.stderr,
      20_000,
    );
    await isWhole(during, NAMES);
    await isWhole(between, 1);
    await isWhole(before, 3);
    await server.stop(t);
    unmount();
  },
);

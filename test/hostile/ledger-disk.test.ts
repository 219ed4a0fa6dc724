import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Client, queryOctets } from '../server/client.ts';
import { house, Namegate, until } from '../server/namegate.ts';
import { plain, upstream } from '../server/upstream.ts';

/** The ledger on a state folder that is full: questions go on leaving, and people are told. */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test }]
`;
const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a tmpfs';

t.test(
  'a full disk holds no question back, /ready says why, and the finding ends with it',
  { skip },
  async (t) => {
    const up = await upstream(t, plain);
    const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' });
    const state = join(folder, 'state');
    mkdirSync(state, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', state]);
    t.teardown(() => execFileSync('umount', ['-l', state]));
    let server = await new Namegate(t, folder).started();
    const client = await Client.open(server, 'udp');
    const rcodes = async (by: Client, tag: string, count: number): Promise<number[]> => {
      const got: number[] = [];
      for (let i = 0; i < count; i++) {
        const reply = await by.exchange(queryOctets(`${tag}${'x'.repeat(20)}${i}.t.example`), 10_000);
        got.push(reply === null ? -1 : reply.readUInt16BE(2) & 0xf);
      }
      return got;
    };
    t.strictSame(await rcodes(client, 'a', 3), [0, 0, 0]);
    t.throws(() => writeFileSync(join(state, 'fill'), Buffer.alloc(128 * 1024)), { code: 'ENOSPC' });
    // Each some 140 bits: several reservations are drawn.
    t.strictSame(new Set(await rcodes(client, 'b', 30)), new Set([0]), 'resolving goes on');
    const codes = async () => (await server.ready()).reasons.map(({ code }) => code);
    await until(async () => (await codes()).includes('ledger-not-written'));
    const findings = () => server.events('finding').filter(({ finding }) => finding === 'ledger-not-written');
    t.match(findings(), [{ code: 'ENOSPC' }]);
    rmSync(join(state, 'fill'));
    await until(async () => !(await codes()).includes('ledger-not-written'), undefined, 20_000);
    // The log is read a moment later than /ready.
    await until(() => findings().at(-1)?.['ended'] === true);
    client.close();
    // What was charged meanwhile is on disk now.
    server.kill('SIGKILL');
    await server.ended;
    server = await new Namegate(t, folder).started();
    const again = await Client.open(server, 'udp');
    const after = await rcodes(again, 'c', 60);
    again.close();
    const left = after.filter((code) => code === 0).length;
    t.ok(left < 30, `${left} more left after the crash: what was charged on the full disk counts`);
    await server.stop(t);
  },
);

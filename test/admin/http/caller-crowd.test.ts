/** A crowd of silent connections keeps nobody out. */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { socketAddress } from '../../../src/admin/http/unix-socket.ts';
import type { AdminSetting } from '../../../src/settings/settings.ts';
import { house } from '../house.ts';

const TOKEN = {
  name: 'boss',
  sha256: createHash('sha256').update('secret').digest('hex'),
  rights: ['administer'] as const,
  identities: 'all' as const,
  addresses: [],
  certificates: [],
  until: 0xffff_ffff,
};
const CROWD = 600;

/** What a silent client has sent. */
const SILENCES: Readonly<Record<string, string>> = {
  nothing: '',
  'half a header': 'POST /v1/leases HTTP/1.1\r\nHost: local',
  'a header without its body':
    'POST /v1/leases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\nAuthorization: Bearer secret\r\n\r\n{',
};

for (const kind of ['http', 'unix'] as const) {
  for (const [what, sent] of Object.entries(SILENCES)) {
    t.test(`${kind}: a good request is served beside ${CROWD} that sent ${what}`, async (t) => {
      const folder = t.testdir({});
      const path = join(folder, 'state', 'admin.sock');
      const setting: AdminSetting =
        kind === 'unix' ? { kind, path } : { kind, host: '127.0.0.1', port: 0, tokens: [TOKEN], oidc: [] };
      const made = await house(t, { folder, setting });
      const address = kind === 'unix' ? socketAddress(path) : null;
      const where =
        address === null
          ? { host: '127.0.0.1', port: Number(new URL(made.admin.urls[0]!).port) }
          : { path: address.path };
      const open = new Set<Socket>();
      let over = false;
      const one = (): void => {
        const socket = connect(where, () => sent !== '' && socket.write(sent));
        open.add(socket);
        socket.on('error', () => {});
        socket.on('data', () => {});
        socket.once('close', () => {
          open.delete(socket);
          // Renewed as soon as it is ended.
          if (!over) setTimeout(() => !over && one(), 20);
        });
      };
      for (let i = 0; i < CROWD; i++) one();
      t.teardown(() => {
        over = true;
        for (const socket of open) socket.destroy();
        address?.release();
      });
      for (let i = 0; i < 100 && made.log.count('admin-trouble') === 0; i++)
        await new Promise((done) => setTimeout(done, 50));
      const headers = kind === 'http' ? { authorization: 'Bearer secret' } : {};
      let good = 0;
      for (let i = 0; i < 50; i++) {
        const body = { identity: 'build', address: `10.9.1.${i}` };
        const reply = await made.ask('POST', '/v1/leases', body, headers).catch(() => null);
        if (reply?.status === 201) good++;
      }
      t.equal(good, 50);
      t.equal(made.log.count('admin-trouble'), 1, 'once a minute');
    });
  }
}

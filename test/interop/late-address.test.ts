import t from 'tap';
import { policyOf } from '../server/changes.ts';
import { house, Namegate, until } from '../server/namegate.ts';
import { missingForRoot, must, run } from './process.ts';

/** A bridge that comes up after the server, as docker0 does: in a network namespace of its own. */

const LATE = '10.99.7.1';
const LATE6 = '2001:db8:99::1';

t.test(
  'an address that comes late',
  { skip: missingForRoot('unshare', 'nsenter', 'ip', 'dig') },
  async (t) => {
    const listen = [`udp://${LATE}:5300`, `tcp://${LATE}:5300`, `udp://[${LATE6}]:5300`];
    // The status stands on loopback of that namespace, too.
    const folder = house(t, {
      policy: policyOf('local.example').replace('127.0.0.1', '"0.0.0.0/0", "::/0"'),
      listen,
    });
    const server = new Namegate(t, folder, {
      under: ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'],
    });
    await server.logged('ready');
    t.same(server.events('listening'), [], 'it waits, and has not ended');
    const inside = ['nsenter', '--target', String(server.child.pid), '--net'];
    const asked = async (at: string, ...more: string[]): Promise<string> =>
      (
        await run([
          ...inside,
          'dig',
          `@${at}`,
          '-p',
          '5300',
          '+short',
          '+tries=1',
          '+time=2',
          'local.example',
          ...more,
        ])
      ).stdout.trim();
    await must([...inside, 'ip', 'addr', 'add', `${LATE}/32`, 'dev', 'lo']);
    await server.logged('listening', 2);
    t.equal(await asked(LATE), '192.0.2.1');
    t.equal(await asked(LATE, '+tcp'), '192.0.2.1');
    await must([...inside, 'ip', 'addr', 'add', `${LATE6}/128`, 'dev', 'lo']);
    await server.logged('listening', 3);
    await until(async () => (await asked(LATE6)) === '192.0.2.1');
    t.equal(server.events('listener-waits').length, 3, 'told once for each');
    await server.stop(t);
  },
);

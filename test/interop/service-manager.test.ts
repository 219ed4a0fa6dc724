import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { policyOf } from '../server/changes.ts';
import { house, Namegate, until } from '../server/namegate.ts';
import { missing, type Peer, start } from './process.ts';

/** What a service manager is told: a receiver of sd_notify(3) datagrams stands in for systemd. */

const RECEIVER = `
import os, socket, sys
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + path[1:] if path[0] == '@' else path)
print('bound', flush=True)
while True:
    print(repr(s.recv(65536).decode()), flush=True)
`;

async function receiver(t: Test, path: string): Promise<Peer> {
  const peer = start(t, ['python3', '-c', RECEIVER, path]);
  await until(() => peer.log().includes('bound'));
  return peer;
}

const skip = missing('python3');

t.test('it says when it serves, reloads and ends', { skip }, async (t) => {
  const folder = house(t, { policy: policyOf('local.example') });
  // Socket paths have 107 octets at most.
  const short = mkdtempSync(join(tmpdir(), 'namegate-notify-'));
  t.teardown(() => rmSync(short, { recursive: true, force: true }));
  for (const path of [join(short, 'notify'), `@namegate-test-${process.pid}`]) {
    const peer = await receiver(t, path);
    const told = (): string[] => peer.log().split('\n').slice(1, -1);
    const server = new Namegate(t, folder, { env: { NOTIFY_SOCKET: path } });
    await server.started();
    await until(() => told().length === 1);
    t.match(told()[0], /^'READY=1\\nSTATUS=serves the policy of its files'$/);

    server.write('policy/test.yaml', policyOf('local.example', 'more.example'));
    server.kill('SIGHUP');
    await until(() => told().length === 3);
    t.match(told()[1], /^'RELOADING=1\\nMONOTONIC_USEC=\d{6,}\\nSTATUS=/);
    t.match(told()[2], /^'READY=1\\nSTATUS=serves the policy of its files'$/);

    server.write('policy/test.yaml', 'nonsense: [');
    server.kill('SIGHUP');
    await until(() => told().length === 5);
    t.match(told()[4], /^.READY=1\\nSTATUS=the last change is not in force, \d problems?: \S+test\.yaml:1: /);
    server.kill('SIGHUP');
    await server.logged('reload-unchanged');
    t.match(server.events('reload-unchanged')[0], { level: 'warn', msg: /still not in force/ });

    server.write('policy/test.yaml', policyOf('local.example'));
    server.kill('SIGHUP');
    await server.logged('policy-loaded', 2);
    server.kill('SIGHUP');
    await server.logged('reload-unchanged', 2);
    t.match(server.events('reload-unchanged')[1], { level: 'info', msg: /what is in force stays/ });
    await server.stop(t);
    await until(() => told().some((line) => line.includes('STOPPING=1')));
    await peer.stop();
  }
});

t.test('a socket that nobody reads, or that is none, holds nothing up', { skip }, async (t) => {
  const folder = house(t, { policy: policyOf('local.example') });
  for (const path of [join(folder, 'none'), 'relative', `/${'x'.repeat(200)}`, '@', '']) {
    const server = await new Namegate(t, folder, { env: { NOTIFY_SOCKET: path } }).started();
    server.kill('SIGHUP');
    await server.logged('reload-unchanged');
    await server.stop(t);
  }
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { house, Namegate, until } from '../server/namegate.ts';
import { namespace, resolvConf } from './netns.ts';
import { missingForRoot, must, start } from './process.ts';

/** Sinks and their network: a receiver's name that namegate itself is asked for, and a peer that is silently gone. */

const skip = missingForRoot('ip', 'nft', 'dig');
const POLICY = `identities:
  - { name: here, owner: team, review_by: 2099-01-01, from: { addresses: [127.0.0.0/8] }, allow: [] }
`;
const RECEIVER = `
const { appendFileSync, writeFileSync } = require('node:fs');
require('node:net').createServer((socket) => socket.on('error', () => {}).on('data', (data) => appendFileSync('received', data)))
  .listen(6514, '127.0.0.1', () => writeFileSync('received', ''));
`;

t.test('sinks within a network of their own', { skip }, async (t) => {
  const net = await namespace(t, 'feed');
  resolvConf(t, net, 'search corp.example\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  const settings = `alerts:
  sinks:
    - { name: named, type: otlp, to: "http://siem.example:4318" }
    - { name: syslog, type: syslog, to: "tcp://127.0.0.1:6514" }
    - { name: local, type: file, to: local.jsonl, kinds: [finding, deny, allow, empty] }
`;
  const listen = ['udp://127.0.0.1:53', 'tcp://127.0.0.1:53'];
  const folder = house(t, { policy: POLICY, settings, listen });
  const receiver = join(folder, 'receiver.cjs');
  writeFileSync(receiver, RECEIVER);
  start(t, [process.execPath, receiver], { namespace: net, cwd: folder });
  await until(() => existsSync(join(folder, 'received')));
  const under = ['ip', 'netns', 'exec', net];
  const server = await new Namegate(t, folder, { under }).started();
  const ask = (name: string) => must(['dig', '@127.0.0.1', '+tries=1', name], { namespace: net });
  const names = (file: string): string[] => {
    const text = existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '';
    return [...text.matchAll(/"name":"([^"]*)"/g)].map(([, name = '']) => name);
  };

  await ask('first.example');
  await until(() => names('received').includes('first.example'));
  const waits = (sink: string) => server.events('sink').filter((line) => line['sink'] === sink);
  await until(() => waits('named').length > 0);
  t.match(
    waits('named')[0],
    { reason: /ENOTFOUND|EAI_AGAIN/ },
    'the name goes to this very server, which denies it',
  );

  // From now on nothing that is sent to the receiver comes there, and nobody says so.
  for (const rule of [
    'add table inet cut',
    'add chain inet cut in { type filter hook input priority 0; }',
    'add rule inet cut in tcp dport 6514 drop',
  ])
    await must(['nft', rule], { namespace: net });
  await ask('second.example');
  await until(
    () => waits('syslog').length > 0,
    () => `it believes that it was taken: ${server.stderr}`,
    20_000,
  );
  t.match(waits('syslog')[0], { reason: /ETIMEDOUT/ });
  t.notOk(names('received').includes('second.example'));
  await must(['nft', 'delete table inet cut'], { namespace: net });
  await until(
    () => names('received').includes('second.example'),
    () => 'what nobody acknowledged is lost',
    20_000,
  );

  await ask('last.example');
  await until(() => names('local.jsonl').includes('last.example'));
  t.strictSame(
    [...new Set(names('local.jsonl'))].filter((name) => !/^(first|second|last)\.example$/.test(name)),
    [],
    'what this machine asked for a receiver is no event',
  );
  const fetching = `fetch('${server.status}/metrics').then((reply) => reply.text()).then(console.log)`;
  const metrics = await must([process.execPath, '-e', fetching], { namespace: net });
  const denied = Number(/^namegate_query_exits_total\{exit="deny"\} (\d+)$/m.exec(metrics)?.[1]);
  t.ok(denied >= 5, `${denied} were denied, those for the receiver among them`);
  await server.stop(t);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cable, namespace } from './netns.ts';
import { namegate } from './peers.ts';
import { missingForRoot, run, start } from './process.ts';

/**
 * A real tunnel, dns2tcp. Its code is one of upper and lower case, and namegate mixes the case of what it asks: so it carries nothing, even
 * where nothing bounds it. Its session begins with labels that hold `=`, which a wildcard does not stand for either.
 */

const skip = missingForRoot('dns2tcpc', 'dns2tcpd', 'ip', 'python3');

const SINK = `
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 9000)); s.listen(); s.settimeout(1)
got = 0; end = time.time() + float(sys.argv[1]); peer = None
while time.time() < end:
    try:
        if peer is None: peer = s.accept()[0]; peer.settimeout(1)
        octets = peer.recv(4096)
        got += len(octets)
        if not octets: break
    except TimeoutError: pass
print(got)
`;
const SOURCE = `
import os, socket, sys, time
end = time.time() + float(sys.argv[1]); s = None
while time.time() < end:
    try:
        if s is None: s = socket.create_connection(('127.0.0.1', 9001), 1); s.settimeout(1)
        s.sendall(os.urandom(500)); time.sleep(0.05)
    except OSError: s = None; time.sleep(0.2)
`;

/** Octets that came out of the tunnel's far end. `upstream`: null for no namegate between. */
async function tunnel(t: Test, allow: string, upstream: string | null, seconds: number): Promise<number> {
  const job = await namespace(t, 'job');
  const far = await namespace(t, 'far');
  await cable(
    { namespace: job, device: 'eth0', addresses: ['10.61.0.1/24'] },
    { namespace: far, device: 'eth0', addresses: ['10.61.0.2/24'] },
  );
  const folder = t.testdir({});
  if (upstream !== null)
    await namegate(t, {
      namespace: far,
      host: '127.0.0.1',
      port: 53,
      listen: [{ on: 'udp://10.61.0.2:53', spoofable: false }],
      policy: `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [10.61.0.1] }
    allow: [${allow}]
`,
      upstream,
      server: 'detect: {}',
    });
  const [at, port] = upstream === null ? ['10.61.0.2', 53] : ['127.0.0.1', 5353];
  const config = join(folder, 'dns2tcpd.conf');
  writeFileSync(
    config,
    `listen = ${at}\nport = ${port}\nuser = root\nchroot = ${folder}\ndomain = t.example\nresources = sink:127.0.0.1:9000\n`,
  );
  const sink = run(['python3', '-c', SINK, String(seconds + 2)], { namespace: far });
  start(t, ['dns2tcpd', '-F', '-f', config], { namespace: far });
  start(t, ['dns2tcpc', '-z', 't.example', '-r', 'sink', '-l', '9001', '10.61.0.2'], { namespace: job });
  await run(['python3', '-c', SOURCE, String(seconds)], { namespace: job });
  return Number((await sink).stdout);
}

const WILDCARD = '{ name: "**.t.example", reason: test, types: [TXT, KEY], budget: off }';

t.test('dns2tcp by itself carries octets', { skip }, async (t) => {
  const got = await tunnel(t, '', null, 10);
  t.ok(got >= 1_000, `${got} octets`);
});

t.test('through a wildcard without any bound it carries nothing', { skip }, async (t) => {
  t.equal(await tunnel(t, WILDCARD, '[udp://127.0.0.1:5353]', 8), 0);
});

t.test('nor does it where case is not mixed', { skip }, async (t) => {
  const got = await tunnel(
    t,
    WILDCARD.replace(', budget: off', ''),
    '[{ on: "udp://127.0.0.1:5353", mix_case: false }]',
    8,
  );
  t.ok(got <= 1024, `${got} octets`);
});

t.test('denied it carries nothing', { skip }, async (t) => {
  t.equal(await tunnel(t, '{ name: other.example, reason: test }', '[udp://127.0.0.1:5353]', 5), 0);
});

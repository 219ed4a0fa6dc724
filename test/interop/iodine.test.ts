import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listedFindings } from './findings.ts';
import { cable, namespace } from './netns.ts';
import { type Namegate, namegate } from './peers.ts';
import { missingForRoot, type Peer, run, start, until } from './process.ts';

/**
 * A real tunnel, iodine, through namegate: denied, under an approved wildcard with the usual budget, and with none. Random octets
 * are sent into the tunnel's end, and counted where they come out.
 */

const skip = missingForRoot('iodine', 'iodined', 'ip', 'python3');

const SINK = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 9000)); s.settimeout(1)
got = 0; end = time.time() + float(sys.argv[1])
while time.time() < end and got < 100_000:
    try: got += len(s.recv(4096))
    except TimeoutError: pass
print(got)
`;
const SOURCE = `
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); end = time.time() + float(sys.argv[1])
while time.time() < end:
    try: s.sendto(os.urandom(500), ('10.99.0.1', 9000))
    except OSError: break
    time.sleep(0.008)
`;

interface Tunnel {
  readonly server: Namegate;
  /** Sends into the tunnel's end for so many seconds. */
  send(seconds: number): Peer;
  /** Octets that come out of the far end within so many seconds; 100,000 are enough. */
  receive(seconds: number): Promise<number>;
}

function policyOf(allow: string): string {
  return `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [10.60.0.1] }
    allow: [${allow}]
`;
}

/** An iodine client that has had six seconds to begin. */
async function tunnel(t: Test, allow: string): Promise<Tunnel> {
  const job = await namespace(t, 'job');
  const far = await namespace(t, 'far');
  await cable(
    { namespace: job, device: 'eth0', addresses: ['10.60.0.1/24'] },
    { namespace: far, device: 'eth0', addresses: ['10.60.0.2/24'] },
  );
  const server = await namegate(t, {
    namespace: far,
    host: '127.0.0.1',
    port: 53,
    // iodine has no cookies.
    listen: [{ on: 'udp://10.60.0.2:53', spoofable: false }],
    policy: policyOf(allow),
    upstream: '[{ on: "udp://127.0.0.1:5353", mix_case: false }]',
    server: 'detect: {}\nalerts: {}\nadmin: unix:admin.sock',
  });
  const password = String(Math.random());
  start(
    t,
    ['iodined', '-f', '-c', '-P', password, '-l', '127.0.0.1', '-p', '5353', '10.99.0.1/24', 't.example'],
    {
      namespace: far,
    },
  );
  // Its other end says how it went; whether anything passes is seen at the sink.
  start(t, ['iodine', '-f', '-P', password, '-r', '10.60.0.2', 't.example'], { namespace: job });
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  return {
    server,
    send: (seconds) => start(t, ['python3', '-c', SOURCE, String(seconds)], { namespace: job }),
    receive: async (seconds) => {
      const command = ['python3', '-c', SINK, String(seconds)];
      return Number((await run(command, { namespace: far, patience: 1000 * (seconds + 10) })).stdout);
    },
  };
}

const WILDCARD = 'name: "**.t.example", reason: test, types: [A, AAAA, CNAME, MX, SRV, TXT, TYPE10]';
const NOTHING = '{ name: other.example, reason: test }';

t.test(
  'iodine carries what it likes where the policy says so, and nothing once it does not',
  { skip },
  async (t) => {
    const { server, send, receive } = await tunnel(t, `{ ${WILDCARD}, budget: { contain: off } }`);
    const source = send(40);
    const got = await receive(30);
    t.ok(got >= 100_000, `${got} octets`);
    writeFileSync(join(server.folder, 'policy', 'test.yaml'), policyOf(NOTHING));
    server.kill('SIGHUP');
    await until(() => server.log().includes('"policy-loaded"'), server.log);
    t.equal(await receive(4), 0);
    await source.stop();
    // It hears NXDOMAIN, and sends few names of many octets from then on.
    t.ok((await listedFindings(server.folder)).has('attempt low'));
  },
);

t.test('iodine under an approved wildcard: 1 KiB at most', { skip }, async (t) => {
  const { send, receive } = await tunnel(t, `{ ${WILDCARD} }`);
  send(8);
  const got = await receive(8);
  t.ok(got <= 1024, `${got} octets`);
});

t.test('iodine denied: nothing', { skip }, async (t) => {
  const { server, send, receive } = await tunnel(t, NOTHING);
  send(5);
  t.equal(await receive(5), 0);
  // It never gets as far as names of many octets: it asks which types there are.
  const listed = await listedFindings(server.folder);
  for (const finding of ['attempt low', 'odd-type low']) t.ok(listed.has(finding), [...listed].join(', '));
});

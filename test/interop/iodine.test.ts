import t, { type Test } from 'tap';
import { findingsOf } from './findings.ts';
import { cable, namespace } from './netns.ts';
import { namegate } from './peers.ts';
import { missingForRoot, run, start } from './process.ts';

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

/** Octets that came out of the tunnel's far end, and the findings that were told, as `KIND SEVERITY`. */
async function tunnel(
  t: Test,
  allow: string,
  seconds: number,
): Promise<{ readonly got: number; readonly findings: ReadonlySet<string> }> {
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
    policy: `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [10.60.0.1] }
    allow: [${allow}]
`,
    upstream: '[{ on: "udp://127.0.0.1:5353", mix_case: false }]',
    server: 'detect: {}\nalerts: {}',
  });
  const password = String(Math.random());
  await start(
    t,
    ['iodined', '-f', '-c', '-P', password, '-l', '127.0.0.1', '-p', '5353', '10.99.0.1/24', 't.example'],
    {
      namespace: far,
    },
  );
  // Its other end says how it went; whether anything passes is seen at the sink.
  start(t, ['iodine', '-f', '-P', password, '-r', '10.60.0.2', 't.example'], { namespace: job });
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const sink = run(['python3', '-c', SINK, String(seconds)], { namespace: far });
  await run(['python3', '-c', SOURCE, String(seconds)], { namespace: job });
  const got = Number((await sink).stdout);
  return { got, findings: findingsOf(server.folder) };
}

const WILDCARD = 'name: "**.t.example", reason: test, types: [A, AAAA, CNAME, MX, SRV, TXT, TYPE10]';

t.test('iodine carries what it likes where the policy says so', { skip }, async (t) => {
  const { got } = await tunnel(t, `{ ${WILDCARD}, budget: { contain: off } }`, 30);
  t.ok(got >= 100_000, `${got} octets`);
});

t.test('iodine under an approved wildcard: 1 KiB at most', { skip }, async (t) => {
  const { got } = await tunnel(t, `{ ${WILDCARD} }`, 8);
  t.ok(got <= 1024, `${got} octets`);
});

t.test('iodine denied: nothing', { skip }, async (t) => {
  const { got, findings } = await tunnel(t, '{ name: other.example, reason: test }', 5);
  t.equal(got, 0);
  t.ok(findings.has('attempt low'), [...findings].join(', '));
});

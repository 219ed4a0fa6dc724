import t from 'tap';
import { namespace, resolvConf } from './netns.ts';
import { dnsmasq, namegate, nsd, zones } from './peers.ts';
import { missingForRoot, run } from './process.ts';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: v6only.example, owner: team, reason: test }
      - { name: chain.example, owner: team, reason: test }
      - { name: mx1.example, owner: team, reason: test }
`;

/** What glibc's getaddrinfo makes of a name: its addresses, or the name of its error. */
const PROGRAM = `
import socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], 443, type=socket.SOCK_STREAM)
    print(' '.join(sorted({entry[4][0] for entry in found})))
except socket.gaierror as error:
    print(next(name for name in dir(socket) if name.startswith('EAI_') and getattr(socket, name) == error.errno))
`;

t.test(
  'a glibc program with two nameservers',
  { skip: missingForRoot('ip', 'nsd', 'dnsmasq', 'dig', 'python3') },
  async (t) => {
    const { example, signed } = await zones(t);
    const inside = await namespace(t, 'glibc');
    const authority = await nsd(t, [example, signed], { namespace: inside, host: '127.0.0.1', port: 1053 });
    const server = await namegate(t, {
      namespace: inside,
      host: '127.0.0.1',
      port: 53,
      policy: POLICY,
      upstream: '[udp://127.0.0.1:1053]',
    });
    // The second nameserver would answer anything, and tells what it was asked.
    const other = await dnsmasq(t, ['--address=/#/203.0.113.9'], {
      namespace: inside,
      host: '127.0.0.2',
      port: 53,
    });
    resolvConf(
      t,
      inside,
      'nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch ci.example corp.example\noptions ndots:5 timeout:2 attempts:1\n',
    );
    const resolve = async (name: string): Promise<string> => {
      const { stdout, stderr } = await run(['python3', '-c', PROGRAM, name], { namespace: inside });
      return (stdout + stderr).trim();
    };
    const askedOther = (name: string): boolean => other.log().includes(`] ${name} from`);

    await t.test('approved names resolve', async (t) => {
      t.equal(await resolve('www.example'), '192.0.2.10 192.0.2.11 2001:db8::10');
      t.equal(await resolve('v6only.example'), '2001:db8::20');
      t.equal(await resolve('chain.example'), '192.0.2.10 192.0.2.11 2001:db8::10');
    });

    await t.test('NXDOMAIN is final: the second nameserver is not asked', async (t) => {
      for (const name of ['secret.example', 'a.example', 'other.test']) {
        t.equal(await resolve(name), 'EAI_NONAME', name);
        t.notOk(askedOther(name), `${name} stayed here`);
      }
      t.notMatch(other.log(), /ci\.example|corp\.example/, 'nor with a search suffix');
    });

    await t.test('SERVFAIL is not: namegate belongs alone in a resolv.conf', async (t) => {
      await authority.stop();
      t.equal(await resolve('mx1.example.'), '203.0.113.9');
      t.ok(askedOther('mx1.example'));
    });

    await t.test('nor is silence, which shows that the second one would have answered', async (t) => {
      t.equal(await server.stop(), 0);
      t.equal(await resolve('secret.example.'), '203.0.113.9');
      t.ok(askedOther('secret.example'));
    });
  },
);

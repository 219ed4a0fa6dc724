import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { running } from '../clock.ts';
import { data, dig } from './dig.ts';
import { cable, namespace } from './netns.ts';
import { dnsmasq, namegate, nsd, zones } from './peers.ts';
import { missingForRoot, must, run, start, until } from './process.ts';

const snippet = fileURLToPath(new URL('../../packaging/nftables/namegate-clients.nft', import.meta.url));

/** The snippet's own example: jobs behind `job0`, namegate at 10.77.0.1 and fd00:77::1, jobs on the host as user 1001. */
const POLICY = `
identities:
  - name: job
    owner: platform
    review_by: 2099-01-01
    from: { addresses: [10.77.0.0/24, "fd00:77::/64"] }
    allow: [{ name: www.example, owner: platform, reason: test }]
`;

/** Listens on TCP at each address, for who wants to know whether a connection gets through. */
const LISTENERS = `
const at = [['192.0.2.53', 853], ['192.0.2.53', 443], ['8.8.8.8', 443], ['8.8.8.8', 853], ['2001:4860:4860::8888', 443]];
let open = 0;
for (const [host, port] of at) {
  require('node:net').createServer((socket) => socket.end('hello')).listen(port, host, () => {
    if (++open === at.length) console.log('listening');
  });
}
`;

t.test(
  'the nftables snippet',
  { skip: missingForRoot('ip', 'nft', 'dig', 'nsd', 'dnsmasq', 'setpriv', 'sysctl') },
  async (t) => {
    const job = await namespace(t, 'job');
    const host = await namespace(t, 'host');
    const outside = await namespace(t, 'out');
    await cable(
      { namespace: job, device: 'eth0', addresses: ['10.77.0.2/24', 'fd00:77::2/64'] },
      { namespace: host, device: 'job0', addresses: ['10.77.0.1/24', 'fd00:77::1/64'] },
    );
    await cable(
      { namespace: host, device: 'up0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      {
        namespace: outside,
        device: 'eth0',
        addresses: ['192.0.2.53/24', '8.8.8.8/32', '2001:db8::53/64', '2001:4860:4860::8888/128'],
      },
    );
    const routes = [
      [job, '-4', '10.77.0.1'],
      [job, '-6', 'fd00:77::1'],
      [host, '-4', '192.0.2.53'],
      [host, '-6', '2001:db8::53'],
      [outside, '-4', '192.0.2.1'],
      [outside, '-6', '2001:db8::1'],
    ] as const;
    for (const [name, family, via] of routes) {
      await must(['ip', family, 'route', 'add', 'default', 'via', via], { namespace: name });
    }
    await must(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'], {
      namespace: host,
    });

    // Other resolvers, which would answer any name: outside, on the host's other address, and as its loopback stub.
    const anything = ['--address=/#/203.0.113.9', '--address=/#/2001:db8::9'];
    await dnsmasq(t, [...anything, '--listen-address=8.8.8.8,2001:db8::53'], {
      namespace: outside,
      host: '192.0.2.53',
      port: 53,
    });
    await dnsmasq(t, [...anything, '--listen-address=192.0.2.1'], {
      namespace: host,
      host: '127.0.0.53',
      port: 53,
    });
    const listeners = start(t, [process.execPath, '-e', LISTENERS], { namespace: outside });
    await until(() => listeners.log().includes('listening'), listeners.log);

    const { example, signed } = await zones(t);
    await nsd(t, [example, signed], { namespace: host, host: '127.0.0.1', port: 1053 });
    await namegate(t, {
      namespace: host,
      host: '10.77.0.1',
      port: 53,
      alsoOn: ['[fd00:77::1]'],
      policy: POLICY,
      upstream: '[udp://127.0.0.1:1053]',
    });

    /** What a resolver says to a job about a name that namegate approves, or '' where nothing comes back. */
    const asked = async (t: Test, server: string, flags = '', inside = job): Promise<string> => {
      const started = running();
      const answer = await dig({ host: server, port: 53 }, `www.example A ${flags}`, { namespace: inside });
      const said = data(answer, 'A').join(' ');
      if (said === '') t.ok(running() - started < 3000, `${server} is refused at once, not by a timeout`);
      return said;
    };
    const connects = async (address: string, port: number): Promise<boolean> => {
      const code = `require('node:net').connect(${port}, '${address}').on('data', () => process.exit(0)).on('error', () => process.exit(9))`;
      return (await run([process.execPath, '-e', code], { namespace: job })).code === 0;
    };
    const asUser = async (id: number, server: string): Promise<string> => {
      const command = [
        'setpriv',
        `--reuid=${id}`,
        `--regid=${id}`,
        '--clear-groups',
        'dig',
        '+short',
        '+tries=1',
      ];
      const { stdout } = await run([...command, '+timeout=3', `@${server}`, 'www.example', 'A'], {
        namespace: host,
      });
      return stdout.replace(/^;;.*\n/gm, '').trim();
    };
    const approved = '192.0.2.10 192.0.2.11';
    const other = '203.0.113.9';

    await t.test('without it every way is open', async (t) => {
      t.equal(await asked(t, '192.0.2.53'), other);
      t.equal(await asked(t, '192.0.2.53', '+tcp'), other);
      t.equal(await asked(t, '2001:db8::53'), other);
      t.equal(await asked(t, '192.0.2.1'), other, 'the host, on another of its addresses');
      t.ok(await connects('192.0.2.53', 853), 'DoT');
      t.ok(await connects('8.8.8.8', 443), 'DoH');
      t.ok(await connects('2001:4860:4860::8888', 443), 'DoH over IPv6');
      t.equal(await asUser(1001, '127.0.0.53'), other, 'the loopback stub');
    });

    await must(['nft', 'add', 'table', 'inet', 'bystander'], { namespace: host });
    await must(['nft', '--file', snippet], { namespace: host });

    await t.test('with it jobs reach namegate', async (t) => {
      t.equal(await asked(t, '10.77.0.1'), approved);
      t.equal(await asked(t, '10.77.0.1', '+tcp'), approved);
      t.equal(await asked(t, 'fd00:77::1'), approved);
      t.equal(
        (await asUser(1001, '10.77.0.1')).split('\n').sort().join(' '),
        approved,
        'users of the host too',
      );
    });

    await t.test('and no other resolver', async (t) => {
      for (const server of ['192.0.2.53', '8.8.8.8', '2001:db8::53', '192.0.2.1']) {
        t.equal(await asked(t, server), '', `${server} over UDP`);
        t.equal(await asked(t, server, '+tcp'), '', `${server} over TCP`);
      }
      t.notOk(await connects('192.0.2.53', 853), 'DoT');
      t.notOk(await connects('8.8.8.8', 443), 'DoH at a known address');
      t.notOk(await connects('2001:4860:4860::8888', 443), 'DoH at a known address over IPv6');
      t.equal(await asUser(1001, '192.0.2.53'), '', 'nor do users of the host');
      t.equal(await asUser(1001, '127.0.0.53'), '', 'nor at a loopback stub');
    });

    await t.test('what it leaves open is as it says', async (t) => {
      t.ok(await connects('192.0.2.53', 443), 'a bare address');
      t.equal(await asUser(0, '192.0.2.53'), other, 'users that are not listed, namegate among them');
    });

    await t.test('it replaces itself and touches nothing else', async (t) => {
      await must(['nft', '--file', snippet], { namespace: host });
      const tables = await must(['nft', 'list', 'tables'], { namespace: host });
      t.strictSame(tables.trim().split('\n').sort(), ['table inet bystander', 'table inet namegate_clients']);
      t.equal(await asked(t, '10.77.0.1'), approved);
      t.equal(await asked(t, '192.0.2.53'), '');
    });
  },
);

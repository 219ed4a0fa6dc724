import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { Firewall } from '../../src/enforce/firewall.ts';
import { SetElements, TABLE } from '../../src/enforce/kernel/elements.ts';
import { PROBE_TABLE, probeKernel } from '../../src/enforce/kernel/kernel-probe.ts';
import { NetfilterExchange } from '../../src/enforce/kernel/netlink-exchange.ts';
import { runNft } from '../../src/enforce/kernel/nft.ts';

/** Run inside a network namespace whose packets go nowhere: whatever is not refused is silence. */

const exchange = NetfilterExchange.open();
if (typeof exchange === 'string') throw new Error(exchange);
const probed = new SetElements(exchange, PROBE_TABLE);
probeKernel(probed, runNft);
const firewall = new Firewall({
  exchange,
  elements: probed.of(TABLE),
  nft: runNft,
  now: () => performance.now(),
  journal: null,
});
const wrong = firewall.load({
  interfaces: [],
  local: ['10.9.0.0/16', 'fd00:9::/64'],
  users: [65_534],
  listeners: [{ host: '192.0.2.53', family: 4, l4: 'tcp', port: 53 }],
});
if (wrong !== null) throw new Error(wrong);
for (const client of ['10.9.0.2', 'fd00:9::2']) {
  const who = { client, identity: 'job', lease: null };
  const address = client.includes(':') ? '2001:db8::1' : '203.0.113.1';
  firewall.apply([
    { op: 'live', ...who, ttl_ms: 60_000 },
    {
      op: 'grant',
      ...who,
      name: 'a.example',
      chain: [],
      address,
      ports: ['tcp/443'],
      ttl_ms: 60_000,
      rule: null,
      policy: '0',
    },
  ]);
}

function dial(host: string, port: number, localAddress: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress });
    const end = (what: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(what);
    };
    const timer = setTimeout(() => end('silence'), 150);
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('connect', () => end('connected'));
  });
}

function send(host: string, port: number, own = 0): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (what: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(what);
    };
    const timer = setTimeout(() => end('silence'), 150);
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.bind(own, () =>
      socket.connect(port, host, () =>
        socket.send('x', (error) => {
          if (error !== null) end((error as NodeJS.ErrnoException).code ?? error.message);
        }),
      ),
    );
  });
}

const say = (what: string, result: string): void => console.log(`${what}: ${result}`);
say('granted', await dial('203.0.113.1', 443, '10.9.0.2'));
say('another port', await dial('203.0.113.1', 80, '10.9.0.2'));
say('another address', await dial('203.0.113.2', 443, '10.9.0.2'));
say('another source', await dial('203.0.113.1', 443, '10.9.0.3'));
say('a source that is not judged', await dial('203.0.113.2', 443, '10.8.0.2'));
say('over UDP', await send('203.0.113.1', 443));
say('as DHCP, to anywhere', await send('203.0.113.9', 67, 68));
say('namegate', await dial('192.0.2.53', 53, '10.9.0.2'));
say('IPv6', await dial('2001:db8::1', 443, 'fd00:9::2'));
say('another address of IPv6', await dial('2001:db8::2', 443, 'fd00:9::2'));
say('the machine itself', await dial('10.9.0.2', 9, '10.9.0.2'));
process.seteuid!(65_534);
say('the user of the server', await dial('203.0.113.2', 443, '10.9.0.2'));

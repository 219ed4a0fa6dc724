import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Authority, type Issued } from '../identity/authority.ts';
import { type DigAnswer, data, dig, kdig } from './dig.ts';
import { namegate, unbound } from './peers.ts';
import { freePort, missing, run, start, until } from './process.ts';

const POLICY = `
identities:
  - name: by-address
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: address.example, types: [A], reason: test }]
  - name: by-certificate
    owner: team
    review_by: 2099-01-01
    from: { certificates: ["spiffe://ci.example/build", "dns:client.example"] }
    allow: [{ name: certificate.example, types: [A], reason: test }]
  - name: behind-balancer
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.9] }
    allow: [{ name: balanced.example, types: [A], reason: test }]
records:
  - { name: address.example, type: A, data: 192.0.2.1 }
  - { name: certificate.example, type: A, data: 192.0.2.2 }
  - { name: balanced.example, type: A, data: 192.0.2.3 }
`;

const serverCa = new Authority({ name: 'servers' });
const shown = serverCa.issue({ dns: ['dns.example'], ips: ['127.0.0.1'], eku: ['serverAuth'] });
const clientCa = new Authority({ name: 'clients' });
const intermediate = clientCa.intermediate();

interface Rig {
  readonly folder: string;
  /** `clients: required`, `none`, and `none` behind a balancer; TCP behind a balancer. */
  readonly mutual: number;
  readonly open: number;
  readonly balanced: number;
  readonly balancedTcp: number;
  readonly log: () => string;
  /** The flags with which kdig and dig show a certificate. */
  as(who: Issued): string;
}

async function rig(t: Test): Promise<Rig> {
  const folder = t.testdir({
    'server.pem': shown.pem,
    'server.key': shown.keyPem,
    'servers.pem': serverCa.pem,
    'clients.pem': clientCa.pem + intermediate.pem,
    'clients.crl': clientCa.crl().pem + intermediate.crl().pem,
  });
  const file = (name: string): string => join(folder, name);
  const [mutual, open, balanced, balancedTcp] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const shows = { certificate: file('server.pem'), key: file('server.key') };
  const server = await namegate(t, {
    policy: POLICY,
    upstream: '[udp://127.0.0.1:9]',
    listen: [
      { on: `tls://127.0.0.1:${mutual}`, ...shows, client_ca: file('clients.pem'), crl: file('clients.crl') },
      { on: `tls://127.0.0.1:${open}`, ...shows },
      { on: `tls://127.0.0.1:${balanced}`, ...shows, proxy_from: ['127.0.0.1'] },
      { on: `tcp://127.0.0.1:${balancedTcp}`, proxy_from: ['127.0.0.1'] },
    ],
  });
  let files = 0;
  const as = (who: Issued): string => {
    const name = file(`client-${++files}`);
    writeFileSync(`${name}.pem`, who.chainPem);
    writeFileSync(`${name}.key`, who.keyPem);
    return `+tls-ca=${file('servers.pem')} +tls-hostname=dns.example +tls-certfile=${name}.pem +tls-keyfile=${name}.key`;
  };
  return { folder, mutual, open, balanced, balancedTcp, log: server.log, as };
}

const at = (port: number) => ({ host: '127.0.0.1', port });

t.test('kdig and dig with client certificates', { skip: missing('kdig', 'dig') }, async (t) => {
  const { mutual, as } = await rig(t);
  const day = 86_400_000;
  const good: [why: string, who: Issued][] = [
    ['spiffe', clientCa.issue({ uris: ['spiffe://ci.example/build'] })],
    ['dns', clientCa.issue({ dns: ['client.example'] })],
    ['an intermediate', intermediate.issue({ uris: ['spiffe://ci.example/build'] })],
  ];
  const unknown: [why: string, who: Issued][] = [
    ['two URI SANs', clientCa.issue({ uris: ['spiffe://ci.example/build', 'spiffe://ci.example/other'] })],
    [
      'keyCertSign',
      clientCa.issue({ dns: ['client.example'], keyUsage: ['digitalSignature', 'keyCertSign'] }),
    ],
    [
      'a SAN whose text holds another',
      clientCa.issue({ uris: ['spiffe://ci.example/a, DNS:client.example'] }),
    ],
    ['a name of nobody', clientCa.issue({ dns: ['nobody.example'] })],
  ];
  const stranger = new Authority({ name: 'clients' });
  const refused: [why: string, who: Issued][] = [
    ['another CA of the same name', stranger.issue({ dns: ['client.example'] })],
    [
      'expired',
      clientCa.issue({
        dns: ['client.example'],
        notBefore: new Date(Date.now() - 2 * day),
        notAfter: new Date(Date.now() - day),
      }),
    ],
    ['not yet valid', clientCa.issue({ dns: ['client.example'], notBefore: new Date(Date.now() + day / 2) })],
    ['no clientAuth', clientCa.issue({ dns: ['client.example'], eku: ['serverAuth'] })],
  ];
  for (const [name, ask] of [
    ['kdig', kdig],
    ['dig', dig],
  ] as const) {
    const asks = (who: Issued): Promise<DigAnswer> =>
      ask(at(mutual), `certificate.example A +tls ${as(who)}`);
    for (const [why, who] of good) t.strictSame(data(await asks(who), 'A'), ['192.0.2.2'], `${name}: ${why}`);
    for (const [why, who] of unknown) t.equal((await asks(who)).status, 'NXDOMAIN', `${name}: ${why}`);
    for (const [why, who] of refused) t.equal((await asks(who)).status, '', `${name}: ${why}`);
    t.equal((await ask(at(mutual), 'certificate.example A +tls')).status, '', `${name}: none`);
  }
});

t.test('kdig: padding, keepalive and pipelining', { skip: missing('kdig') }, async (t) => {
  const { open } = await rig(t);
  const padded = await kdig(at(open), 'address.example A +tls +padding');
  t.strictSame(data(padded, 'A'), ['192.0.2.1']);
  t.equal(padded.size % 468, 0, `${padded.size} octets`);
  t.ok((await kdig(at(open), 'address.example A +tls +nopadding')).size < 468, 'only who pads is padded');
  t.match((await kdig(at(open), 'address.example A +tls +ednsopt=11')).text, /Option \(11\)|KEEPALIVE/i);
  t.equal((await kdig(at(open), 'address.example A +tls +keepopen', {})).status, 'NOERROR');
});

t.test(
  'a revoked client has no answer within a second, resumed or not',
  { skip: missing('openssl', 'bash', 'xxd') },
  async (t) => {
    const { mutual, folder, as, log } = await rig(t);
    const revoked = clientCa.issue({ dns: ['client.example'] });
    const untouched = clientCa.issue({ uris: ['spiffe://ci.example/build'] });
    // certificate.example A, ID 1, RD, with its length.
    const header = '000101000001000000000000';
    const name = '0b6365727469666963617465076578616d706c6500';
    const message = Buffer.from(`${header}${name}00010001`, 'hex');
    const octets = Buffer.concat([Buffer.from([0, message.length]), message]);
    const hex = octets.toString('hex').replace(/../g, '\\x$&');
    /** The octets of the answer, in hexadecimal. */
    const asks = async (who: Issued, version: string, session: string): Promise<string> => {
      const flags = as(who)
        .split(' ')
        .map((flag) => flag.split('=')[1]!);
      const shows = `-CAfile ${flags[0]} -cert ${flags[2]} -key ${flags[3]} -${version} -alpn dot ${session}`;
      const dial = `timeout 0.7 openssl s_client -connect 127.0.0.1:${mutual} ${shows} -quiet -nocommands 2>/dev/null`;
      const { stdout } = await run(['bash', '-c', `(printf '${hex}'; sleep 0.4) | ${dial} | xxd -p -c 1000`]);
      return stdout;
    };
    const answer = /c0000202/;
    for (const version of ['tls1_2', 'tls1_3']) {
      const file = (who: string): string => join(folder, `${who}-${version}.session`);
      for (const [name, who] of [
        ['revoked', revoked],
        ['untouched', untouched],
      ] as const) {
        t.match(await asks(who, version, `-sess_out ${file(name)}`), answer, `${version}: ${name}, at first`);
        t.match(await asks(who, version, `-sess_in ${file(name)}`), answer, `${version}: ${name}, resumed`);
      }
    }
    writeFileSync(join(folder, 'clients.crl'), clientCa.crl({ revoked: [revoked], number: 2 }).pem);
    await until(() => log().includes('trust-loaded'), log);
    for (const version of ['tls1_2', 'tls1_3']) {
      const file = (who: string): string => join(folder, `${who}-${version}.session`);
      t.equal(await asks(revoked, version, ''), '', `${version}: revoked, at first`);
      t.equal(
        await asks(revoked, version, `-sess_in ${file('revoked')}`),
        '',
        `${version}: revoked, resumed`,
      );
      t.match(
        await asks(untouched, version, `-sess_in ${file('untouched')}`),
        answer,
        `${version}: untouched, resumed`,
      );
    }
  },
);

t.test('openssl: no renegotiation, no early data', { skip: missing('openssl', 'bash') }, async (t) => {
  const { open } = await rig(t);
  const dial = `openssl s_client -connect 127.0.0.1:${open}`;
  const again = await run([
    'bash',
    '-c',
    `(sleep 0.3; printf 'R\\n'; sleep 0.5) | timeout 2 ${dial} -tls1_2 2>&1`,
  ]);
  t.match(again.stdout, /RENEGOTIATING/);
  t.match(again.stdout, /no renegotiation|wrong version|unexpected|alert/i);
  const { stdout } = await run(['bash', '-c', `(sleep 0.4) | timeout 2 ${dial} -tls1_3 2>&1`]);
  t.match(stdout, /Max Early Data: 0/);
});

t.test('Unbound forwards over TLS, without a certificate', { skip: missing('unbound', 'dig') }, async (t) => {
  const { open, folder } = await rig(t);
  const cache = await unbound(t, {
    server: [`tls-cert-bundle: "${join(folder, 'servers.pem')}"`, 'module-config: "iterator"'],
    clauses: [
      `forward-zone:\n  name: "."\n  forward-tls-upstream: yes\n  forward-addr: 127.0.0.1@${open}#dns.example`,
    ],
  });
  t.strictSame(data(await dig(cache, 'address.example A'), 'A'), ['192.0.2.1']);
  t.equal((await dig(cache, 'certificate.example A')).status, 'NXDOMAIN');
});

t.test('stubby forwards over TLS, without a certificate', { skip: missing('stubby', 'dig') }, async (t) => {
  const { open, folder } = await rig(t);
  const port = await freePort();
  const config = `
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS]
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 128
idle_timeout: 10000
tls_ca_file: "${join(folder, 'servers.pem')}"
listen_addresses:
  - 127.0.0.1@${port}
upstream_recursive_servers:
  - address_data: 127.0.0.1
    tls_auth_name: "dns.example"
    tls_port: ${open}
`;
  writeFileSync(join(folder, 'stubby.yml'), config);
  const peer = start(t, ['stubby', '-C', join(folder, 'stubby.yml')]);
  const stub = at(port);
  await until(async () => (await dig(stub, 'address.example A +timeout=1')).status === 'NOERROR', peer.log);
  t.strictSame(data(await dig(stub, 'address.example A'), 'A'), ['192.0.2.1']);
  t.equal((await dig(stub, 'certificate.example A')).status, 'NXDOMAIN');
});

t.test('HAProxy says who the client is, by PROXY v2', { skip: missing('haproxy', 'kdig') }, async (t) => {
  const { balanced, balancedTcp, folder } = await rig(t);
  const [front, frontTcp] = [await freePort(), await freePort()];
  const config = `
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen dot
  bind 127.0.0.1:${front}
  server one 127.0.0.1:${balanced} send-proxy-v2 proxy-v2-options crc32c
listen dns
  bind 127.0.0.1:${frontTcp}
  server one 127.0.0.1:${balancedTcp} send-proxy-v2
`;
  writeFileSync(join(folder, 'haproxy.cfg'), config);
  const peer = start(t, ['haproxy', '-db', '-f', join(folder, 'haproxy.cfg')]);
  const ask = (port: number, flags: string) => kdig(at(port), `balanced.example A ${flags}`);
  await until(async () => (await ask(frontTcp, '+tcp')).status !== '', peer.log);
  for (const [port, flags] of [
    [front, '+tls'],
    [frontTcp, '+tcp'],
  ] as const) {
    t.strictSame(data(await ask(port, `${flags} -b 127.0.0.9`), 'A'), ['192.0.2.3'], flags);
    t.equal((await ask(port, `${flags} -b 127.0.0.8`)).status, 'NXDOMAIN', flags);
  }
  for (const [port, flags] of [
    [balanced, '+tls'],
    [balancedTcp, '+tcp'],
  ] as const) {
    t.equal((await ask(port, flags)).status, '', `${flags}: the balancer's address without a header`);
    t.equal((await ask(port, `${flags} -b 127.0.0.8`)).status, 'NXDOMAIN', `${flags}: others need none`);
  }
});

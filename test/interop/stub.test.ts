import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { answer, dot } from '../stub/peers.ts';
import { data, dig, kdig } from './dig.ts';
import { certificate, nsd, type Server, unbound, zones } from './peers.ts';
import { freePort, missing, must, start, until } from './process.ts';

const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

interface Client {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for a TLS client, beside the CA that signs it. */
async function clientOf(authority: string, name: string): Promise<Client> {
  const at = (file: string): string => join(dirname(authority), file);
  const fresh = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=client',
  ];
  const extensions = [
    `subjectAltName=URI:spiffe://ci.example/${name}`,
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=clientAuth',
  ].flatMap((extension) => ['-addext', extension]);
  const signer = ['-CA', authority, '-CAkey', at('ca.key')];
  const out = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)];
  await must(['openssl', 'req', '-x509', ...fresh, ...extensions, ...signer, ...out]);
  return { cert: at(`${name}.pem`), key: at(`${name}.key`) };
}

/** `namegate stub` as a process of its own. */
async function stub(t: Test, servers: readonly string[], { cert, key }: Client, ca: string): Promise<Server> {
  const [host, port] = ['127.0.0.1', await freePort()];
  const files = ['--cert', cert, '--key', key, '--ca', ca];
  const asked = servers.flatMap((url) => ['--server', url]);
  const listen = ['--listen', `${host}:${port}`];
  const peer = start(t, [process.execPath, source, 'stub', ...listen, ...asked, ...files]);
  await until(
    () => peer.ended() || peer.log().includes('"event":"ready"'),
    () => `the stub is not ready:\n${peer.log()}`,
  );
  return { ...peer, host, port };
}

t.test(
  'Unbound behind the stub, dig and kdig in front of it',
  { skip: missing('nsd', 'unbound', 'openssl', 'ldns-signzone', 'dig', 'kdig') },
  async (t) => {
    const { example, signed } = await zones(t);
    const authority = await nsd(t, [example, signed]);
    const { ca, cert, key } = await certificate(t, 'dns.example');
    const tls = await freePort();
    const resolver = (t: Test): Promise<Server> =>
      unbound(t, {
        server: [
          `interface: 127.0.0.1@${tls}`,
          `tls-port: ${tls}`,
          `tls-service-pem: "${cert}"`,
          `tls-service-key: "${key}"`,
          'module-config: "validator iterator"',
          `trust-anchor-file: "${signed.anchor}"`,
          'pad-responses: yes',
        ],
        clauses: ['example.', 'signed.example.'].map(
          (zone) => `stub-zone:\n  name: "${zone}"\n  stub-addr: 127.0.0.1@${authority.port}`,
        ),
      });
    const first = await resolver(t);
    const client = await clientOf(ca, 'job');
    const server = await stub(t, [`tls://127.0.0.1:${tls}#dns.example`], client, ca);

    await t.test('answers', async (t) => {
      for (const ask of [dig, kdig]) {
        t.strictSame(data(await ask(server, 'www.example A'), 'A'), ['192.0.2.10', '192.0.2.11']);
        t.strictSame(data(await ask(server, 'www.example A +tcp'), 'A'), ['192.0.2.10', '192.0.2.11']);
        t.strictSame(data(await ask(server, 'www.example A +noedns'), 'A'), ['192.0.2.10', '192.0.2.11']);
        t.equal((await ask(server, 'absent.example A')).status, 'NXDOMAIN');
      }
      t.ok((await dig(server, 'www.signed.example A +dnssec')).flags.includes('ad'), 'DO goes both ways');
    });

    await t.test('padding ends at the stub', async (t) => {
      const plain = await kdig(server, 'www.example A +edns');
      const padded = await kdig(server, 'www.example A +padding=256');
      t.notMatch(plain.text, /PADDING/i);
      t.notMatch(padded.text, /;; PADDING/i);
      t.ok(padded.size < 200, `${padded.size} octets`);
    });

    await t.test('what is too large for UDP', async (t) => {
      const cut = await dig(server, 'large.example TXT +bufsize=512 +ignore');
      t.ok(cut.flags.includes('tc'));
      t.equal(cut.answer.length, 0);
      const whole = await dig(server, 'large.example TXT +bufsize=512');
      t.equal(whole.answer.length, 18);
      t.ok(whole.stream, 'dig came back on TCP');
    });

    await t.test('many questions on one connection', async (t) => {
      const names = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'www.example A' : 'mx1.example A'));
      const text = (await kdig(server, `+tcp +keepopen ${names.join(' ')}`)).text;
      t.equal(text.match(/status: NOERROR/g)?.length, 20);
    });

    await t.test('it comes back after the server did', async (t) => {
      await first.stop();
      const down = await dig(server, 'www.example A');
      t.equal(down.status, 'SERVFAIL');
      t.match(down.ede, [{ code: 23, text: /namegate stub: no server is reached/ }]);
      await resolver(t);
      let status = '';
      await until(
        async () => {
          status = (await dig(server, 'mx1.example A')).status;
          return status === 'NOERROR';
        },
        () => `still ${status}`,
      );
    });

    await t.test('a server that is not who it should be gets no question', async (t) => {
      const stranger = await certificate(t, 'dns.example');
      for (const [why, url, trusted] of [
        ['another name', `tls://127.0.0.1:${tls}#other.example`, ca],
        ['the address', `tls://127.0.0.1:${tls}`, ca],
        ['another CA', `tls://127.0.0.1:${tls}#dns.example`, stranger.ca],
      ] as const) {
        const strict = await stub(t, [url], client, trusted);
        t.match(await dig(strict, 'www.example A'), { status: 'SERVFAIL', ede: [{ code: 23 }] }, why);
      }
    });
  },
);

t.test('client certificates that openssl made', { skip: missing('openssl', 'dig') }, async (t) => {
  const { ca, cert, key } = await certificate(t, 'dns.example');
  const pem = (file: string): string => readFileSync(file, 'utf8');
  const server = await dot(t, answer, { cert: pem(cert), key: pem(key), ca: pem(ca) });
  const url = `tls://127.0.0.1:${server.port}#dns.example`;
  const stranger = await certificate(t, 'dns.example');
  for (const [why, client, status] of [
    ['of the right CA', await clientOf(ca, 'job'), 'NOERROR'],
    ['of another', await clientOf(stranger.ca, 'job'), 'SERVFAIL'],
  ] as const) {
    const one = await stub(t, [url], client, ca);
    t.equal((await dig(one, 'www.example A')).status, status, why);
  }
  t.equal(server.seen.length, 1);
});

interface NamegateOptions {
  readonly policy: string;
  /** YAML of the listener for TLS. */
  readonly listener: string;
}

/** namegate as a process of its own, on TLS, and on UDP at the address that is returned. */
async function namegate(t: Test, upstream: Server, { policy, listener }: NamegateOptions): Promise<Server> {
  const [host, port] = ['127.0.0.1', await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'namegate-dot-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  writeFileSync(
    join(folder, 'namegate.yaml'),
    `listen: ["udp://${host}:${port}", ${listener}]
upstreams: { default: { servers: ["udp://${upstream.host}:${upstream.port}"] } }
policy: policy.yaml
state: state/
`,
  );
  const config = ['--config', join(folder, 'namegate.yaml')];
  const peer = start(t, [process.execPath, source, 'serve', ...config], { cwd: folder });
  await until(
    () => peer.ended() || peer.log().includes('"event":"ready"'),
    () => `namegate is not ready:\n${peer.log()}`,
  );
  if (peer.ended()) throw new Error(peer.log());
  return { ...peer, host, port };
}

const POLICY = `
identities:
  - name: certified
    owner: team-a
    review_by: 2099-01-01
    from: { certificates: ["spiffe://ci.example/job"] }
    allow: [{ name: www.example, owner: team-a, reason: test }]
  - name: renewed
    owner: team-b
    review_by: 2099-01-01
    from: { certificates: ["spiffe://ci.example/next"] }
    allow: [{ name: mx1.example, owner: team-b, reason: test }]
`;

t.test(
  'namegate behind the stub: the client is known by its certificate',
  { skip: missing('nsd', 'openssl', 'ldns-signzone', 'dig', 'kdig') },
  async (t) => {
    const { example } = await zones(t);
    const authority = await nsd(t, [example]);
    const { ca, cert, key } = await certificate(t, 'dns.example');
    const tls = await freePort();
    // The bundle of its trust domain is what vouches for a SPIFFE ID.
    const trust = `clients: required, client_ca: ${ca}, trust_domains: { ci.example: ${ca} }`;
    const server = await namegate(t, authority, {
      policy: POLICY,
      listener: `{ on: "tls://127.0.0.1:${tls}", certificate: ${cert}, key: ${key}, ${trust} }`,
    });
    const folder = join(dirname(ca), 'client');
    mkdirSync(folder);
    const shown = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    const show = (client: Client): void => {
      copyFileSync(client.key, shown.key);
      copyFileSync(client.cert, shown.cert);
    };
    show(await clientOf(ca, 'job'));
    const one = await stub(t, [`tls://127.0.0.1:${tls}#dns.example`], shown, ca);

    await t.test('its approved names, and why others are not', async (t) => {
      for (const ask of [dig, kdig]) {
        t.strictSame(data(await ask(one, 'www.example A'), 'A'), ['192.0.2.10', '192.0.2.11']);
        t.strictSame(data(await ask(one, 'www.example A +tcp'), 'A'), ['192.0.2.10', '192.0.2.11']);
      }
      const denied = await dig(one, 'mx1.example A');
      t.equal(denied.status, 'NXDOMAIN');
      t.match(denied.ede, [{ code: 15, text: /certified: .*; ask team-a/ }]);
      t.equal((await dig(one, 'localhost A')).status, 'NOERROR');
      t.equal((await dig(server, 'www.example A')).status, 'NXDOMAIN', 'the address alone is nobody');
    });

    await t.test('a renewed certificate is another identity', async (t) => {
      show(await clientOf(ca, 'next'));
      await until(
        async () => (await dig(one, 'mx1.example A')).status === 'NOERROR',
        () => one.log(),
      );
      t.equal((await dig(one, 'www.example A')).status, 'NXDOMAIN');
    });

    await t.test('a certificate of another CA gets nothing', async (t) => {
      const stranger = await certificate(t, 'dns.example');
      const other = await stub(
        t,
        [`tls://127.0.0.1:${tls}#dns.example`],
        await clientOf(stranger.ca, 'job'),
        ca,
      );
      t.match(await dig(other, 'www.example A'), { status: 'SERVFAIL', ede: [{ code: 23 }] });
    });
  },
);

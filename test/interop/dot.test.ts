import t, { type Test } from 'tap';
import { data, dig } from './dig.ts';
import { certificate, namegate, nsd, type Server, unbound, zones } from './peers.ts';
import { freePort, missing } from './process.ts';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: mx1.example, owner: team, reason: test }
      - { name: large.example, types: [TXT], owner: team, reason: test }
      - { name: www.signed.example, owner: team, reason: test }
`;

t.test(
  'Unbound as the upstream on DoT',
  { skip: missing('nsd', 'unbound', 'openssl', 'ldns-signzone', 'dig') },
  async (t) => {
    const { example, signed } = await zones(t);
    const authority = await nsd(t, [example, signed]);
    const { ca, cert, key } = await certificate(t, 'dns.example');
    const stranger = await certificate(t, 'dns.example');
    const tls = await freePort();
    /** Unbound asks NSD, validates with the zone's own key, and answers on DoT. */
    const resolver = (t: Test): Promise<Server> =>
      unbound(t, {
        server: [
          `interface: 127.0.0.1@${tls}`,
          `tls-port: ${tls}`,
          `tls-service-pem: "${cert}"`,
          `tls-service-key: "${key}"`,
          'module-config: "validator iterator"',
          `trust-anchor-file: "${signed.anchor}"`,
        ],
        clauses: ['example.', 'signed.example.'].map(
          (zone) => `stub-zone:\n  name: "${zone}"\n  stub-addr: 127.0.0.1@${authority.port}`,
        ),
      });
    const first = await resolver(t);
    const upstream = (name: string, trusted: string) =>
      `[{ on: "tls://127.0.0.1:${tls}", name: ${name}, ca: ${trusted} }]`;
    const server = await namegate(t, { policy: POLICY, upstream: upstream('dns.example', ca) });

    await t.test('answers', async (t) => {
      t.strictSame(data(await dig(server, 'www.example A'), 'A'), ['192.0.2.10', '192.0.2.11']);
      t.equal((await dig(server, 'large.example TXT')).answer.length, 18);
      t.equal((await dig(server, 'secret.example A')).status, 'NXDOMAIN');
    });

    await t.test('AD is passed on to who asks for it', async (t) => {
      const set = async (flags: string) =>
        (await dig(server, `www.signed.example A ${flags}`)).flags.includes('ad');
      t.ok(await set('+noadflag +dnssec'), 'DO');
      t.ok(await set('+adflag +nodnssec'), 'AD');
      t.notOk(await set('+noadflag +nodnssec'), 'neither');
      t.notOk((await dig(server, 'www.example A +dnssec')).flags.includes('ad'), 'an unsigned name');
      t.notOk((await dig(server, 'secret.example A +dnssec')).flags.includes('ad'), 'an answer of ours');
    });

    await t.test('a server that is not who it should be gets no question', async (t) => {
      for (const [why, servers] of [
        ['another name', upstream('other.example', ca)],
        ['another CA', upstream('dns.example', stranger.ca)],
      ] as const) {
        const strict = await namegate(t, { policy: POLICY, upstream: servers });
        const answer = await dig(strict, 'www.example A');
        t.equal(answer.status, 'SERVFAIL', why);
        t.match(answer.ede, [{ code: /^2[23]$/ }], why);
      }
    });

    await t.test('it comes back after the upstream did', async (t) => {
      await first.stop();
      await resolver(t);
      t.strictSame(data(await dig(server, 'mx1.example A'), 'A'), ['192.0.2.40']);
    });
  },
);

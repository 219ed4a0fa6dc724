import t, { type Test } from 'tap';
import { type DigAnswer, data, dig } from './dig.ts';
import { namespace, resolvConf } from './netns.ts';
import { type Namegate, namegate, nsd, zones } from './peers.ts';
import { missingForRoot, must, run } from './process.ts';

/** A UDP source is a claim where anybody can send: what has to be asked upstream is asked for who has shown that it is there. */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [192.0.2.53, 192.0.2.54] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: v6only.example, owner: team, reason: test }
      - { name: chain.example, owner: team, reason: test }
  - name: certified
    owner: team
    review_by: 2099-01-01
    proof: certificate
    from: { addresses: [192.0.2.55], certificates: ["dns:certified.example"] }
    allow: [{ name: www.example, owner: team, reason: test }]
`;

async function rig(t: Test): Promise<{ server: Namegate; inside: string }> {
  const inside = await namespace(t, 'spoofable');
  for (const last of [53, 54, 55])
    await must(['ip', 'address', 'add', `192.0.2.${last}/32`, 'dev', 'lo'], { namespace: inside });
  const { example, signed } = await zones(t);
  await nsd(t, [example, signed], { namespace: inside, host: '127.0.0.1', port: 1053 });
  const server = await namegate(t, {
    namespace: inside,
    host: '0.0.0.0',
    port: 53,
    policy: POLICY,
    upstream: '[udp://127.0.0.1:1053]',
  });
  return { server: { ...server, host: '192.0.2.53' }, inside };
}

/** Option data of the cookie in a reply, hexadecimal, or null. */
function cookieOf({ text }: DigAnswer): string | null {
  return /COOKIE: ([0-9a-f]+)/.exec(text)?.[1] ?? null;
}

t.test(
  'forwarded for a server cookie, else TC',
  { skip: missingForRoot('ip', 'nsd', 'dig', 'python3') },
  async (t) => {
    const { server, inside } = await rig(t);
    const ask = (question: string, from = '192.0.2.53'): Promise<DigAnswer> =>
      dig(server, `-b ${from} ${question}`, { namespace: inside });

    const bare = await ask('www.example A +ignore');
    t.match(bare, { status: 'NOERROR', answer: [] });
    t.ok(bare.flags.includes('tc'), 'no cookie: TC, and nothing else');
    const retried = await ask('www.example A');
    t.ok(retried.stream, 'dig comes back over TCP');
    t.same(data(retried, 'A'), ['192.0.2.10', '192.0.2.11']);
    const hit = await ask('www.example A +ignore');
    t.same(data(hit, 'A'), ['192.0.2.10', '192.0.2.11'], 'a hit needs no proof');
    t.equal((await ask('denied.example A +ignore')).status, 'NXDOMAIN', 'nor does a denial');

    const client = '0123456789abcdef';
    const first = await ask(`v6only.example AAAA +ignore +cookie=${client}`);
    t.ok(first.flags.includes('tc'), 'a client cookie alone is no proof');
    const whole = cookieOf(first)!;
    t.equal(whole.length, 48);
    t.equal(whole.slice(0, 16), client);
    const forged = `${whole.slice(0, 47)}${whole.at(-1) === '0' ? '1' : '0'}`;
    const stamp = Buffer.from(whole, 'hex');
    stamp.writeUInt32BE(stamp.readUInt32BE(12) - 3_700, 12);
    const other = `${'f'.repeat(16)}${whole.slice(16)}`;
    for (const [why, cookie, from] of [
      ['a wrong hash', forged, '192.0.2.53'],
      ['another time', stamp.toString('hex'), '192.0.2.53'],
      ['another client cookie', other, '192.0.2.53'],
      ["another's, from its own address", whole, '192.0.2.54'],
      ['one that is cut', whole.slice(0, 46), '192.0.2.53'],
      ['one that is too long', `${whole}00`, '192.0.2.53'],
    ] as const) {
      const reply = await ask(`v6only.example AAAA +ignore +cookie=${cookie}`, from);
      t.ok(reply.flags.includes('tc') && reply.answer.length === 0, `${why}: TC`);
      t.not(cookieOf(reply), cookie);
    }
    const proven = await ask(`v6only.example AAAA +ignore +cookie=${whole}`);
    t.notOk(proven.stream);
    t.same(data(proven, 'AAAA'), ['2001:db8::20'], 'a server cookie of ours: forwarded over UDP');

    const spoofed = await ask('www.example A +ignore', '192.0.2.55');
    t.equal(spoofed.status, 'NXDOMAIN', 'proof: certificate: no address speaks for it');
    t.equal((await ask('www.example A +tcp', '192.0.2.55')).status, 'NXDOMAIN', 'over TCP neither');

    resolvConf(t, inside, 'nameserver 192.0.2.53\noptions timeout:3 attempts:1\n');
    const program =
      'import socket; print(sorted({e[4][0] for e in socket.getaddrinfo("chain.example", 443)}))';
    const { stdout, stderr } = await run(['python3', '-c', program], { namespace: inside });
    t.match(stdout + stderr, /192\.0\.2\.10.*192\.0\.2\.11/, 'glibc comes back over TCP');
  },
);

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { askAt } from '../admin/house.ts';
import { Client, queryOctets } from './client.ts';
import { type Namegate, namegate } from './namegate.ts';
import { namesOf, received } from './tunnel.ts';
import { plain, type Upstream, upstream } from './upstream.ts';

/** Encoders that know namegate, over real sockets: what arrives at the far end is decoded there, and counted. */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test }]
  - name: other
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.9.0.0/16] }
    allow: [{ name: "**.t.example", reason: test }]
`;
/** Sends a message in names of `labels` labels of 56 characters, many at once, each asked for once. Resolves when all have a reply. */
async function push(server: Namegate, message: Buffer, labels: number, from = '127.0.0.1'): Promise<number> {
  const client = await Client.open(server, 'udp', from);
  const names = namesOf(message, labels);
  let answered = 0;
  for (let at = 0; at < names.length; at += 20) {
    const replies = await Promise.all(
      names
        .slice(at, at + 20)
        .map((name, i) => client.exchange(queryOctets(name, { id: at + i + 1 }), 10_000)),
    );
    answered += replies.filter((reply) => reply !== null && (reply.readUInt16BE(2) & 0xf) === 0).length;
  }
  client.close();
  return answered;
}

/** Octets of payload that reached the upstream. */
function arrived(up: Upstream, message: Buffer): number {
  return received(
    up.seen.map(({ name }) => name),
    message,
  );
}

t.test('base32 at full speed, short names and the longest: 1 KiB at most arrives', async (t) => {
  for (const labels of [1, 3]) {
    const up = await upstream(t, plain);
    const server = await namegate(t, {
      policy: POLICY,
      servers: `[${up.url}]`,
      settings: 'limits: { in_flight: 1000 }\ndetect: {}',
    });
    const message = randomBytes(35 * 200);
    await push(server, message, labels);
    const got = arrived(up, message);
    t.ok(got > 300 && got <= 1024, `${got} octets with ${labels} labels`);
    // Another machine of the same identity is not touched.
    const other = randomBytes(35 * 5);
    t.equal(await push(server, other, 1, '127.0.0.77'), 5);
    await server.stop(t);
  }
});

t.test('fifty leases of one claim: 4 KiB at most arrives', async (t) => {
  const up = await upstream(t, plain);
  const server = await namegate(t, {
    policy: POLICY,
    servers: `[${up.url}]`,
    settings: 'admin: unix:state/admin.sock\ndetect: {}',
  });
  const admin = `unix:${join(server.folder, 'state/admin.sock')}`;
  const sent: Buffer[] = [];
  for (let job = 0; job < 50; job++) {
    const opened = await askAt(admin, 'POST', '/v1/leases', {
      identity: job % 2 === 0 ? 'job' : 'other',
      address: '127.0.0.1',
    });
    t.equal(opened.status, 201);
    const message = randomBytes(35 * 36);
    sent.push(message);
    await push(server, message, 3);
    t.equal((await askAt(admin, 'DELETE', `/v1/leases/${opened.body['id']}`)).status, 200);
  }
  const got = arrived(up, Buffer.concat(sent));
  t.ok(got > 2000 && got <= 4096, `${got} octets`);
  await server.stop(t);
});

t.test('types and moments of one name under a TTL of 0 are charged too', async (t) => {
  const up = await upstream(t, ({ name, type }, to) =>
    to.reply({ answer: [`${name} 0 ${type} ${type === 'A' ? '192.0.2.1' : '2001:db8::1'}`] }),
  );
  const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' });
  const client = await Client.open(server, 'udp');
  let told = 0;
  const rounds = 1500;
  for (let i = 0; i < rounds; i++) {
    const before = up.seen.length;
    await client.exchange(
      queryOctets('same.t.example', { id: i + 1, type: i % 2 === 0 ? 'A' : 'AAAA' }),
      10_000,
    );
    if (up.seen.length > before) told++;
    if (i > 400 && told < 10) break;
  }
  client.close();
  t.ok(told < 450, `${told} of ${rounds} questions reached the upstream`);
  await server.stop(t);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Client, queryOctets } from './client.ts';
import { house, Namegate, namegate } from './namegate.ts';
import { plain, upstream } from './upstream.ts';

/** The leak ledger from outside: budgets over restarts, and where balances cannot be kept. */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "*.t.example", reason: test }, { name: plain.example, reason: test }]
`;

const NXDOMAIN = 3;

/** Asks new names until one is refused; returns how many were answered, and their free octets. */
async function spend(client: Client, tag: string, most: number): Promise<{ names: number; octets: number }> {
  let octets = 0;
  for (let names = 0; names < most; names++) {
    const label = `${tag}${'x'.repeat(20)}${names}`;
    const reply = await client.exchange(queryOctets(`${label}.t.example`, { id: names + 1 }), 5_000);
    if (reply === null) throw new Error('no reply');
    if ((reply.readUInt16BE(2) & 0xf) === NXDOMAIN) return { names, octets };
    octets += label.length;
  }
  return { names: most, octets };
}

t.test('a budget that is spent stays so over a crash and an orderly stop', async (t) => {
  const up = await upstream(t, plain);
  const options = { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' };
  const first = await namegate(t, options);
  const client = await Client.open(first, 'udp');
  const spent = await spend(client, 'a', 500);
  const payload = (spent.octets * Math.log2(38)) / 8;
  t.ok(spent.names > 20 && payload < 1024, `${spent.names} names of ${spent.octets} octets`);
  const finding = await first.logged('finding', 2);
  t.match(finding, { finding: 'budget-contain', key: 'client', subject: '127.0.0.1', wildcard: 't.example' });
  const exact = (await client.exchange(queryOctets('plain.example', { id: 9 }), 5_000))!;
  t.equal(exact.readUInt16BE(2) & 0xf, 0, 'names written out are free');
  client.close();
  let before = first;
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    before.kill(signal);
    await before.ended;
    before = await new Namegate(t, before.folder).started();
    const again = await Client.open(before, 'udp');
    t.equal((await spend(again, signal, 3)).names, 0, `after ${signal}`);
    again.close();
  }
});

t.test('a state folder that cannot be used: it serves, and says so', async (t) => {
  const up = await upstream(t, plain);
  const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' });
  writeFileSync(join(folder, 'state'), 'in the way');
  const server = await new Namegate(t, folder).started();
  t.match(await server.logged('ledger-trouble'), { msg: /in memory alone.*cannot be used/ });
  const client = await Client.open(server, 'udp');
  const { names } = await spend(client, 'a', 500);
  client.close();
  t.equal((await server.ready()).status, 200, 'resolving is what it is for');
  t.ok(names > 20 && names < 100, `${names} names: it counts in memory`);
});

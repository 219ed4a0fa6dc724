import { readFileSync } from 'node:fs';
import t from 'tap';
import { Client, queryOctets } from './client.ts';
import { namegate } from './namegate.ts';
import { plain, upstream } from './upstream.ts';

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test }]
`;

t.test(
  'budgets change by a reload, balances stay, and a pattern of the same base is the same wildcard',
  async (t) => {
    const up = await upstream(t, plain);
    const settings = (contain: string): string =>
      `detect: { budgets: { lease_wildcard: { alert: 64B, contain: ${contain} } } }`;
    const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]`, settings: settings('128B') });
    const client = await Client.open(server, 'udp');
    t.teardown(() => client.close());
    let number = 0;
    const drain = async (): Promise<number> => {
      for (let i = 0; i < 300; i++) {
        const reply = await client.exchange(queryOctets(`r${'x'.repeat(20)}${number++}.t.example`), 10_000);
        if (reply === null) throw new Error('no reply');
        if ((reply.readUInt16BE(2) & 0xf) === 3) return i;
      }
      return 300;
    };
    let loads = server.events('policy-loaded').length;
    const reload = async (file: string, from: string, to: string): Promise<void> => {
      const text = readFileSync(server.path(file), 'utf8');
      if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
      server.replace(file, text.replace(from, to));
      server.kill('SIGHUP');
      await server.logged('policy-loaded', ++loads);
    };
    const first = await drain();
    t.ok(first > 3 && first < 10, `${first} names of 128 octets`);
    await reload('namegate.yaml', 'contain: 128B', 'contain: 512B');
    const second = await drain();
    t.ok(second > 15 && second < 30, `${second} more: the balance stayed`);
    await reload('policy/test.yaml', '"**.t.example"', '"*.t.example"');
    t.equal(await drain(), 0, 'another pattern of the same base');
    await reload('namegate.yaml', 'contain: 512B', 'contain: 128B');
    t.equal(await drain(), 0, 'less than is spent');
    await reload('namegate.yaml', 'contain: 128B', 'contain: off');
    t.ok((await drain()) > 60, 'off: the claim alone bounds it');
    await server.stop(t);
  },
);

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { Client, queryOctets } from './client.ts';
import { type Namegate, namegate } from './namegate.ts';
import { base32, received } from './tunnel.ts';
import { plain, type Script, type Upstream, upstream } from './upstream.ts';

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test, max_labels: 8 }]
`;
/** Octets that one client may put through in a day. */
export const BUDGET = 1024;

export interface Rig {
  readonly up: Upstream;
  readonly server: Namegate;
  readonly client: Client;
}

export async function rig(t: Test, script: Script = plain): Promise<Rig> {
  const up = await upstream(t, script);
  const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' });
  const client = await Client.open(server, 'udp');
  t.teardown(() => client.close());
  return { up, server, client };
}

export function isRefused(reply: Buffer | null): boolean {
  return reply !== null && (reply.readUInt16BE(2) & 0xf) === 3;
}

/** Sends names in base32 at a steady pace until it is contained; what arrived is decoded, and is within the budget. */
export async function paced(t: Test, milliseconds: number): Promise<void> {
  const { up, server, client } = await rig(t);
  const message = randomBytes(25 * 200);
  let refused = 0;
  for (let i = 0; i < 200 && refused < 20; i++) {
    const name = `${base32(message.subarray(25 * i, 25 * i + 25))}.t.example`;
    void client.exchange(queryOctets(name), 10_000).then((reply) => {
      if (isRefused(reply)) refused++;
    });
    await sleep(milliseconds);
  }
  t.ok(refused >= 20, 'it is contained');
  const got = received(
    up.seen.map(({ name }) => name),
    message,
  );
  t.comment(`${got} octets`);
  t.ok(got > 300 && got <= BUDGET, `${got} octets`);
  await server.stop(t);
}

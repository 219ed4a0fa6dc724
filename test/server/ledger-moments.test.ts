import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Client, queryOctets } from './client.ts';
import { type Namegate, namegate } from './namegate.ts';
import { digitsOf } from './tunnel.ts';
import { plain, type Upstream, upstream } from './upstream.ts';

/** Encoders that use the moment of a question, alone and beside all else that is theirs to choose. The far end decodes. */

const BUDGET = 192;
const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test, budget: { contain: ${BUDGET}B } }]
`;
const TYPES = ['A', 'AAAA', 'CNAME'];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_';
/** Milliseconds of one step of a wait: four ticks, since a busy machine is late. Waits are of one to eight steps. */
const STEP = 40;
const WAITS = 8;

interface Rig {
  readonly up: Upstream;
  readonly server: Namegate;
  readonly client: Client;
}

async function rig(t: Test): Promise<Rig> {
  const up = await upstream(t, plain);
  const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'detect: {}' });
  const client = await Client.open(server, 'udp');
  t.teardown(() => client.close());
  return { up, server, client };
}

/** Asks each question after its wait, in steps; stops where namegate refuses one. */
async function send(
  client: Client,
  asked: readonly { name: string; type: string; wait: number }[],
): Promise<void> {
  let isRefused = false;
  for (const { name, type, wait } of asked) {
    await sleep(wait * STEP);
    if (isRefused) return;
    void client.exchange(queryOctets(name, { type }), 10_000).then((reply) => {
      if (reply !== null && (reply.readUInt16BE(2) & 0xf) === 3) isRefused = true;
    });
  }
}

/** The waits in front of all questions but the first, in steps, as the far end sees them. */
function waitsAt(up: Upstream): number[] {
  return up.seen.slice(1).map(({ at }, i) => Math.round((at - up.seen[i]!.at) / STEP));
}

t.test('moments alone', async (t) => {
  const { up, server, client } = await rig(t);
  const digits = digitsOf(randomBytes(64), WAITS);
  // The shortest names there are, new ones, in an order that both ends know.
  const names = [...'abcdefghijklmnopqrstuvwxyz0123456789'].flatMap((a) => [`${a}`, `${a}${a}`, `${a}x`]);
  await send(
    client,
    names.map((name, i) => ({ name: `${name}.t.example`, type: 'A', wait: 1 + digits[i]! })),
  );
  const right = waitsAt(up).filter((wait, i) => wait === 1 + digits[i + 1]!).length;
  const octets = (right * Math.log2(WAITS)) / 8;
  t.ok(up.seen.length < names.length, 'it is contained');
  t.ok(right > 0, `the encoder works: ${right} of ${up.seen.length} moments are right`);
  t.ok(octets <= BUDGET, `${octets} octets`);
  await server.stop(t);
});

t.test('names, types and moments at once, by the best code there is', async (t) => {
  for (const size of [4, 40]) {
    const { up, server, client } = await rig(t);
    const count = size === 4 ? 80 : 20;
    const letters = digitsOf(randomBytes(count * size), LETTERS.length);
    const types = digitsOf(randomBytes(count), TYPES.length);
    const waits = digitsOf(randomBytes(count), WAITS);
    const asked = Array.from({ length: count }, (_, i) => {
      const label = letters.slice(i * size, (i + 1) * size).map((digit) => LETTERS[digit]);
      return { name: `${label.join('')}.t.example`, type: TYPES[types[i]!]!, wait: 1 + waits[i]! };
    });
    await send(client, asked);
    let bits = 0;
    const seen = waitsAt(up);
    up.seen.forEach(({ name, type }, i) => {
      if (name !== `${asked[i]!.name}.`) throw new Error(`${name} arrived for ${asked[i]!.name}`);
      bits += size * Math.log2(LETTERS.length);
      if (type === asked[i]!.type) bits += Math.log2(TYPES.length);
      if (i > 0 && seen[i - 1] === asked[i]!.wait) bits += Math.log2(WAITS);
    });
    t.ok(up.seen.length < count, 'it is contained');
    t.ok(bits / 8 > BUDGET / 4 && bits / 8 <= BUDGET, `${(bits / 8).toFixed(0)} octets with ${size} letters`);
    await server.stop(t);
  }
});

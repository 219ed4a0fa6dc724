import t from 'tap';
import { vectors } from '../wire/vectors.ts';
import { Client, queryOctets } from './client.ts';
import { type Message, readMessage, replyOctets } from './message.ts';
import { namegate } from './namegate.ts';
import { Random } from './random.ts';
import { type Script, upstream } from './upstream.ts';

// They wait more than they work.
t.jobs = 2;

/** What arrives malformed: from clients, and from upstreams. */

const GOOD = '198.51.100.1';

/** Vectors by number, as the labels of questions name them. */
const ALL = vectors();

/**
 * To `v7.raw.udp.example`: the octets of vector 7 as they are, and a good answer a moment later. `id`: with the ID of the
 * question. `asked`: the vector's header and records around the question that was asked. `alone`: nothing after that.
 */
const script: Script = (seen, to) => {
  const [label = '', kind = ''] = seen.name.split('.');
  const good = (): void => to.reply({ answer: [`${seen.name} 60 A ${GOOD}`] });
  if (kind === 'mutated') {
    to.send(mutate(replyOctets(seen.octets, REPLY(seen.name)), Number(label.slice(1)), 12));
    return;
  }
  const vector = ALL[Number(label.slice(1))];
  if (vector === undefined || kind === '') return good();
  to.send(
    kind === 'raw'
      ? vector.octets
      : kind === 'id'
        ? withId(vector.octets, seen.id)
        : around(vector.octets, seen.octets),
  );
  if (kind !== 'alone') setTimeout(good, 60);
};

const REPLY = (name: string) => ({
  answer: [`${name} 60 CNAME c.${name}`, `c.${name} 60 A ${GOOD}`, `c.${name} 60 RRSIG A 4 example.`],
  authority: ['example. 60 SOA ns.example. admin.example. 1 2 3 4 60'],
  additional: [`x.${name} 60 A ${GOOD}`],
});

const udp = await upstream(t, script);
const tcp = await upstream(t, script);
const server = await namegate(t, {
  policy: `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: "**.udp.example", reason: asked over UDP }
      - { name: "**.tcp.example", reason: asked over TCP }
      - { name: www.example, reason: what the vectors ask about, types: [A, AAAA, TXT] }
      - { name: probe.example, reason: to see whether it lives }
records:
  - { name: probe.example, type: A, data: 192.0.2.1 }
`,
  servers: `[${udp.url}]`,
  groups: `  streams: { servers: ["${tcp.url.replace('udp:', 'tcp:')}"], zones: [tcp.example] }`,
});

let sent = 0;
let short = 0;

for (const transport of ['udp', 'tcp'] as const) {
  t.test(`each vector as a query over ${transport}: an answer to it, or none`, async (t) => {
    for (const { name, octets, query, title } of ALL) {
      const client = await Client.open(server, transport);
      client.send(octets);
      sent++;
      if (transport === 'tcp' && octets.length < 12) {
        // Too short to have an ID: the connection ends.
        short++;
        t.equal(await client.exchange(queryOctets('probe.example')), null, `${name}: ended`);
      } else {
        if (query === 'drop') {
          const probe = await client.ask('probe.example');
          sent++;
          t.equal(probe.answer[0]?.data, '192.0.2.1', `${name}: the next is answered`);
        } else {
          await once(client);
        }
        t.equal(client.strays.length, query === 'drop' ? 0 : 1, `${name}: ${title}`);
      }
      for (const stray of client.strays) checkReply(t, name, octets, query, readMessage(stray), transport);
      client.close();
    }
  });
}

t.test(
  '2,000 mutated queries: each reply has the ID of a question and nothing kills the server',
  async (t) => {
    const client = await Client.open(server, 'udp');
    const seed = queryOctets('a.bc.udp.example', {
      dnssecOk: true,
      options: Buffer.from('0003000400112233', 'hex'),
    });
    for (let i = 0; i < 2000; i++) {
      // QR=0 and an ID of its own, so that replies can be told apart.
      const octets = mutate(seed, i, 2);
      octets.writeUInt16BE(i, 0);
      if (octets.length > 2) octets[2]! &= 0x7f;
      client.send(octets);
      sent++;
      if (i % 100 === 99) {
        t.equal((await client.ask('probe.example', { id: 0xf000 + i })).answer.length, 1, `after ${i + 1}`);
        sent++;
      }
    }
    const ids = client.strays.map((octets) => octets.readUInt16BE(0));
    t.ok(
      ids.every((id) => id < 2000),
      'no ID that was not sent',
    );
    t.equal(new Set(ids).size, ids.length, 'no two replies to one question');
    for (const stray of client.strays) t.doesNotThrow(() => readMessage(stray), 'sound');
    client.close();
  },
);

t.test('hostile upstream replies: the good one that follows wins, or SERVFAIL comes', async (t) => {
  const client = await Client.open(server, 'udp');
  const wrong: string[] = [];
  let answered = 0;
  const check = async (name: string, what: string, mustBeGood: boolean): Promise<void> => {
    sent++;
    const reply = await asking(client, name);
    const good = reply.rcode === 'NOERROR' && reply.answer[0]?.data === GOOD;
    if (mustBeGood && !good) wrong.push(`spoilt: ${what}: ${reply.rcode}`);
    if (!isClean(reply, name)) wrong.push(`unclean: ${what}: ${JSON.stringify(reply)}`);
    if (reply.answer.length > 0) answered++;
  };
  const overBoth = (run: (over: string) => Promise<void>): Promise<void>[] => ['udp', 'tcp'].map(run);
  await Promise.all([
    ...ALL.flatMap((vector, i) =>
      ['raw', 'id', 'asked', 'alone'].flatMap((kind) =>
        // Where nothing of it matches, the wait for a datagram goes on.
        overBoth((over) =>
          check(
            `v${i}.${kind}.${over}.example`,
            `${vector.name} ${kind} over ${over}`,
            over === 'udp' && (kind === 'raw' || kind === 'id'),
          ),
        ),
      ),
    ),
    ...Array.from({ length: 400 }).flatMap((_, i) =>
      overBoth((over) => check(`m${i}.mutated.${over}.example`, `mutation ${i} over ${over}`, false)),
    ),
  ]);
  t.same(wrong, []);
  t.same(client.strays, []);
  t.ok(answered > 200, `${answered} answers`);
  client.close();
});

t.test('it lives, has met no bug, and counted every query', async (t) => {
  const client = await Client.open(server, 'udp');
  t.equal((await client.ask('probe.example')).answer.length, 1);
  client.close();
  t.same([...udp.unsound, ...tcp.unsound], [], 'nothing unsound went upstream');
  const { queries } = await server.stop(t);
  const { bugs: _bugs, ...exits } = queries as Record<string, number>;
  t.equal(
    Object.values(exits).reduce((sum, count) => sum + count),
    sent + 1 - short,
    'an answer or a counted drop for each',
  );
});

/** Waits for the one reply that a vector brings. */
async function once(client: Client): Promise<void> {
  for (let waited = 0; client.strays.length === 0 && waited < 5000; waited += 2) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function checkReply(
  t: Pick<typeof import('tap').t, 'equal' | 'ok'>,
  name: string,
  octets: Buffer,
  query: string,
  reply: Message,
  transport: 'udp' | 'tcp',
): void {
  const [fate = '', asked = '', type = '', ...marks] = query.split(' ');
  t.equal(reply.id, octets.readUInt16BE(0), `${name}: its ID`);
  t.ok((reply.flags & 0x8000) !== 0, `${name}: a response`);
  t.equal(reply.opcode, (octets[2]! >>> 3) & 15, `${name}: its opcode`);
  if (fate !== 'ask') {
    t.equal(reply.rcode, fate === 'BADVERS' ? 'RCODE16' : fate, `${name}: ${query}`);
    t.equal(reply.answer.length + reply.authority.length + reply.additional.length, 0, `${name}: bare`);
    // A server cookie is 16 octets more than a client's, and an option of its own where that could be read.
    const cookie = reply.opt?.options.some(({ code }) => code === 10) === true ? 28 : 0;
    t.ok(reply.octets.length <= Math.max(octets.length, 12) + 11 + cookie, `${name}: hardly larger than it`);
    return;
  }
  t.ok(['NOERROR', 'NXDOMAIN', 'SERVFAIL'].includes(reply.rcode), `${name}: ${reply.rcode}`);
  t.equal(reply.question?.name.toLowerCase(), asked === '.' ? '.' : `${asked}.`, `${name}: its name`);
  t.equal(reply.question?.type, type, `${name}: its type`);
  t.equal(reply.opt !== null, marks.includes('edns'), `${name}: OPT only when asked`);
  t.equal(reply.opt?.dnssecOk ?? false, marks.includes('do'), `${name}: DO as asked`);
  const keepalive = reply.opt?.options.some(({ code }) => code === 11) ?? false;
  t.equal(keepalive, marks.includes('keepalive') && transport === 'tcp', `${name}: keepalive`);
  t.equal(
    reply.opt?.options.some(({ code }) => code === 10) ?? false,
    marks.includes('cookie'),
    `${name}: cookie`,
  );
  t.ok(
    reply.opt?.options.every(({ code }) => code === 10 || code === 11 || code === 15) ?? true,
    `${name}: no other option comes back`,
  );
  if (transport === 'udp') {
    const size = marks.includes('edns') ? 1232 : 512;
    t.ok(reply.octets.length <= size, `${name}: its size`);
  }
}

let nextId = 0;

/** Asks on a socket that has many questions under way, with IDs of this test's own. */
async function asking(client: Client, name: string): Promise<Message> {
  nextId = (nextId + 1) & 0xffff;
  return client.ask(name, { id: nextId }, 30_000);
}

/** Whether a reply holds nothing but the chain from `name` and its end. */
function isClean(reply: Message, name: string): boolean {
  let owner = `${name}.`;
  for (const record of reply.answer) {
    if (record.class !== 1 || record.owner.toLowerCase() !== owner) return false;
    if (record.type === 'CNAME') owner = record.data.toLowerCase();
    else if (record.type !== 'A') return false;
  }
  const soa = reply.authority.every(({ type, class: cls, owner: at }) => {
    const suffix = at === '.' ? '.' : `.${at.toLowerCase()}`;
    return type === 'SOA' && cls === 1 && (suffix === '.' || `.${owner}`.endsWith(suffix));
  });
  return soa && reply.additional.length === 0 && ['NOERROR', 'NXDOMAIN', 'SERVFAIL'].includes(reply.rcode);
}

function withId(octets: Buffer, id: number): Buffer {
  const copy = Buffer.from(octets);
  if (copy.length >= 2) copy.writeUInt16BE(id, 0);
  return copy;
}

/** The vector's header and what stands behind its question, with ID and question of `asked`; QR=1. */
function around(octets: Buffer, asked: Buffer): Buffer {
  const end = (message: Buffer): number => {
    let at = 12;
    while (at < message.length && message[at] !== 0 && message[at]! < 64) at += 1 + message[at]!;
    return Math.min(message.length, at + 5);
  };
  if (octets.length < 12) return withId(octets, asked.readUInt16BE(0));
  const header = withId(octets.subarray(0, 12), asked.readUInt16BE(0));
  header[2]! |= 0x80;
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, asked.subarray(12, end(asked)), octets.subarray(end(octets))]);
}

/** One to four changes behind the first `from` octets: a bit, an octet, a cut, a repeat. The same for the same seed. */
function mutate(octets: Buffer, seed: number, from: number): Buffer {
  const random = new Random(seed);
  let out = Buffer.from(octets);
  for (let changes = 1 + random.below(4); changes > 0 && out.length > from; changes--) {
    const at = from + random.below(out.length - from);
    switch (random.below(5)) {
      case 0:
        out[at]! ^= 1 << random.below(8);
        break;
      case 1:
        out[at] = random.below(256);
        break;
      case 2:
        out = out.subarray(0, at);
        break;
      case 3:
        out[at] = [0, 0xff, 0xc0, 0x3f][random.below(4)]!;
        break;
      default:
        out = Buffer.concat([
          out.subarray(0, at),
          octets.subarray(random.below(octets.length)),
          out.subarray(at),
        ]);
    }
  }
  return Buffer.from(out.subarray(0, 4000));
}

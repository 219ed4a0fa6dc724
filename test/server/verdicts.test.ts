import { Packet } from 'dns2';
import t from 'tap';
import { Client, queryOctets, type Transport } from './client.ts';
import { describe, type Message, readMessage } from './message.ts';
import { namegate } from './namegate.ts';
import { upstream } from './upstream.ts';
import { ASKED, TABLE } from './verdict-table.ts';
import { LIST, POLICY, world } from './verdicts.ts';

const OWN_SOA = '30 SOA . . 1 3600 600 86400 30';

const up = await upstream(t, world);
const server = await namegate(t, {
  policy: { 'all.yaml': POLICY, 'lists/mirrors.txt': LIST },
  servers: `[${up.url}]`,
  settings: 'limits: { unknown_qps: 1000 }',
  listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0', 'udp://[::1]:0', 'tcp://[::1]:0'],
});

for (const { from, rows } of TABLE) {
  t.test(`what ${from} sees`, async (t) => {
    const place = from.includes(':') ? server.at(from) : server;
    const udp = await Client.open(place, 'udp', from);
    const tcp = await Client.open(place, 'tcp', from);
    for (const { question, expected } of rows) {
      const [name = '', type = 'A', flag = ''] = question.split(' ');
      for (const written of [name, mixed(name)]) {
        const query = queryOctets(written, {
          type,
          dnssecOk: flag === 'DO',
          checkingDisabled: flag === 'CD',
          authentic: flag === 'AD',
          size: flag === '-' ? null : 1232,
        });
        const overTcp = await replyTo(tcp, query);
        t.equal(sketch(overTcp, expected), expected, `${question} over TCP`);
        checkUdp(t, await replyTo(udp, query), overTcp, query.length, expected, question);
      }
    }
    t.same([...udp.strays, ...tcp.strays], [], 'nothing else came');
    udp.close();
    tcp.close();
  });
}

t.test('a large answer: TC over UDP with no partial RRset, whole over TCP', async (t) => {
  for (const [over, size, answers] of [
    ['udp', 512, 0],
    ['udp', 1232, 0],
    ['udp', 4096, 0],
    ['tcp', 512, 100],
  ] as const) {
    const client = await Client.open(server, over as Transport, '127.0.0.11');
    const reply = await client.ask('large.corp.example', { size });
    t.equal(reply.answer.length, answers, `${over} ${size}`);
    t.equal((reply.flags & 0x200) !== 0, over === 'udp', `TC ${over} ${size}`);
    client.close();
  }
});

t.test('nothing but approved questions went upstream, each once, sound and bare', async (t) => {
  t.same(up.unsound, []);
  const large = up.seen.filter(({ name }) => name === 'large.corp.example.');
  t.equal(large.length, 1);
  t.same(
    up.seen
      .filter((seen) => !large.includes(seen))
      .map(({ name, type, checkingDisabled }) => `${name} ${type}${checkingDisabled ? ' CD' : ''}`)
      .sort(),
    ASKED,
  );
});

t.test('findings of audit and of withheld answers are in the log, each once', async (t) => {
  await server.logged('finding', 7);
  t.same(
    server
      .events('finding')
      .map(({ finding, identity, name, type }) => [finding, identity, name, type].join(' '))
      .sort(),
    [
      'private-address audited in.corp.example A',
      'private-address build in2.corp.example A',
      'private-address build loop.corp.example A',
      'unapproved-target build stray.corp.example MX',
      'would_deny audited denied.example A',
      'would_deny audited in.corp.example A',
      'would_deny audited www.corp.example TXT',
    ],
  );
});

t.test('it stops well, and has counted every query', async (t) => {
  const { queries } = await server.stop(t);
  const rows = TABLE.reduce((sum, block) => sum + block.rows.length, 0);
  const { bugs: _bugs, ...exits } = queries as Record<string, number>;
  t.equal(
    Object.values(exits).reduce((sum, count) => sum + count),
    rows * 4 + 4,
  );
});

/** The reply, once it is sure that it is one to this query: its ID, and its question octet by octet. */
async function replyTo(client: Client, query: Buffer): Promise<Message> {
  const reply = await client.exchange(query);
  if (reply === null) throw new Error(`no reply to ${query.toString('latin1')}`);
  const message = readMessage(reply);
  checkByDns2(reply, message);
  const end = questionEnd(query);
  if (!reply.subarray(12, end).equals(query.subarray(12, end))) throw new Error('another question');
  return message;
}

/** dns2 reads the same from it, as far as it can: counts, RCODE, and the addresses. */
function checkByDns2(reply: Buffer, { id, flags, answer, authority }: Message): void {
  const { header, answers, authorities } = Packet.parse(reply);
  const addresses = answers.flatMap((record) =>
    'address' in record && record.type === 1 ? [record.address] : [],
  );
  const same =
    header.id === id &&
    header.qr === 1 &&
    header.rcode === (flags & 15) &&
    answers.length === answer.length &&
    authorities.length === authority.length &&
    addresses.join() ===
      answer
        .filter(({ type }) => type === 'A')
        .map(({ data }) => data)
        .join();
  if (!same) throw new Error(`dns2 reads otherwise: ${JSON.stringify({ header, answers, authorities })}`);
}

function questionEnd(query: Buffer): number {
  let at = 12;
  while (query[at] !== 0) at += 1 + query[at]!;
  return at + 5;
}

/** Addresses of one name come in another order each time. */
function inOrder(answer: Message['answer']): Message['answer'] {
  return answer.toSorted((a, b) =>
    a.type === 'A' && b.type === 'A' && a.owner === b.owner ? a.data.localeCompare(b.data) : 0,
  );
}

/** As the table writes it: without the question, which `replyTo` compares; TTLs that have counted down by a little as they were. */
function sketch(reply: Message, expected: string): string {
  const text = describe({ ...reply, answer: inOrder(reply.answer) })
    .split(' | ')
    .filter((_, i) => i !== 1)
    .join(' | ')
    .replaceAll(OWN_SOA, '~');
  const lower = text.replace(/answer .*?(?= \||$)|authority .*?(?= \||$)/g, (part) =>
    part.replace(/[^ ]+\.(?= |,|$)/g, (name) => name.toLowerCase()),
  );
  const wanted = [...expected.matchAll(/ (\d+) (?=[A-Z]+ )/g)].map(([, ttl]) => Number(ttl));
  let index = 0;
  return lower.replace(/ (\d+) (?=[A-Z]+ )/g, (match, ttl: string) => {
    const want = wanted[index++];
    return want !== undefined && Number(ttl) <= want && Number(ttl) >= want - 5 ? ` ${want} ` : match;
  });
}

/** The same over UDP; a denial is cut to three times its question, the text first. */
function checkUdp(
  t: Tap,
  reply: Message,
  overTcp: Message,
  size: number,
  expected: string,
  question: string,
): void {
  if ((overTcp.opt?.ede.length ?? 0) === 0) {
    t.equal(sketch(reply, expected), expected, `${question} over UDP`);
    return;
  }
  const bare = (text: string): string => text.replace(/ EDE .*$/, '');
  t.equal(bare(sketch(reply, expected)), bare(expected), `${question} over UDP`);
  const [cut] = reply.opt?.ede ?? [];
  const [whole] = overTcp.opt!.ede;
  t.ok(cut === undefined || (cut.code === whole!.code && isCut(cut.text, whole!.text)), `${question}: EDE`);
  if (!/answer held|answer led/.test(whole!.text))
    t.ok(reply.octets.length <= 3 * size, `${question}: no more than three times`);
}

/** The middle goes first: whom to ask stays longest. */
function isCut(text: string, whole: string): boolean {
  const at = whole.lastIndexOf('; ask ');
  if (at < 0 || whole.startsWith(text)) return whole.startsWith(text);
  const tail = whole.slice(at);
  if (!text.endsWith(tail)) return tail.slice(2).startsWith(text);
  return whole.startsWith(text.slice(0, -tail.length));
}

type Tap = Pick<typeof t, 'equal' | 'ok'>;

/** Letters in alternating case, as a client with 0x20 writes them. */
function mixed(name: string): string {
  return [...name].map((char, i) => (i % 2 === 0 ? char.toUpperCase() : char)).join('');
}

import t from 'tap';
import { Client } from './client.ts';
import { type Message, replyOctets } from './message.ts';
import { namegate } from './namegate.ts';
import { type Answering, type Seen, upstream } from './upstream.ts';

/** An upstream that lies, by the first label of the question. What is true is `GOOD`; no client may see `EVIL`. */

const GOOD = '198.51.100.1';
const EVIL = '203.0.113.66';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "**.lies.example", reason: what lies }]
`;

type Trick = (seen: Seen, to: Answering, good: () => void) => void;

const evil = (name: string): string => `${name} 60 A ${EVIL}`;

/** Tricks after which the good answer comes, a moment later: it is what the client gets. */
const HARMLESS: Readonly<Record<string, Trick>> = {
  'wrong-id': ({ octets, name, id }, to, good) => {
    to.send(withId(replyOctets(octets, { answer: [evil(name)] }), id ^ 1));
    good();
  },
  'forged-flood': ({ octets, name, id }, to, good) => {
    const forged = replyOctets(octets, { answer: [evil(name)] });
    for (let i = 1; i <= 500; i++) to.send(withId(forged, (id + i) & 0xffff));
    good();
  },
  'other-port': ({ octets, name }, to, good) => {
    to.sendFromElsewhere(replyOctets(octets, { answer: [evil(name)] }));
    good();
  },
  'other-question': ({ octets, name }, to, good) => {
    to.send(replaceName(replyOctets(octets, { answer: [evil(name)] }), 12));
    good();
  },
  'other-type': ({ octets, name }, to, good) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply.writeUInt16BE(28, octets.length - 11 - 4);
    to.send(reply);
    good();
  },
  'other-class': ({ octets, name }, to, good) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply.writeUInt16BE(3, octets.length - 11 - 2);
    to.send(reply);
    good();
  },
  'a-query': ({ octets, name }, to, good) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply[2]! &= 0x7f;
    to.send(reply);
    good();
  },
  'no-question': ({ octets, name }, to, good) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply.writeUInt16BE(0, 4);
    to.send(reply);
    good();
  },
  'header-alone': ({ octets }, to, good) => {
    const header = Buffer.from(octets.subarray(0, 12));
    header[2]! |= 0x80;
    to.send(header);
    good();
  },
  'empty-datagram': (_seen, to, good) => {
    to.send(Buffer.alloc(0));
    good();
  },
  'its-own-query': ({ octets }, to, good) => {
    to.send(octets);
    good();
  },
  'other-case': ({ octets, name, over }, to, good) => {
    // Right in all but case, and evil: TCP tells.
    if (over === 'udp') to.send(swapCase(replyOctets(octets, { answer: [evil(name)] })));
    if (over === 'tcp') good();
  },
  truncated: ({ octets, name, over }, to, good) => {
    if (over === 'udp') to.send(replyOctets(octets, { flags: 0x200, answer: [evil(name)] }));
    else good();
  },
  'truncated-garbage': ({ octets, over }, to, good) => {
    // Cut in the middle of a record, as some servers do.
    if (over === 'udp') {
      const reply = replyOctets(octets, { flags: 0x200, answer: [evil('x.example.')] });
      to.send(reply.subarray(0, reply.length - 7));
    } else good();
  },
  twice: (_seen, to, good) => {
    good();
    setTimeout(() => to.reply({ answer: [evil('twice.lies.example.')] }), 80);
  },
};

/** Tricks that themselves answer well over TCP. */
const BY_TRANSPORT = ['other-case', 'truncated', 'truncated-garbage'];

/** Questions of one name to one server whose replies cannot be used: over UDP, over TCP, and without OPT. */
const MOST_ASKED = 8;

/** Replies that match and cannot be used: SERVFAIL, without waiting for more. */
const USELESS: Readonly<Record<string, Trick>> = {
  'nxdomain-with-data': ({ name }, to) => to.reply({ rcode: 3, answer: [evil(name)] }),
  'cname-to-itself': ({ name }, to) => to.reply({ answer: [`${name} 60 CNAME ${name}`] }),
  'cname-loop': ({ name }, to) =>
    to.reply({
      answer: [`${name} 60 CNAME b.example.`, `b.example. 60 CNAME ${name}`, evil(name)].slice(0, 2),
    }),
  'long-chain': ({ name }, to) =>
    to.reply({
      answer: [
        `${name} 60 CNAME c0.example.`,
        ...Array.from({ length: 30 }, (_, i) => `c${i}.example. 60 CNAME c${i + 1}.example.`),
        evil('c30.example.'),
      ],
    }),
  referral: ({ name }, to) =>
    to.reply({
      authority: [`${name} 60 NS ns.evil.example.`],
      additional: [evil('ns.evil.example.')],
    }),
  'cut-record': ({ octets, name }, to) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    to.send(reply.subarray(0, reply.length - 2));
  },
  'count-too-high': ({ octets, name }, to) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply.writeUInt16BE(2, 6);
    to.send(reply);
  },
  'trailing-octets': ({ octets, name }, to) =>
    to.send(Buffer.concat([replyOctets(octets, { answer: [evil(name)] }), Buffer.from([0, 0])])),
  'short-address': ({ name }, to) => to.reply({ answer: [`${name} 60 A 203.0.113`] }),
  'pointer-loop': ({ octets, name }, to) => {
    const reply = replyOctets(octets, { answer: [evil(name)] });
    reply.writeUInt16BE(0xc000 | (octets.length - 11), octets.length - 11);
    to.send(reply);
  },
  refused: (_seen, to) => to.reply({ rcode: 5 }),
  notimp: (_seen, to) => to.reply({ rcode: 4 }),
  formerr: (_seen, to) => to.reply({ rcode: 1 }),
  servfail: (_seen, to) => to.reply({ rcode: 2 }),
  yxdomain: (_seen, to) => to.reply({ rcode: 6 }),
};

/** Replies that are usable once they are cleaned. */
const CLEANED: Readonly<Record<string, { readonly trick: Trick; readonly sees: string }>> = {
  smuggler: {
    trick: ({ name }, to) =>
      to.reply({
        answer: [`${name} 60 A ${GOOD}`, evil('victim.lies.example.'), evil('denied.example.')],
        authority: ['lies.example. 60 NS victim.lies.example.', evil('victim.lies.example.')],
        additional: [evil('victim.lies.example.'), evil('denied.example.'), 'lies.example. 60 TXT evil'],
      }),
    sees: `NOERROR smuggler.lies.example. A ${GOOD}`,
  },
  'data-of-others-alone': {
    trick: (_seen, to) => to.reply({ answer: [evil('victim.lies.example.')] }),
    sees: 'NOERROR',
  },
  'soa-of-another-zone': {
    trick: (_seen, to) =>
      to.reply({ rcode: 3, authority: ['evil.example. 3600 SOA a.example. b.example. 1 2 3 4 3600'] }),
    sees: 'NXDOMAIN',
  },
  'other-class-record': {
    trick: ({ octets, name }, to) => {
      const reply = replyOctets(octets, { answer: [evil(name)] });
      // The record's class: CHAOS.
      reply.writeUInt16BE(3, reply.length - 12);
      to.send(reply);
    },
    sees: 'NOERROR',
  },
  'chain-and-more': {
    trick: ({ name }, to) =>
      to.reply({
        answer: [
          `elsewhere.example. 60 A ${GOOD}`,
          evil('victim.lies.example.'),
          `${name} 60 CNAME elsewhere.example.`,
          `${name} 60 CNAME evil.example.`,
          evil('evil.example.'),
        ],
      }),
    sees: `NOERROR chain-and-more.lies.example. CNAME elsewhere.example. elsewhere.example. A ${GOOD}`,
  },
  'chain-to-nothing': {
    trick: ({ name }, to) =>
      to.reply({
        rcode: 3,
        answer: [`${name} 60 CNAME nowhere.example.`],
        authority: ['example. 60 SOA a.example. b.example. 1 2 3 4 60'],
      }),
    sees: 'NXDOMAIN chain-to-nothing.lies.example. CNAME nowhere.example.',
  },
  // The CNAME that a DNAME makes is ours to write, whatever the server says of it.
  'host.dname': {
    trick: (_seen, to) =>
      to.reply({
        answer: [
          'dname.lies.example. 60 DNAME target.example.',
          'host.dname.lies.example. 60 CNAME evil.example.',
          evil('evil.example.'),
          `host.target.example. 60 A ${GOOD}`,
        ],
      }),
    sees: `NOERROR dname.lies.example. DNAME target.example. host.dname.lies.example. CNAME host.target.example. host.target.example. A ${GOOD}`,
  },
  'top-bit-ttl': {
    trick: ({ name }, to) => to.reply({ answer: [`${name} 4294967295 A ${GOOD}`] }),
    sees: `NOERROR top-bit-ttl.lies.example. A ${GOOD}`,
  },
};

const up = await upstream(t, (seen, to) => {
  const label = seen.name.replace('.lies.example.', '');
  const good = (): void => void setTimeout(() => to.reply({ answer: [`${seen.name} 60 A ${GOOD}`] }), 40);
  // What is odd in a datagram is asked about over TCP, where most of these tricks would end the connection of all.
  const harmless = seen.over === 'udp' || BY_TRANSPORT.includes(label) ? HARMLESS[label] : undefined;
  const trick = harmless ?? USELESS[label] ?? CLEANED[label]?.trick;
  if (trick === undefined) good();
  else trick(seen, to, good);
});
const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]` });
const client = await Client.open(server, 'tcp');

function asks(label: string): Promise<Message> {
  return client.ask(`${label}.lies.example`);
}

t.test('what does not match is passed over, and the wait goes on', async (t) => {
  await Promise.all(
    Object.keys(HARMLESS).map(async (label) => {
      const reply = await asks(label);
      t.equal(sketch(reply), `NOERROR ${label}.lies.example. A ${GOOD}`, label);
    }),
  );
  const overTcp = new Set(
    up.seen.filter(({ over }) => over === 'tcp').map(({ name }) => name.replace('.lies.example.', '')),
  );
  for (const label of BY_TRANSPORT) t.ok(overTcp.has(label), `${label}: TCP is asked`);
  for (const label of ['other-port', 'twice']) t.notOk(overTcp.has(label), `${label}: TCP is not asked`);
});

t.test('a reply that matches and cannot be used: SERVFAIL with EDE 22, and then from memory', async (t) => {
  for (const label of Object.keys(USELESS)) {
    const asked = up.seen.length;
    const reply = await asks(label);
    t.equal(sketch(reply), 'SERVFAIL', label);
    t.same(
      reply.opt?.ede.map(({ code }) => code),
      [22],
      `${label}: EDE`,
    );
    const times = up.seen.length - asked;
    t.ok(times >= 1 && times <= MOST_ASKED, `${label}: asked a few times`, { times });
    const again = await asks(label);
    t.same(again.opt?.ede.map(({ code }) => code).sort(), [13, 22], `${label}: a cached failure (RFC 9520)`);
    t.equal(up.seen.length, asked + times, `${label}: not asked again`);
  }
});

t.test('a reply is cleaned: the chain from the question, and nothing else', async (t) => {
  for (const [label, { sees }] of Object.entries(CLEANED)) {
    const reply = await asks(label);
    t.equal(sketch(reply), sees, label);
    t.same(reply.additional, [], `${label}: no additional`);
    t.ok(
      reply.authority.every(({ type }) => type === 'SOA'),
      `${label}: no other authority`,
    );
    t.notMatch(JSON.stringify(reply), EVIL, `${label}: nothing evil`);
  }
});

t.test('what was smuggled in taught the cache nothing', async (t) => {
  const asked = up.seen.length;
  const reply = await asks('victim');
  t.equal(sketch(reply), `NOERROR victim.lies.example. A ${GOOD}`);
  t.equal(up.seen.length, asked + 1, 'it had to be asked');
});

t.test('IDs and ports of questions are not to be guessed, and case is mixed', async (t) => {
  const udp = up.seen.filter(({ over }) => over === 'udp');
  t.ok(new Set(udp.map(({ port }) => port)).size > 0.9 * udp.length, 'ports');
  t.ok(new Set(udp.map(({ id }) => id)).size > 0.9 * udp.length, 'IDs');
  t.ok(udp.filter(({ written }) => written !== written.toLowerCase()).length > 0.9 * udp.length, 'case');
  t.same(up.unsound, [], 'and nothing else goes out: no option, no ECS');
  const bare = new Set(up.seen.filter(({ edns }) => !edns).map(({ name }) => name));
  t.same(
    [...bare].sort(),
    ['formerr.lies.example.', 'notimp.lies.example.'],
    'without OPT where OPT is refused',
  );
});

t.test('a server that folds case is remembered: one TCP question, and then UDP in lower case', async (t) => {
  const folding = await upstream(t, ({ octets, name, over }, to) => {
    const reply = replyOctets(octets, { answer: [`${name} 60 A ${GOOD}`] });
    to.send(lowerCase(reply));
    if (over === 'tcp') to.reply({});
  });
  const other = await namegate(t, {
    policy: POLICY,
    servers: `[${folding.url}]`,
  });
  const asker = await Client.open(other, 'udp');
  for (const label of ['first', 'second', 'third']) {
    const reply = await asker.ask(`${label}.lies.example`);
    t.equal(sketch(reply), `NOERROR ${label}.lies.example. A ${GOOD}`, label);
  }
  t.equal(folding.seen.filter(({ over }) => over === 'tcp').length, 1);
  t.same(
    folding.seen.filter(({ over }) => over === 'udp').map(({ written }) => written === written.toLowerCase()),
    [false, true, true],
  );
  await other.logged('upstream-changed');
  asker.close();
  await other.stop(t);
});

t.test('it has met no bug', async (t) => {
  client.close();
  await server.stop(t);
});

/** RCODE and answers, without TTLs. */
function sketch({ rcode, answer }: Message): string {
  return [rcode, ...answer.map(({ owner, type, data }) => `${owner} ${type} ${data}`)].join(' ');
}

function withId(octets: Buffer, id: number): Buffer {
  const copy = Buffer.from(octets);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** Another letter as the first of the name at `at`. */
function replaceName(octets: Buffer, at: number): Buffer {
  const copy = Buffer.from(octets);
  copy[at + 1] = copy[at + 1] === 0x7a ? 0x79 : 0x7a;
  return copy;
}

function swapCase(octets: Buffer): Buffer {
  const copy = Buffer.from(octets);
  for (let at = 12; copy[at] !== 0; at++)
    if (/[a-z]/i.test(String.fromCharCode(copy[at]!))) copy[at]! ^= 0x20;
  return copy;
}

function lowerCase(octets: Buffer): Buffer {
  const copy = Buffer.from(octets);
  for (let at = 12; copy[at] !== 0; at++) if (/[A-Z]/.test(String.fromCharCode(copy[at]!))) copy[at]! |= 0x20;
  return copy;
}

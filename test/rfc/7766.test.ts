import { connect, type Socket } from 'node:net';
import t from 'tap';
import { ask, framed, queryOctets } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import { namegate, pause } from '../server/namegate.ts';
import { type Script, upstream } from '../server/upstream.ts';
import { option } from '../wire/build.ts';

/**
 * RFC 7766, DNS over TCP, of a server with sockets: each row is what a client writes, and what must come back. The limits of
 * §6.2.2 and §6.2.3 are `test/listen/stream/tcp.test.ts`, with a clock that the test turns, and `test/hostile/`.
 */
interface Row {
  readonly says: string;
  /** What is written: each part in a segment of its own, some milliseconds after the one before. */
  readonly parts: readonly Buffer[];
  /** IDs of the replies, in their order; `any` where the order is the server's. */
  readonly replies: readonly number[];
  readonly any?: boolean;
  /** The client says that it has said all. */
  readonly halfClosed?: boolean;
  /** How the server ends the connection; it stays open without. */
  readonly ends?: 'end' | 'reset';
}

const SLOW_MS = 150;

/** `slow` names wait; `large` ones have more than a datagram holds. */
const script: Script = ({ name, type }, to) => {
  const count = name.startsWith('large') ? 200 : 1;
  const answer = Array.from({ length: count }, (_, i) => `${name} 60 A 198.51.100.${i}`);
  const reply = (): void => to.reply(type === 'A' ? { answer } : {});
  if (name.startsWith('slow')) setTimeout(reply, SLOW_MS);
  else reply();
};

const outside = await upstream(t, script);
const server = await namegate(t, {
  policy: `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: "**.zone.example", reason: approved }
      - { name: here.local.example, reason: local }
records:
  - { name: here.local.example, type: A, data: 192.0.2.1 }
`,
  servers: `[${outside.url}]`,
});

function local(id: number): Buffer {
  return framed(queryOctets('here.local.example', { id }));
}

function far(id: number, label: string): Buffer {
  return framed(queryOctets(`${label}.zone.example`, { id }));
}

function octetByOctet(octets: Buffer): Buffer[] {
  return [...octets].map((octet) => Buffer.from([octet]));
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
/** A query of 65,535 octets: the rest of it is padding (RFC 7830). */
const bare = queryOctets('here.local.example', { id: 1, options: option(12) }).length;
const largest = queryOctets('here.local.example', {
  id: 1,
  options: option(12, Buffer.alloc(65_535 - bare)),
});

const ROWS: Row[] = [
  { says: '§5: a question over TCP alone, nothing over UDP before it', parts: [local(1)], replies: [1] },
  {
    says: '§6.2.1: a connection is used again and again',
    parts: numbers(20).map(local),
    replies: numbers(20),
  },
  {
    says: '§6.2.1.1: pipelining: 200 questions in one segment',
    parts: [Buffer.concat(numbers(200).map(local))],
    replies: numbers(200),
  },
  {
    says: '§6.2.1.1: pipelining: 60 questions that must go out, one reply each',
    parts: [Buffer.concat(numbers(60).map((id) => far(id, `p${id}`)))],
    replies: numbers(60),
    any: true,
  },
  {
    says: '§7: a reply does not wait for that of an earlier question',
    parts: [Buffer.concat([far(1, 'slow1'), local(2), far(3, 'fast3'), local(4)])],
    replies: [2, 4, 3, 1],
  },
  {
    says: '§6.2.1.1: the same question twice with two IDs: two replies',
    parts: [Buffer.concat([far(1, 'slow2'), far(2, 'slow2')])],
    replies: [1, 2],
    any: true,
  },
  {
    says: '§6.2.1.1: the same question twice with one ID: two replies',
    parts: [Buffer.concat([local(7), local(7)])],
    replies: [7, 7],
  },
  {
    says: '§8: length and message may come octet by octet',
    parts: octetByOctet(local(1)),
    replies: [1],
  },
  {
    says: '§8: a segment ends in the middle of the next length',
    parts: [
      Buffer.concat([local(1), local(2).subarray(0, 1)]),
      Buffer.concat([local(2).subarray(1), local(3)]),
    ],
    replies: [1, 2, 3],
  },
  { says: '§8: a message of 65,535 octets', parts: [framed(largest)], replies: [1] },
  {
    says: '§8: a length of 0 holds no message: the connection ends, what came before it is answered',
    parts: [Buffer.concat([local(1), Buffer.from([0, 0]), local(2)])],
    replies: [1],
    ends: 'reset',
  },
  {
    says: '§6.2.4: half-close: what was asked is answered, then the server ends too',
    parts: [Buffer.concat([far(1, 'slow3'), local(2)])],
    replies: [2, 1],
    halfClosed: true,
    ends: 'end',
  },
  {
    says: '§6.2.4: half-close in the middle of a message: what was whole is answered',
    parts: [Buffer.concat([local(1), local(2).subarray(0, 9)])],
    replies: [1],
    halfClosed: true,
    ends: 'end',
  },
  { says: '§6.2.4: half-close at once', parts: [], replies: [], halfClosed: true, ends: 'end' },
  {
    says: 'RFC 1035 §7.3: a reply among the questions gets no reply, and the others are answered',
    parts: [Buffer.concat([local(1), asReply(local(2)), local(3)])],
    replies: [1, 3],
  },
  {
    says: 'a malformed message among the questions gets FORMERR, and the others are answered',
    parts: [Buffer.concat([local(1), framed(Buffer.from('000201000001000000000000', 'hex')), local(3)])],
    replies: [1, 2, 3],
  },
];

function asReply(frame: Buffer): Buffer {
  const out = Buffer.from(frame);
  out[4]! |= 0x80;
  return out;
}

/** What a connection brought. */
interface Got {
  readonly messages: Buffer[];
  /** A length came without the beginning of its message behind it. */
  split: boolean;
  ended: boolean;
  reset: boolean;
}

function endOf({ ended, reset }: Got): Row['ends'] {
  if (reset) return 'reset';
  return ended ? 'end' : undefined;
}

function open(): Promise<{ readonly socket: Socket; readonly got: Got }> {
  const got: Got = { messages: [], split: false, ended: false, reset: false };
  let rest: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.host, port: server.tcp, noDelay: true, allowHalfOpen: true });
    socket.once('connect', () => resolve({ socket, got }));
    socket.once('error', reject);
    socket.on('error', () => {
      got.reset = true;
    });
    socket.on('end', () => {
      got.ended = true;
    });
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        got.messages.push(Buffer.from(rest.subarray(2, end)));
        rest = rest.subarray(end);
      }
      if (rest.length === 1 || rest.length === 2) got.split = true;
    });
  });
}

for (const row of ROWS) {
  t.test(row.says, async (t) => {
    const { socket, got } = await open();
    for (const [i, part] of row.parts.entries()) {
      if (i > 0) await pause(1);
      socket.write(part);
    }
    if (row.halfClosed === true) socket.end();
    const wanted = row.replies.length;
    for (let waited = 0; waited < 4000; waited += 5) {
      if (got.messages.length >= wanted && endOf(got) === row.ends) break;
      await pause(5);
    }
    // One too many would come now.
    await pause(20);
    const ids = got.messages.map((message) => message.readUInt16BE(0));
    const order = (list: readonly number[]): number[] =>
      row.any === true ? [...list].sort((a, b) => a - b) : [...list];
    t.same(order(ids), order(row.replies), 'the replies');
    for (const message of got.messages) t.ok(readMessage(message).flags & 0x8000, 'sound');
    t.equal(endOf(got), row.ends, 'how it ends');
    t.notOk(got.split, '§8: a length and its message come in one segment');
    socket.destroy();
  });
}

t.test('§5, RFC 2181 §9: what is cut on UDP comes whole over TCP', async (t) => {
  const cut = await ask(server, 'large.zone.example', { over: 'udp' });
  t.ok(cut.flags & 0x200, 'TC');
  t.same([cut.answer, cut.authority], [[], []], 'and no part of an RRset');
  const whole = await ask(server, 'large.zone.example', { over: 'tcp' });
  t.equal(whole.flags & 0x200, 0);
  t.equal(whole.answer.length, 200);
});

t.test('§6.2.2: one question each on 100 connections at once', async (t) => {
  const replies = await Promise.all(
    numbers(100).map((i) => ask(server, `c${i}.zone.example`, { over: 'tcp' })),
  );
  t.same(
    replies.map(({ answer }) => answer.length),
    numbers(100).map(() => 1),
  );
});

t.test('RFC 5625 §6.2: nobody listens where the server file does not say so', async (t) => {
  const refused = await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.2', port: server.tcp });
    socket.once('connect', () => resolve('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    t.teardown(() => socket.destroy());
  });
  t.equal(refused, 'ECONNREFUSED');
});

t.test('it is sound', (t) => server.stop(t).then(() => {}));

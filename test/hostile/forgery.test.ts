import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ask, Client } from '../server/client.ts';
import { readMessage, replyOctets } from '../server/message.ts';
import { type Namegate, namegate, pause } from '../server/namegate.ts';
import { type Answering, type Script, type Seen, upstream } from '../server/upstream.ts';

/**
 * Replies with every ID that there is, to the port of a question that waits, sent from the upstream's own address and
 * port: what a forger on another machine can do at best, once he knows the port. What is left for him to guess is the case
 * of the letters.
 */

const TRUE = '198.51.100.1';
const STRANGER = '127.0.0.3';
const FORGED = '203.0.113.66';
/** Letters enough that nobody guesses their case: one in four billion does. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzabcdef';

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: "*.good.example", reason: what it needs }]
`;

/** What the kernel holds for, and has thrown away from, the UDP socket of a port of 127.0.0.1; null where there is none. */
function received(port: number): { readonly waiting: number; readonly dropped: number } | null {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/udp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) {
      return { waiting: Number.parseInt(fields[4]!.split(':')[1]!, 16), dropped: Number(fields.at(-1)) };
    }
  }
  return null;
}

interface Sent {
  replies: number;
  /** Thrown away by the kernel, unread. */
  dropped: number;
  /** The question's socket was closed before the flood was over. */
  ended: boolean;
}

/** Sends `forged` under each ID that `wanted` says by `send`, as fast as the server reads them from the question's socket. */
async function flood(
  { port }: Seen,
  forged: Buffer,
  wanted: (id: number) => boolean,
  send: (octets: Buffer) => void,
): Promise<Sent> {
  const sent: Sent = { replies: 0, dropped: 0, ended: false };
  for (let id = 0; id < 0x10000; id++) {
    if (!wanted(id)) continue;
    const octets = Buffer.from(forged);
    octets.writeUInt16BE(id, 0);
    send(octets);
    sent.replies++;
    // The socket's buffer holds some 250.
    if (sent.replies % 100 !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    for (let state = received(port); (state?.waiting ?? 0) > 0; state = received(port)) await pause(0);
    if (received(port) !== null) continue;
    sent.ended = true;
    break;
  }
  sent.dropped = received(port)?.dropped ?? 0;
  return sent;
}

/** The question as it was asked, all of it in lower case. */
function lowered(seen: Seen): Buffer {
  const octets = Buffer.from(seen.octets);
  for (let at = 12; at < 12 + seen.written.length; at++)
    if (octets[at]! >= 0x41 && octets[at]! <= 0x5a) octets[at]! += 32;
  return octets;
}

/** The question of another type. */
function retyped(seen: Seen): Buffer {
  const octets = Buffer.from(seen.octets);
  octets.writeUInt16BE(16, 12 + seen.written.length + 1);
  return octets;
}

/** How a forged reply can be sent. */
interface Ways {
  readonly to: Answering;
  /** To the sockets of other questions that were asked of late. */
  readonly others: readonly Answering[];
  /** From another address, and the upstream's port. */
  readonly stranger: (octets: Buffer) => void;
}

interface Case {
  readonly what: string;
  /** The question section, with the case of its letters. */
  readonly asked?: (seen: Seen) => Buffer;
  readonly wanted?: (id: number, seen: Seen) => boolean;
  readonly by?: (ways: Ways, octets: Buffer) => void;
  /** TCP brings the answer, and so ends the wait, where a reply is right but for its case. */
  readonly overTcp?: boolean;
}

const CASES: readonly Case[] = [
  { what: 'every ID but the right one', wanted: (id, seen) => id !== seen.id },
  { what: 'every ID, in the wrong case', asked: lowered, overTcp: true },
  { what: 'every ID, about another type', asked: retyped },
  { what: 'every ID, from another port', by: ({ to }, octets) => to.sendFromElsewhere(octets) },
  { what: 'every ID, from another address', by: ({ stranger }, octets) => stranger(octets) },
  {
    what: 'every ID, to the sockets of other questions',
    by: ({ others }, octets) => {
      for (const other of others) other.send(octets);
    },
  },
];

const UDP_ALONE: readonly Case[] = [{ what: 'every ID, in the wrong case, and no TCP', asked: lowered }];

/** The name whose question sets off the flood of a case. */
const nameOf = (index: number): string => `c${index}${LETTERS}.good.example`;

/** An upstream that is forged. It answers what a case asks for when its flood is over, over TCP at once, and others soon. */
class Forged {
  /** What became of the floods, by the names that set them off. */
  readonly floods = new Map<string, Promise<Sent>>();
  tcp = 0;
  readonly #cases: readonly Case[];
  readonly #stranger = createSocket('udp4');
  #strangerBound = false;
  #others: { readonly port: number; readonly to: Answering }[] = [];

  constructor(t: Test, cases: readonly Case[]) {
    this.#cases = cases;
    t.teardown(() => this.#stranger.close());
  }

  /** The upstream's port: the stranger takes the same at his address. */
  async at(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#stranger.bind(port, STRANGER, resolve));
    this.#strangerBound = true;
  }

  readonly script: Script = (seen, to) => {
    const good = (): void => to.reply({ answer: [`${seen.name} 300 A ${TRUE}`] });
    const index = this.#cases.findIndex((_, i) => seen.name === `${nameOf(i)}.`);
    const found = this.#cases[index];
    if (found === undefined) {
      this.#others = [{ port: seen.port, to }, ...this.#others.slice(0, 3)];
      setTimeout(good, 10);
    } else if (seen.over === 'tcp') {
      this.tcp++;
      good();
    } else if (!this.floods.has(seen.name)) {
      const done = this.#flood(found, seen, to);
      this.floods.set(seen.name, done);
      void done.then(good);
    }
  };

  #flood({ asked, wanted, by }: Case, seen: Seen, to: Answering): Promise<Sent> {
    const forged = replyOctets(asked?.(seen) ?? seen.octets, { answer: [`${seen.name} 300 A ${FORGED}`] });
    const stranger = (octets: Buffer): void => {
      if (this.#strangerBound) this.#stranger.send(octets, seen.port, '127.0.0.1');
    };
    return flood(
      seen,
      forged,
      (id) => wanted?.(id, seen) ?? true,
      (octets) => {
        if (by === undefined) {
          to.send(octets);
          return;
        }
        const others = this.#others.filter(({ port }) => port !== seen.port).map((other) => other.to);
        by({ to, others, stranger }, octets);
      },
    );
  }
}

t.test('65,000 forged replies while a question waits: none is accepted', async (t) => {
  const forged = new Forged(t, CASES);
  const up = await upstream(t, forged.script);
  await forged.at(up.port);
  await attack(t, up.url, forged, CASES);
});

t.test('the same where the server has no TCP: none is accepted', async (t) => {
  const forged = new Forged(t, UDP_ALONE);
  await attack(t, await datagramsAlone(t, forged.script), forged, UDP_ALONE);
});

async function attack(t: Test, url: string, forged: Forged, cases: readonly Case[]): Promise<void> {
  const server = await namegate(t, { policy: POLICY, servers: `[${url}]` });
  for (const [index, { what, overTcp }] of cases.entries()) {
    const others = served(t, server);
    const from = performance.now();
    const tcp = forged.tcp;
    const { answer } = await ask(server, nameOf(index));
    const took = performance.now() - from;
    await others.stop();
    const sent = await forged.floods.get(`${nameOf(index)}.`)!;
    t.same(
      answer.map(({ data }) => data),
      [TRUE],
      `${what}: the true answer, after ${took.toFixed(0)} ms`,
    );
    t.ok(took < 4000, 'in time');
    t.comment(JSON.stringify({ ...sent, tcp: forged.tcp - tcp }));
    if (overTcp === true) {
      t.equal(forged.tcp, tcp + 1, 'TCP told');
    } else {
      t.match(
        sent,
        { ended: false, dropped: 0 },
        'the question waited for all of them, and none was lost on the way',
      );
      t.ok(sent.replies >= 65_535, `${sent.replies} forged replies`);
    }
    const again = await ask(server, nameOf(index));
    t.same(
      again.answer.map(({ data }) => data),
      [TRUE],
      'and the cache holds it',
    );
  }
  t.same(server.events('upstream-changed'), [], 'nobody was taken for a server that folds case');
  await server.stop(t);
}

/** An upstream whose TCP port is closed. Returns its URL. */
async function datagramsAlone(t: Test, script: Script): Promise<string> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  let open = true;
  t.teardown(() => {
    open = false;
    socket.close();
  });
  socket.on('message', (octets, { port }) => {
    const { id, question } = readMessage(octets);
    const { name: written, type } = question!;
    const seen = { octets, id, name: written.toLowerCase(), written, type, checkingDisabled: false, port };
    const send = (reply: Buffer): void => {
      if (open) socket.send(reply, port, '127.0.0.1');
    };
    script(
      { ...seen, over: 'udp', epoch: Date.now(), at: performance.now() },
      { send, sendFromElsewhere: () => {}, reply: (shape) => send(replyOctets(octets, shape)) },
    );
  });
  return `udp://127.0.0.1:${socket.address().port}`;
}

/** Asks other questions all the while; each must be answered, and soon. */
function served(t: Test, server: Namegate): { stop(): Promise<void> } {
  let going = true;
  const run = async (): Promise<void> => {
    const client = await Client.open(server, 'udp', '127.0.0.1');
    let slowest = 0;
    let asked = 0;
    for (; going; asked++) {
      const from = performance.now();
      const reply = await client.ask(`n${names++}.good.example`);
      if (reply.answer[0]?.data !== TRUE) t.fail(`n${names}: ${reply.rcode} ${reply.answer[0]?.data}`);
      slowest = Math.max(slowest, performance.now() - from);
      await pause(5);
    }
    client.close();
    t.comment(`${asked} other questions, the slowest took ${slowest.toFixed(0)} ms`);
    t.ok(asked > 10 && slowest < 1000, 'others are served');
  };
  const done = run();
  return {
    stop() {
      going = false;
      return done;
    },
  };
}

let names = 0;

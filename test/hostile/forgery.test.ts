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

/** Sends a forged reply under each ID that `wanted` says, as fast as the server reads them. */
async function forge(
  seen: Seen,
  to: Answering,
  asked: Buffer,
  wanted: (id: number) => boolean,
): Promise<Sent> {
  const reply = replyOctets(asked, { answer: [`${seen.name} 300 A ${FORGED}`] });
  const sent: Sent = { replies: 0, dropped: 0, ended: false };
  for (let id = 0; id < 0x10000; id++) {
    if (!wanted(id)) continue;
    const forged = Buffer.from(reply);
    forged.writeUInt16BE(id, 0);
    to.send(forged);
    sent.replies++;
    // The socket's buffer holds some 250.
    if (sent.replies % 100 !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    for (let state = received(seen.port); (state?.waiting ?? 0) > 0; state = received(seen.port))
      await pause(0);
    if (received(seen.port) !== null) continue;
    sent.ended = true;
    break;
  }
  sent.dropped = received(seen.port)?.dropped ?? 0;
  return sent;
}

/** The question as it was asked, all of it in lower case. */
function lowered(seen: Seen): Buffer {
  const octets = Buffer.from(seen.octets);
  for (let at = 12; at < 12 + seen.written.length; at++)
    if (octets[at]! >= 0x41 && octets[at]! <= 0x5a) octets[at]! += 32;
  return octets;
}

interface Case {
  readonly what: string;
  /** In the question's own case, or all lower. */
  readonly asked: (seen: Seen) => Buffer;
  readonly wanted: (id: number, seen: Seen) => boolean;
  /** The server's TCP port is closed. */
  readonly udpAlone?: boolean;
}

const CASES: readonly Case[] = [
  {
    what: 'every ID but the right one, in the right case',
    asked: (seen) => seen.octets,
    wanted: (id, seen) => id !== seen.id,
  },
  { what: 'every ID, in the wrong case', asked: lowered, wanted: () => true },
  { what: 'every ID, in the wrong case, and no TCP', asked: lowered, wanted: () => true, udpAlone: true },
];

for (const { what, asked, wanted, udpAlone } of CASES) {
  t.test(`65,000 forged replies while a question waits: ${what}: none is accepted`, async (t) => {
    let flooded: Promise<Sent> | null = null;
    let tcp = 0;
    const script: Script = (seen, to) => {
      if (seen.over === 'tcp') {
        tcp++;
        to.reply({ answer: [`${seen.name} 300 A ${TRUE}`] });
      } else if (!seen.name.startsWith(LETTERS)) {
        to.reply({ answer: [`${seen.name} 300 A ${TRUE}`] });
      } else if (flooded === null) {
        flooded = forge(seen, to, asked(seen), (id) => wanted(id, seen));
        void flooded.then(() => to.reply({ answer: [`${seen.name} 300 A ${TRUE}`] }));
      }
    };
    const url = udpAlone === true ? await datagramsAlone(t, script) : (await upstream(t, script)).url;
    const server = await namegate(t, { policy: POLICY, servers: `[${url}]` });
    const others = served(t, server);
    const from = performance.now();
    const reply = await ask(server, `${LETTERS}.good.example`);
    const took = performance.now() - from;
    await others.stop();
    const sent = await flooded!;
    t.same(
      reply.answer.map(({ data }) => data),
      [TRUE],
      `the true answer, after ${took.toFixed(0)} ms`,
    );
    t.ok(took < 4000, 'in time');
    t.comment(JSON.stringify({ ...sent, tcp }));
    // TCP brings the answer, and so ends the wait, where a reply is right but for its case.
    if (what === CASES[1]!.what) t.ok(tcp > 0, 'TCP told');
    else t.match(sent, { ended: false, dropped: 0 }, 'the server read all of them');
    t.ok(sent.replies > 0, `${sent.replies} forged replies`);
    const again = await ask(server, `${LETTERS}.good.example`);
    t.same(
      again.answer.map(({ data }) => data),
      [TRUE],
      'and the cache holds it',
    );
    t.same(server.events('upstream-changed'), [], 'nobody was taken for a server that folds case');
    await server.stop(t);
  });
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
    const client = await Client.open(server, 'udp');
    let slowest = 0;
    let asked = 0;
    for (; going; asked++) {
      const from = performance.now();
      const reply = await client.ask(`n${asked}.good.example`);
      if (reply.answer[0]?.data !== TRUE) t.fail(`n${asked}: ${reply.rcode} ${reply.answer[0]?.data}`);
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

import { createSocket } from 'node:dgram';
import t, { type Test } from 'tap';
import { ask, Client } from '../server/client.ts';
import { readMessage, replyOctets } from '../server/message.ts';
import { type Namegate, namegate, pause } from '../server/namegate.ts';
import { type Script, type Seen, upstream } from '../server/upstream.ts';
import { Forger, type Guess, nameOf, TRUE } from './forger.ts';
import { prefer, share } from './latency.ts';
import { JOB, policyOf } from './policy.ts';

/** Replies with every ID that there is, while the question waits that they pretend to answer. */

const POLICY = policyOf(JOB);

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

const GUESSES: readonly Guess[] = [
  { what: 'every ID but the right one', without: (id, seen) => id === seen.id },
  { what: 'every ID, in the wrong case', asked: lowered },
  { what: 'every ID, about another type', asked: retyped },
  { what: 'every ID, from another port', by: ({ to }, octets) => to.sendFromElsewhere(octets) },
  { what: 'every ID, from another address', by: ({ stranger }, octets) => stranger(octets) },
  {
    what: 'every ID, to the ports of other questions',
    by: ({ others }, octets) => {
      for (const other of others) other.send(octets);
    },
  },
];

/** Questions of a guess at most: a slow machine sends the replies while several wait, one after the other. */
const ROUNDS = 5;

t.test('65,000 forged replies while a question waits: none is accepted', async (t) => {
  const forger = new Forger(t, GUESSES);
  const up = await upstream(t, forger.script);
  await forger.at(up.port);
  await attack(t, up.url, forger, GUESSES);
});

t.test('the same where the server has no TCP: none is accepted', async (t) => {
  const guesses = GUESSES.slice(0, 2);
  const forger = new Forger(t, guesses);
  await attack(t, await datagramsAlone(t, forger.script), forger, guesses);
});

async function attack(t: Test, url: string, forger: Forger, guesses: readonly Guess[]): Promise<void> {
  const server = await namegate(t, { policy: POLICY, servers: `[${url}]` });
  prefer(server);
  for (const [index, { what }] of guesses.entries()) {
    let replies = 0;
    for (let round = 0; round < ROUNDS && !forger.isDone(index); round++) {
      const name = nameOf(index, round);
      const others = served(t, server);
      const from = performance.now();
      const tcp = forger.tcp;
      const { answer } = await ask(server, name);
      const took = performance.now() - from;
      await others.stop();
      const flood = await forger.flood(name);
      replies += flood.replies;
      t.same(
        answer.map(({ data }) => data),
        [TRUE],
        `${what}: the true answer, after ${took.toFixed(0)} ms`,
      );
      t.comment(JSON.stringify({ ...flood, tcp: forger.tcp - tcp }));
      t.ok(
        flood.met > 0,
        `${flood.met} of ${flood.replies} forged replies came to where it waited at that time`,
      );
      const again = await ask(server, name);
      t.same(
        again.answer.map(({ data }) => data),
        [TRUE],
        'and the cache holds it',
      );
    }
    t.ok(replies > 65_000, `${replies} forged replies in all`);
  }
  t.same(server.events('upstream-changed'), [], 'nobody was taken for a server that folds case');
  share(server);
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
      { ...seen, over: 'udp', edns: true, epoch: Date.now(), at: performance.now() },
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

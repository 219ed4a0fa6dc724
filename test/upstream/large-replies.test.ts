import t from 'tap';
import { LargeReplies, type ReplyHolder } from '../../src/upstream/large-replies.ts';
import { type Asked, ask, frame, reply, tcpUpstream, upstreams, won } from './scripted.ts';

/** Replies that take long to read are read a few a turn of the event loop. */

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('one large message a turn, in the order in which they came; small ones at once', async (t) => {
  const large = new LargeReplies();
  const order: number[] = [];
  const holders = Array.from(
    { length: 4 },
    (_, i): ReplyHolder => ({
      proceed: () => {
        large.count(0xffff);
        order.push(i);
      },
    }),
  );
  const later: ReplyHolder = { proceed: () => t.fail('it has ended') };
  t.equal(large.admit(0xffff, later), true);
  for (const holder of holders) t.equal(large.admit(0xffff, holder), false);
  t.equal(large.admit(0xffff, later), false);
  large.leave(later);
  t.equal(large.admit(512, later), true);
  for (let i = 1; i <= 4; i++) {
    await turn();
    t.equal(order.length, i);
    t.equal(large.admit(512, later), true);
  }
  t.same(order, [0, 1, 2, 3]);
  t.equal(large.admit(0xffff, later), false, 'the turn is spent');
  large.leave(later);
  await turn();
  t.equal(large.admit(0xffff, later), true);
});

t.test('a holder that does nothing, or throws nothing away, keeps nobody waiting', async (t) => {
  const large = new LargeReplies();
  let called = 0;
  const idle = (): ReplyHolder => ({ proceed: () => called++ });
  t.equal(large.admit(0xffff, idle()), true);
  for (let i = 0; i < 10; i++) t.equal(large.admit(0xffff, idle()), false);
  await turn();
  t.equal(called, 10);
});

/** A reply with octets behind its record that make it as long as `size`; the last is `mark`. */
function padded(octets: Buffer, size: number, mark: number): Buffer {
  const whole = Buffer.alloc(size);
  octets.copy(whole);
  whole.writeUInt16BE(2, 6);
  const at = octets.length;
  Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]).copy(whole, at);
  whole.writeUInt16BE(size - at - 12, at + 10);
  whole[size - 1] = mark;
  return whole;
}

t.test('large and small replies of one chunk all arrive, in turns, on one connection', async (t) => {
  const waiting: Buffer[] = [];
  const count = 24;
  const server = await tcpUpstream(t, (seen, _send, socket) => {
    const n = Number(seen.name.slice(1, 3));
    const made = reply(seen, { address: n });
    waiting.push(frame(n % 3 === 0 ? made : padded(made, n % 3 === 1 ? 20_000 : 0xffff, n)));
    // The last of the question: the connection ends right behind what it has said.
    if (waiting.length === count) socket.end(Buffer.concat(waiting));
  });
  const { forwarder } = upstreams(t, [server.server]);
  const turns = new Set<number>();
  let now = 0;
  let going = true;
  const tick = (): void => {
    now++;
    if (going) setImmediate(tick);
  };
  tick();
  const asked: Promise<Asked>[] = [];
  for (let n = 10; n < 10 + count; n++) {
    const accept = (message: Buffer): boolean => {
      if (message.length > 10_000) turns.add(now);
      return true;
    };
    asked.push(ask(forwarder, `n${n}.example.com`, accept));
  }
  const outcomes = await Promise.all(asked);
  going = false;
  for (const [i, { outcome }] of outcomes.entries()) t.equal(won(outcome), 10 + i);
  t.equal(server.connections(), 1);
  t.ok(turns.size >= 8, `${turns.size} turns`);
});

t.test(
  'a connection that goes away with a reply on hold: nothing is called twice, nothing is left',
  async (t) => {
    const server = await tcpUpstream(t, (seen, send) => send(padded(reply(seen, {}), 0xffff, 7)));
    const { forwarder } = upstreams(t, [server.server]);
    const asked = Array.from({ length: 8 }, (_, i) =>
      ask(forwarder, `m${i}.example.com`, () => {
        forwarder.close();
        return true;
      }),
    );
    const outcomes = await Promise.all(asked);
    t.equal(outcomes.length, 8);
    t.equal(forwarder.openSockets, 0);
  },
);

import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { framed } from '../listen/echo.ts';
import { clientFiles, dot, opt, pause, query, rcode, replyTo, type Seen, start } from './peers.ts';

// They wait more than they work.
t.jobs = 2;

/** Numbers from 0 to 1, the same each time (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const seed of [1, 2]) {
  t.test(
    `whatever servers do, each question ends once, in time, in its own answer: seed ${seed}`,
    async (t) => {
      const random = generator(seed);
      const misbehave = (seen: Seen, send: (message: Buffer) => void, socket: TLSSocket): void => {
        const dice = random();
        if (dice < 0.004) socket.destroy();
        else if (dice < 0.006) socket.write(Buffer.from([0, 0]));
        else if (dice < 0.008) socket.end();
        else if (dice < 0.01) socket.write(framed(replyTo(seen)).subarray(0, 9));
        else if (dice < 0.02) send(replyTo(seen, { id: seen.id ^ 0x55 }));
        else if (dice < 0.022) send(replyTo(seen, { question: query(0, 'evil.example').subarray(12) }));
        else if (dice < 0.026) send(replyTo(seen, { count: 9 }));
        else if (dice < 0.034) return;
        else if (dice < 0.5) setTimeout(() => send(replyTo(seen)), random() * 60);
        else
          send(replyTo(seen, seen.query.edns && dice < 0.55 ? { options: [[11, Buffer.from([0, 0])]] } : {}));
      };
      const servers = await Promise.all([dot(t, misbehave), dot(t, misbehave), dot(t, misbehave)]);
      const files = clientFiles(t);
      const limits = {
        patience: 1500,
        stall: 300,
        outage: 700,
        comeBack: 200,
        doubtEvery: 400,
        inFlight: 64,
      };
      const addresses = servers.map(({ address }) => address);
      const { ask, dial, stub } = await start(t, addresses, { files, limits, poll: 50 });
      const results = { good: 0, failed: 0, wrong: [] as string[] };
      const judge = (asked: Buffer, reply: Buffer | null): void => {
        const question = asked.subarray(12, asked.length - (asked[11] === 1 ? 11 : 0));
        const own =
          reply?.readUInt16BE(0) === asked.readUInt16BE(0) && reply.subarray(12).indexOf(question) === 0;
        if (own && rcode(reply) === 0) results.good++;
        else if (own && rcode(reply) === 2) results.failed++;
        else results.wrong.push(`${asked.toString('hex')}: ${reply?.toString('hex') ?? 'nothing'}`);
      };
      const ours = (id: number): Buffer =>
        query(id, `n${id}.example`, id % 2 === 0 ? opt() : Buffer.alloc(0));
      const overTcp = async (from: number): Promise<void> => {
        const client = await dial();
        const asked = new Map(Array.from({ length: 100 }, (_, i) => [from + i, ours(from + i)]));
        client.send(...asked.values());
        for (let left = asked.size; left > 0; left--) {
          const reply = await client.next();
          judge(asked.get(reply?.readUInt16BE(0) ?? -1) ?? ours(0), reply);
          asked.delete(reply?.readUInt16BE(0) ?? -1);
        }
      };
      const overUdp = async (from: number): Promise<void> => {
        for (let id = from; id < from + 100; id++) {
          const asked = ours(id);
          judge(asked, await ask(asked, 3000));
        }
      };
      const turning = (async () => {
        for (let i = 0; i < 3; i++) {
          await pause(300);
          files.write();
        }
      })();
      await Promise.all([...[0, 100, 200].map(overTcp), ...[300, 400, 500, 600].map(overUdp), turning]);
      t.same(results.wrong, []);
      t.equal(results.good + results.failed, 700);
      t.ok(results.good > 450, `${results.good} good, ${results.failed} failed`);
      t.equal(stub.waiting, 0);
      const { asked, answered, failed } = stub.counters as Record<string, number>;
      t.equal(asked, answered! + failed!);
      await stub.stop('test');
      for (const { sockets } of servers)
        t.equal([...sockets].filter(({ destroyed }) => !destroyed).length <= 1, true);
    },
  );
}

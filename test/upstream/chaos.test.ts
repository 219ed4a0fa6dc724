import t from 'tap';
import type { UpstreamServer } from '../../src/settings/settings.ts';
import { ask, bothUpstream, everyWay, frame, group, reply, type Seen, until, won } from './scripted.ts';

everyWay(t, (t, upstreams) => {
  /** What a server does to one question; the number comes from a generator with a fixed seed. */
  function misbehave(
    seen: Seen,
    dice: number,
    stream: boolean,
  ): { replies: Buffer[]; after: number; end: boolean } {
    const right = reply(seen, { address: Number(/\d+/.exec(seen.name)![0]) % 60 });
    const wrong = [
      reply(seen, { id: seen.id ^ 0x101, address: 66 }),
      reply(seen, { name: 'evil.example', address: 66 }),
      reply(seen, { questions: 2, address: 66 }),
      reply(seen, { flags: 0x100, address: 66 }),
      reply(seen, { address: 66 }).subarray(0, 12),
      Buffer.from([0]),
    ];
    switch (dice % 10) {
      case 0:
        return { replies: [], after: 0, end: false };
      case 1:
        return { replies: [wrong[dice % wrong.length]!, right], after: 0, end: false };
      case 2:
        return { replies: [reply(seen, { truncated: true, address: null })], after: 0, end: false };
      case 3:
        return {
          replies: [reply(seen, { rcode: [1, 2, 4, 5][dice % 4]!, address: null })],
          after: 0,
          end: false,
        };
      case 4:
        return { replies: [right, right], after: dice % 60, end: false };
      case 5:
        // Over TCP, folding would be what the server is like, and no forgery.
        return {
          replies: stream ? [right] : [reply(seen, { fold: true, address: 66 }), right],
          after: 5,
          end: false,
        };
      case 6:
        return { replies: [], after: 0, end: true };
      case 7:
        return { replies: [right.subarray(0, -2)], after: 0, end: false };
      default:
        return { replies: [right], after: dice % 8, end: false };
    }
  }

  t.test('servers that do anything: each question ends once, with its own answer or none', async (t) => {
    let state = 12_345;
    const dice = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 8;
    };
    const servers: UpstreamServer[] = [];
    for (let i = 0; i < 3; i++) {
      const { server } = await bothUpstream(
        t,
        (seen, send) => {
          const { replies, after } = misbehave(seen, dice(), false);
          setTimeout(() => replies.forEach(send), after);
        },
        (seen, _send, socket) => {
          const { replies, after, end } = misbehave(seen, dice(), true);
          setTimeout(() => {
            for (const message of replies) if (!socket.destroyed) socket.write(frame(message));
            if (end) socket.destroy();
          }, after);
        },
      );
      servers.push(server);
    }
    servers.push({ ...servers[0]!, protocol: 'tcp' });
    const { forwarder } = upstreams(t, servers, {
      maxSockets: 200,
      timing: {
        ...{ firstRetry: 40, minRetry: 20, retries: [80, 120], slow: 100, end: 200 },
        ...{ backoff: 20, maxBackoff: 100, probe: 50, idle: 30 },
      },
    });
    const outcomes = new Map<string, number>();
    let next = 0;
    let wrong = 0;
    const worker = async (): Promise<void> => {
      while (next < 1500) {
        const number = next++;
        if (number % 100 === 50) forwarder.configure([group(servers.slice(number % 3))]);
        const { outcome, elapsed } = await ask(forwarder, `n${number}.some-letters.example`);
        if (outcome.kind === 'reply' && won(outcome) !== number % 60) wrong++;
        if (elapsed > 1000) wrong++;
        const what = outcome.kind === 'reply' ? 'reply' : outcome.reason;
        outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 50 }, worker));
    t.equal(wrong, 0);
    t.ok((outcomes.get('reply') ?? 0) > 1000, JSON.stringify([...outcomes]));
    t.ok(await until(() => forwarder.openSockets === 0), 'every socket is closed in the end');
    t.equal(forwarder.inFlight, 0);
    t.comment(JSON.stringify({ ...Object.fromEntries(outcomes), ...forwarder.counters }));
  });
});

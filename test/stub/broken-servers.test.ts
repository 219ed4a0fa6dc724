import t from 'tap';
import { running } from '../clock.ts';
import { framed } from '../listen/echo.ts';
import {
  dot,
  edeText,
  opt,
  query,
  type ReplyShape,
  rcode,
  replyTo,
  type Script,
  SERVFAIL,
  start,
} from './peers.ts';

// They wait more than they work.
t.jobs = 3;

/** Each script's server serves a stub whose first question meets it; `expected` is what the client hears. */
const broken: Record<string, { script: Script; within: number; why: RegExp }> = {
  'never answers': { script: () => {}, within: 1300, why: /did not answer in time/ },
  'resets in the middle of an answer': {
    script: (seen, _send, socket) => {
      socket.write(framed(replyTo(seen)).subarray(0, 20));
      setImmediate(() => socket.destroy());
    },
    within: 1300,
    why: /was lost|closed the connection/,
  },
  'answers under another ID': {
    script: (seen, send) => send(replyTo(seen, { id: seen.id ^ 1 })),
    within: 1300,
    why: /did not answer in time/,
  },
  'answers another question': {
    script: (seen, send) =>
      send(replyTo(seen, { question: query(0, 'evil.example').subarray(12) } satisfies ReplyShape)),
    within: 1300,
    why: /was lost|another question/,
  },
  'answers with a query': {
    script: (seen, send) => send(replyTo(seen, { flags: 0x0100 })),
    within: 1300,
    why: /was lost|another question/,
  },
  'answers with records that do not fit': {
    script: (seen, send) => send(replyTo(seen, { count: 3 })),
    within: 200,
    why: /malformed/,
  },
  'sends a length of 0': {
    script: (_seen, _send, socket) => void socket.write(Buffer.from([0, 0])),
    within: 1300,
    why: /was lost|framing/,
  },
  'sends less than a header': {
    script: (_seen, send) => send(Buffer.from([1, 2, 3])),
    within: 1300,
    why: /was lost|nobody asked/,
  },
  'floods with replies that nobody asked for': {
    script: (seen, _send, socket) => {
      const junk = framed(...Array.from({ length: 100 }, (_, i) => replyTo(seen, { id: seen.id ^ (i + 1) })));
      const more = (): void => {
        if (!socket.destroyed && socket.writableLength < 1e6) socket.write(junk);
        if (!socket.destroyed) setImmediate(more);
      };
      more();
    },
    within: 1300,
    why: /was lost|nobody asked/,
  },
};

for (const [what, { script, within, why }] of Object.entries(broken)) {
  t.test(`a server that ${what}`, async (t) => {
    const server = await dot(t, script);
    const { ask, stub } = await start(t, [server.address], { limits: { patience: 1000, stall: 300 } });
    const before = running();
    const reply = await ask(query(1, 'www.example', opt()));
    t.equal(rcode(reply), SERVFAIL);
    t.match(edeText(reply), why);
    t.ok(running() - before < within, `${running() - before} ms`);
    t.ok(server.seen.length <= 2, `asked ${server.seen.length} times: twice at most`);
    t.equal(stub.waiting, 0);
  });

  t.test(`a server that ${what}, and a good one`, async (t) => {
    const bad = await dot(t, script);
    const good = await dot(t);
    const limits = { patience: 2000, stall: 300 };
    const { ask } = await start(t, [bad.address, good.address], { limits });
    const replies = await Promise.all([1, 2, 3].map((id) => ask(query(id, `n${id}.example`))));
    const lost = what === 'answers with records that do not fit' ? 1 : 0;
    t.ok(replies.filter((reply) => rcode(reply) === 0).length >= 3 - lost, `${replies.map(rcode)}`);
    t.equal(rcode(await ask(query(4))), 0);
  });
}

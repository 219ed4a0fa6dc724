import t from 'tap';
import type { Entry } from '../../src/resolve/answer/entry.ts';
import { Flights } from '../../src/resolve/flights/flights.ts';
import type { Forwarder } from '../../src/resolve/ports.ts';
import { PlainAnswers } from '../resolve/answers.ts';
import { everyWay, PATIENT, question, reply, type Seen, udpUpstream } from './scripted.ts';

/** A negative answer that no SOA supports may be a failure of who gives it (RFC 2308 §5): another server is asked. */

const BARE: Record<string, (seen: Seen) => Buffer> = {
  'no data': (seen) => reply(seen, { address: null }),
  NXDOMAIN: (seen) => reply(seen, { rcode: 3, address: null }),
};

interface Settled {
  readonly rcode: number;
  readonly answers: number;
  readonly isFailed: boolean;
  readonly kept: number;
}

/** Asks by the room that cleans what comes, over real sockets. */
function fetched(forwarder: Forwarder, name: string): Promise<Settled> {
  const store = new PlainAnswers();
  const clock = { monotonic: () => performance.now(), epoch: () => Date.now() / 1000 };
  const bug = (error: unknown): void => {
    throw error;
  };
  const flights = new Flights(forwarder, store, clock, { bug });
  const asked = question(name);
  const key = flights.key(asked.name, asked.name.length, 1, 0, false, 0);
  return new Promise((resolve) => {
    flights.join(key, asked.group, 0, {
      next: null,
      settle: (_key, entry: Entry) => {
        const answers = entry.hasAnswer ? entry.plain().answers : 0;
        resolve({ rcode: entry.rcode, answers, isFailed: entry.isFailed, kept: store.size });
      },
    });
  });
}

everyWay(t, (t, upstreams) => {
  for (const [what, bare] of Object.entries(BARE)) {
    t.test(`${what} without SOA: the next server is asked, and its answer is given`, async (t) => {
      const first = await udpUpstream(t, (seen, send) => send(bare(seen)));
      const second = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
      const { forwarder } = upstreams(t, [first.server, second.server], { timing: PATIENT });
      t.match(await fetched(forwarder, 'www.example.com'), {
        rcode: 0,
        answers: 1,
        isFailed: false,
        kept: 1,
      });
      t.equal(first.seen.length, 1);
      t.equal(second.seen.length, 1);
    });

    t.test(`${what} without SOA from each: given, and not kept`, async (t) => {
      const first = await udpUpstream(t, (seen, send) => send(bare(seen)));
      const second = await udpUpstream(t, (seen, send) => send(bare(seen)));
      const { forwarder } = upstreams(t, [first.server, second.server], { timing: PATIENT });
      const rcode = what === 'NXDOMAIN' ? 3 : 0;
      t.match(await fetched(forwarder, 'www.example.com'), { rcode, answers: 0, isFailed: false, kept: 0 });
      t.equal(first.seen.length, 1);
      t.equal(second.seen.length, 1);
    });
  }
});

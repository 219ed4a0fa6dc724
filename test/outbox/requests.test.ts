import t from 'tap';
import { KINDS, type Placed } from '../../src/outbox/event.ts';
import type { Store } from '../../src/outbox/event-store.ts';
import { doRequest, type SinkReach } from '../../src/outbox/requests.ts';
import type { Sending } from '../../src/outbox/sinks/sink.ts';

/** Dead letters that a receiver takes at last are forgotten, and no other. */

function rig(sending: Sending) {
  const forgotten: number[] = [];
  const sent: Placed[][] = [];
  const letters = [11, 12, 13].map((number) => ({
    number,
    position: number,
    at: 0,
    reason: 'no',
    event: { id: `${number}` },
  }));
  const store = {
    status: () => ({ sinks: [{ name: 'a', depth: 4, dead: letters.length - forgotten.length }] }),
    dead: () => letters,
    forgetDead: (_name: string, numbers: number[]) => void forgotten.push(...numbers),
  } as unknown as Store;
  const delivery = {
    tryOut: async (_name: string, events: Placed[]) => {
      sent.push(events);
      return sending;
    },
  } as unknown as SinkReach;
  const parts = { store, delivery, server: 's', version: 'v', now: () => 0 };
  return { parts, forgotten, sent };
}

t.test('taken in part', async (t) => {
  const { parts, forgotten } = rig({
    accepted: 2,
    dead: [{ index: 0, reason: 'still not' }],
    trouble: { kind: 'retry', reason: 'busy' },
  });
  const answer = await doRequest({ ask: 'dead', sink: 'a', retry: true }, parts);
  t.same(forgotten, [12]);
  t.match(answer, [{ name: 'a', events: 1, left: 2, reason: 'busy' }]);
});

t.test('lost after it was written', async (t) => {
  const held = Promise.resolve({ kind: 'retry', reason: 'the connection closed' } as const);
  const { parts, forgotten } = rig({ accepted: 3, dead: [], trouble: null, held });
  t.match(await doRequest({ ask: 'dead', sink: null, retry: true }, parts), [{ events: 0, left: 3 }]);
  t.same(forgotten, []);
});

t.test('a test is one event of each kind, numbered 0', async (t) => {
  const { parts, sent } = rig({ accepted: KINDS.length, dead: [], trouble: null });
  t.match(await doRequest({ ask: 'test' }, parts), [
    { name: 'a', events: KINDS.length, left: 0, reason: '' },
  ]);
  t.same(
    sent[0]?.map(({ event: { kind, seq } }) => [kind, seq]),
    KINDS.map((kind) => [kind, 0]),
  );
});

t.test('no such sink', async (t) => {
  const { parts } = rig({ accepted: 0, dead: [], trouble: null });
  t.equal(await doRequest({ ask: 'replay', sink: 'b', since: 0 }, parts), null);
});

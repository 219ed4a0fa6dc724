import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { isLoaded } from '../../src/config/loaded.ts';
import { type Piece, PieceTaker, piecesOf } from '../../src/config/pieces.ts';
import { loadFrom, SERVER, write } from './harness.ts';

const COUNT = 450;
const IDENTITIES = Array.from(
  { length: COUNT },
  (_, i) => `  - name: id-${i}
    owner: o
    review_by: 2090-01-01
    from: { addresses: [10.0.${i >> 8}.${i & 255}] }
    allow: [{ name: n${i}.example, reason: r }]
    stages: { fetch: { allow: [{ name: s${i}.example, reason: r }] }, build: { only: [] } }
`,
).join('');

t.test('a snapshot crosses in pieces that are small, and is the same', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': `identities:\n${IDENTITIES}` });
  const expected = loadFrom(dir);
  const given = loadFrom(dir);
  t.ok(isLoaded(expected) && isLoaded(given));
  const taker = new PieceTaker();
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = ({ data }) => taker.take(data as Piece);
  let pieces = 0;
  for (const piece of piecesOf(given.snapshot!)) {
    pieces++;
    if (piece.kind === 'views') t.ok(piece.views.length <= 200);
    if (piece.kind === 'identities') t.ok(piece.identities.length <= 200);
    port1.postMessage(piece);
    await setImmediate();
  }
  port1.close();
  t.ok(pieces > 20);
  const snapshot = taker.done();
  t.same(snapshot, expected.snapshot);
  t.equal(snapshot.identities.length, COUNT);
  const views = new Set(snapshot.views);
  for (const { view, stages } of snapshot.identities)
    t.ok(
      [view, ...stages.map((stage) => stage.view)].every((one) => views.has(one)),
      'its views are the snapshot’s',
    );
});

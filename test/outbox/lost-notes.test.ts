import t from 'tap';
import { policy } from '../resolve/policy.ts';
import { Rig } from './rig.ts';

t.test('what has no room in the ring is lost as what it is', async (t) => {
  const rig = new Rig(t, policy({ builder: { allow: ['github.com'] } }));
  const beat = { note: 'heartbeat', at: rig.now, policy: '', counts: {} };
  t.ok(rig.writer.note(beat, '', 0, 'heartbeat'), 'it says that it had room');
  while (rig.ringWriter.note('{}'));
  t.notOk(rig.writer.note(beat, '', 0, 'heartbeat'), 'and that it had none');
  rig.writer.note({ note: 'operations' }, 'builder', 0);
  rig.writer.note({ note: 'rates' }, '', 0, null);
  const before = rig.take();
  rig.writer.note(beat, '', 0, 'heartbeat');
  const events = [...before, ...rig.take()];
  t.match(
    events
      .filter(({ kind }) => kind === 'dropped')
      .map(({ of, count, lost }) => ({ of, count, lost }))
      .sort((a, b) => String(a.of).localeCompare(String(b.of))),
    [
      { of: 'finding', count: 1, lost: { builder: 1 } },
      { of: 'heartbeat', count: 1, lost: { other: 1 } },
    ],
    'what would have been no event is no loss',
  );
  const told = events.flatMap(({ kind, seq, of, first_seq = 0 }) => {
    if (kind === 'heartbeat') return [seq];
    return of === 'heartbeat' ? [first_seq] : [];
  });
  t.same(
    told.sort((a, b) => a - b),
    [1, 2, 3],
    'each heartbeat has its number',
  );
});

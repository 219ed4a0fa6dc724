import t, { type Test } from 'tap';
import type { Follower } from '../../src/outbox/follower.ts';
import { operationsSighting } from '../../src/outbox/sightings.ts';
import type { SlotRecord } from '../../src/outbox/slot-record.ts';
import { policy } from '../resolve/policy.ts';
import { Rig } from './rig.ts';

const POLICY = policy({ builder: { allow: ['github.com'] } });
const NOON = Date.UTC(2026, 10, 20, 12);
const BUILDER = { from: '127.0.0.1', port: 40_001 };

/** Remembers what it heard, and what it had written when it was asked to. */
class Listener implements Follower {
  readonly heard: string[] = [];
  readonly committed: number[] = [];
  fault: Error | null = null;
  isDeaf = false;

  take(record: SlotRecord, position: number): void {
    if (this.isDeaf) throw new Error('a fault of the test');
    if (record.record === 'decision') this.heard.push(`${position} ${record.question.draft.name}`);
  }

  flush(_now: number, all: boolean, sight: Parameters<Follower['flush']>[2]): void {
    if (!all) return;
    const text = `heard ${this.heard.length}`;
    sight(operationsSighting({ note: 'operations', at: NOON, finding: 'test', key: 'k', text, next: '' }));
  }

  commit(position: number): void {
    if (this.fault !== null) throw this.fault;
    this.committed.push(position);
  }

  close(): void {}
}

function open(t: Test, ...followers: Listener[]): Rig {
  const rig = new Rig(t, POLICY);
  rig.followers = followers;
  rig.open();
  return rig;
}

t.test('a follower hears each record once, at its place, and commits behind it', async (t) => {
  const one = new Listener();
  const rig = open(t, one);
  for (const name of ['a.example', 'b.example']) await rig.house.ask(name, 'A', BUILDER);
  rig.take();
  const [first, second] = one.heard.map((line) => Number(line.split(' ')[0]));
  t.strictSame(
    one.heard.map((line) => line.split(' ')[1]),
    ['a.example', 'b.example'],
  );
  t.ok(first! < second! && second! < one.committed.at(-1)!);
  rig.take();
  t.equal(one.heard.length, 2);
});

t.test('what a follower cannot write is not given back, and the next run hears it again', async (t) => {
  const one = new Listener();
  one.fault = new Error('no room');
  const rig = open(t, one);
  await rig.house.ask('a.example', 'A', BUILDER);
  const { depth } = rig.ringWriter;
  t.equal(rig.loop.round().fault, one.fault);
  t.equal(rig.ringWriter.depth, depth);
  t.strictSame(rig.events(), []);
  const next = new Listener();
  rig.store.close();
  rig.followers = [next];
  rig.open();
  t.equal(rig.take().length, 1);
  t.strictSame(next.heard, one.heard);
  t.equal(rig.ringWriter.depth, 0);
});

t.test('while a follower cannot write, the loop reads no more than one commit has', async (t) => {
  const one = new Listener();
  one.fault = new Error('no room');
  const rig = open(t, one);
  for (let i = 0; i < 6_000; i++)
    rig.writer.note({ note: 'heartbeat', at: 1, policy: '', counts: {} }, '', 0);
  for (let i = 0; i < 100; i++) rig.loop.round();
  const rest = rig.loop.round().slots;
  t.equal(rest, 0, 'it has stopped');
  t.equal(rig.ringWriter.depth > 6_000, true);
  one.fault = null;
  rig.take();
  t.equal(rig.ringWriter.depth, 0);
});

t.test('a fault of one keeps nothing from another, nor from the events', async (t) => {
  const [deaf, other] = [new Listener(), new Listener()];
  deaf.isDeaf = true;
  const rig = open(t, deaf, other);
  await rig.house.ask('a.example', 'A', BUILDER);
  t.equal(rig.take().length, 1);
  t.equal(other.heard.length, 1);
  t.ok(rig.loop.faults > 0);
});

t.test('what a follower sights is a finding', async (t) => {
  const one = new Listener();
  const rig = open(t, one);
  await rig.house.ask('a.example', 'A', BUILDER);
  t.match(rig.take(true), [{ kind: 'deny' }, { kind: 'finding', activity: 'create', text: 'heard 1' }]);
});

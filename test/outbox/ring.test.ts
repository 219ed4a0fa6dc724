import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KINDS } from '../../src/outbox/event.ts';
import { openRing, type Ring } from '../../src/outbox/ring.ts';
import { RingReader } from '../../src/outbox/ring-reader.ts';
import { RingWriter } from '../../src/outbox/ring-writer.ts';
import {
  AT,
  HEADER,
  LOSS,
  LOSS_AT,
  LOSS_ROWS,
  PART,
  RECORD,
  RING_SIZE,
  SLOTS,
} from '../../src/outbox/slot.ts';
import { mapFile } from '../../src/socket/mapped-file.ts';

const canMap = process.platform === 'linux';

interface Seen {
  readonly record: number;
  readonly number: number;
  /** An identity, and how many denials of it. */
  readonly lost: readonly [string, number] | null;
  readonly text: string;
}

function read(slot: Buffer): Seen {
  const record = slot[AT.RECORD]!;
  const isPart = record === RECORD.WORD || record === RECORD.NOTE;
  let lost: Seen['lost'] = null;
  if (record === RECORD.LOSS) {
    const at = LOSS_AT;
    const name = slot.toString(
      'utf8',
      at + LOSS.NAME,
      at + LOSS.NAME + slot.readUInt32LE(at + LOSS.NAME_LENGTH),
    );
    lost = [name, slot.readUInt32LE(at + LOSS.COUNTS)];
  }
  return {
    record,
    number: slot.readUInt32LE(AT.CLIENT),
    lost,
    text: isPart ? slot.toString('utf8', PART.TEXT, PART.TEXT + slot.readUInt32LE(PART.LENGTH)) : '',
  };
}

function drain(reader: RingReader, most = 1e6): Seen[] {
  const seen: Seen[] = [];
  reader.read(most, (slot) => seen.push(read(slot)));
  return seen;
}

/** By identity. */
const losses = (seen: readonly Seen[]): Record<string, number> =>
  Object.fromEntries(seen.flatMap(({ lost }) => (lost === null ? [] : [lost])));

const decisions = (seen: readonly Seen[]): number[] =>
  seen.filter(({ record }) => record === RECORD.DECISION).map(({ number }) => number);

/** Writes numbered decisions of an identity, or loses them. */
function put(writer: RingWriter, from: number, count: number, identity = 'builder'): number {
  let lost = 0;
  for (let i = from; i < from + count; i++) {
    if (writer.hasRoom()) {
      const at = writer.begin(RECORD.DECISION);
      writer.words[(at + AT.CLIENT) / 4] = i;
      writer.publish();
    } else {
      writer.lose(identity, 0, 1_000 + i);
      lost++;
    }
  }
  return lost;
}

function readerOf(ring: Ring, t: Test, kept: { id: string; position: number } | null = null): RingReader {
  if (ring.path === null) return new RingReader({ memory: ring.memory as SharedArrayBuffer }, kept);
  const file = openSync(ring.path, 'r+');
  t.teardown(() => closeSync(file));
  return new RingReader({ file }, kept);
}

for (const kind of ['file', 'memory'] as const) {
  t.test(kind, { skip: kind === 'file' && !canMap ? 'no mapped files here' : false }, async (t) => {
    const open = (t: Test): (() => Ring) => {
      const path = join(t.testdir(), 'feed.ring');
      if (kind === 'file') return () => openRing(path, mapFile);
      const ring = openRing(null, mapFile);
      return () => ring;
    };

    t.test('what is written is read, once and in order', async (t) => {
      const ring = open(t)();
      t.equal(ring.why === null, kind === 'file');
      const writer = new RingWriter(ring.memory);
      const reader = readerOf(ring, t);
      t.strictSame(
        drain(reader).map(({ record }) => record),
        [RECORD.FORGET],
      );
      const all: number[] = [];
      // Three times round, in pieces that do not fit it.
      for (let i = 0; i < 3 * SLOTS; i += 997) {
        t.equal(put(writer, i, 997), 0);
        all.push(...decisions(drain(reader)));
        reader.release(reader.position);
      }
      t.strictSame(
        all,
        Array.from({ length: all.length }, (_, i) => i),
      );
      t.ok(all.length > 3 * SLOTS);
      t.equal(writer.depth, 0);
      t.strictSame(drain(reader), [], 'and no more');
    });

    t.test('a full ring overwrites nothing, and counts', async (t) => {
      const ring = open(t)();
      const writer = new RingWriter(ring.memory);
      const reader = readerOf(ring, t);
      const lost = put(writer, 0, SLOTS + 1_000);
      const more = put(writer, 0, 17, 'tester');
      t.equal(more, 17);
      t.equal(writer.lost, lost + more);
      const seen = drain(reader);
      const kept = decisions(seen);
      t.equal(kept.length + lost, SLOTS + 1_000);
      t.strictSame(
        kept,
        Array.from({ length: kept.length }, (_, i) => i),
        'those that were first are there',
      );
      t.equal(put(writer, 0, 1, 'tester'), 1, 'until they are committed there is no room');
      reader.release(reader.position);
      t.equal(put(writer, 5_000_000, 1), 0);
      const after = drain(reader);
      t.strictSame(losses(after), { builder: lost, tester: 18 }, 'what was lost is told');
      t.equal(after.at(-1)?.lost, null, 'before what comes next');
      t.strictSame(decisions(after), [5_000_000]);
      reader.release(reader.position);
      put(writer, 0, 10);
      t.notOk(
        drain(reader).some(({ lost }) => lost !== null),
        'once',
      );
    });

    t.test('more identities than rows', async (t) => {
      const ring = open(t)();
      const writer = new RingWriter(ring.memory);
      const reader = readerOf(ring, t);
      const lost = put(writer, 0, SLOTS);
      drain(reader);
      for (let i = 0; i < LOSS_ROWS + 500; i++) writer.lose(`identity-${i}`, 0, i);
      writer.lose('i'.repeat(300), 0, 1);
      reader.release(reader.position);
      put(writer, 0, 1);
      const told = losses(drain(reader));
      const sum = Object.values(told).reduce((total, each) => total + each, 0);
      t.equal(sum, lost + LOSS_ROWS + 500 + 1, 'none is missing');
      t.equal(Object.keys(told).length, LOSS_ROWS);
      t.equal(told[''], 503, 'who has no row of his own is counted with others');
    });

    t.test('texts of several slots', async (t) => {
      const ring = open(t)();
      const writer = new RingWriter(ring.memory);
      const reader = readerOf(ring, t);
      drain(reader);
      const long = 'ä'.repeat(2_000);
      writer.word(7, long);
      writer.note('{}');
      const seen = drain(reader);
      t.equal(
        Buffer.byteLength(
          seen
            .filter(({ record }) => record === RECORD.WORD)
            .map(({ text }) => text)
            .join(''),
        ) > 3_990,
        true,
      );
      t.match(seen.at(-1), { record: RECORD.NOTE, text: '{}' });
    });
  });
}

t.test('a ring outlives its process', { skip: canMap ? false : 'no mapped files here' }, async (t) => {
  const path = join(t.testdir(), 'feed.ring');
  const first = openRing(path, mapFile);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.ok(statSync(path).blocks * 512 >= RING_SIZE, 'each octet has a block');
  const writer = new RingWriter(first.memory);
  put(writer, 0, 300);
  // Torn: all but the sequence is there.
  const torn = writer.begin(RECORD.DECISION);
  writer.words[(torn + AT.CLIENT) / 4] = 999;

  const second = openRing(path, mapFile);
  t.equal(second.path, path);
  const later = new RingWriter(second.memory);
  put(later, 1_000, 5);
  const reader = readerOf(second, t);
  const seen = drain(reader);
  t.strictSame(
    decisions(seen),
    [...Array(300).keys(), 1_000, 1_001, 1_002, 1_003, 1_004],
    'without the torn one',
  );
  t.equal(seen.filter(({ record }) => record === RECORD.FORGET).length, 2, 'words of each run are its own');

  t.test('a reader goes on where it committed', async (t) => {
    const { id } = reader;
    const kept = (position: number) => ({ id, position });
    t.equal(decisions(drain(readerOf(second, t, kept(100))))[0], 99, 'though the file says less');
    t.strictSame(drain(readerOf(second, t, kept(reader.position))), [], 'at the end');
    t.equal(decisions(drain(readerOf(second, t, { id: 'another', position: 100 })))[0], 0, 'another ring');
    reader.release(50);
    t.equal(decisions(drain(readerOf(second, t)))[0], 49);
    const start = later.words[HEADER.START]!;
    t.equal(readerOf(second, t, kept(start + 5_000)).position, start, 'ahead of what there is');
    t.equal(readerOf(second, t, kept((50 - SLOTS) >>> 0)).position, 50, 'what was overwritten since');
  });

  t.test('losses that were not told are told by the next run, once', async (t) => {
    const full = openRing(path, mapFile);
    const writer = new RingWriter(full.memory);
    const reader = readerOf(full, t);
    const lost = put(writer, 0, SLOTS + 10, 'builder');
    drain(reader);
    const next = new RingWriter(openRing(path, mapFile).memory);
    next.lose('tester', KINDS.indexOf('deny'), 5);
    next.lose('builder', KINDS.indexOf('deny'), 5);
    reader.release(reader.position);
    put(next, 0, 1);
    t.strictSame(losses(drain(reader)), { builder: lost + 1, tester: 1 });
    // Killed after the record and before the row was emptied.
    next.lose('tester', 0, 5);
    const row = 4096 + 128;
    next.words[(row + LOSS.TOLD) / 4] = next.next;
    reader.release(reader.position);
    put(new RingWriter(openRing(path, mapFile).memory), 0, 1);
    t.strictSame(
      drain(reader).flatMap((each) => each.lost ?? []),
      [],
    );
  });
});

function holes(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, RING_SIZE);
}

t.test('files that are no ring', { skip: canMap ? false : 'no mapped files here' }, async (t) => {
  const folder = t.testdir({ sub: {} });
  const cases: [name: string, make: (path: string) => void][] = [
    ['empty', (path) => writeFileSync(path, '')],
    ['short', (path) => writeFileSync(path, 'x'.repeat(100))],
    ['long', (path) => writeFileSync(path, Buffer.alloc(RING_SIZE + 1))],
    ['zeros', (path) => writeFileSync(path, Buffer.alloc(RING_SIZE))],
    ['holes', holes],
  ];
  for (const [name, make] of cases) {
    const path = join(folder, name);
    make(path);
    const ring = openRing(path, mapFile);
    t.equal(ring.why, null, name);
    t.equal(statSync(path).size, RING_SIZE, name);
    t.ok(statSync(path).blocks * 512 >= RING_SIZE, `${name} has no holes`);
    const writer = new RingWriter(ring.memory);
    put(writer, 0, 3);
    t.strictSame(decisions(drain(readerOf(ring, t))), [0, 1, 2], name);
  }

  const copied = join(folder, 'copied');
  put(new RingWriter(openRing(copied, mapFile).memory), 0, 3);
  const whole = readFileSync(copied);
  holes(copied);
  const file = openSync(copied, 'r+');
  writeSync(file, whole, 0, 200_000, 0);
  closeSync(file);
  const again = openRing(copied, mapFile);
  t.ok(statSync(copied).blocks * 512 >= RING_SIZE);
  t.strictSame(decisions(drain(readerOf(again, t))), [0, 1, 2], 'what stood in it stays');

  const nowhere = openRing(join(folder, 'none', 'ring'), mapFile);
  t.match(nowhere, { path: null, why: /ENOENT/ });
  put(new RingWriter(nowhere.memory), 0, 3);
  t.strictSame(decisions(drain(readerOf(nowhere, t))), [0, 1, 2], 'memory serves');
  t.match(
    openRing(join(folder, 'unmapped'), () => 'no native calls'),
    { path: null, why: 'no native calls' },
  );
});

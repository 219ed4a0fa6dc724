import fc from 'fast-check';
import t from 'tap';
import { FrameReader } from '../../src/wire/framing.ts';

function frame(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
}

/** Copies: a message is good during the call alone. */
function collect(reader: FrameReader, chunks: Buffer[]): string[] {
  const got: string[] = [];
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk);
    reader.push(copy, (message) => got.push(message.toString('hex')));
    // The reader must not keep a view on what its caller may reuse.
    copy.fill(0xee);
  }
  return got;
}

t.test('whole messages in one chunk', async (t) => {
  const reader = new FrameReader();
  t.same(
    collect(reader, [Buffer.concat([frame(Buffer.from('aa', 'hex')), frame(Buffer.from('bbcc', 'hex'))])]),
    ['aa', 'bbcc'],
  );
  t.equal(reader.partial, false);
});

t.test('the prefix and the message split byte by byte', async (t) => {
  const reader = new FrameReader();
  const octets = Buffer.concat([frame(Buffer.alloc(300, 7)), frame(Buffer.from([1]))]);
  const got = collect(
    reader,
    [...octets].map((octet) => Buffer.from([octet])),
  );
  t.same(got, [Buffer.alloc(300, 7).toString('hex'), '01']);
});

t.test('a partial message is seen as one', async (t) => {
  const reader = new FrameReader();
  reader.push(Buffer.from([0]), () => t.fail('no message yet'));
  t.equal(reader.partial, true);
  reader.push(Buffer.from([2, 9]), () => t.fail('no message yet'));
  t.equal(reader.partial, true);
  let seen = 0;
  reader.push(Buffer.from([9]), () => {
    seen++;
    t.equal(reader.partial, false, 'also during the call');
  });
  t.equal(seen, 1);
});

t.test('a frame of no octets is a fault, and nothing after it is read', async (t) => {
  const reader = new FrameReader();
  const got: number[] = [];
  const going = reader.push(Buffer.from([0, 1, 5, 0, 0, 0, 1, 6]), (message) => got.push(message[0]!));
  t.equal(going, false);
  t.equal(reader.fault, 'empty');
  t.same(got, [5]);
  t.equal(
    reader.push(Buffer.from([0, 1, 7]), () => t.fail('closed')),
    false,
  );
});

t.test('a frame over the limit is a fault before its octets come', async (t) => {
  const reader = new FrameReader(512);
  t.equal(
    reader.push(Buffer.from([2, 0]), () => t.fail('none')),
    true,
  );
  const other = new FrameReader(512);
  t.equal(
    other.push(Buffer.from([2, 1]), () => t.fail('none')),
    false,
  );
  t.equal(other.fault, 'long');
});

t.test('close during a message ends the reading', async (t) => {
  const reader = new FrameReader();
  let seen = 0;
  const going = reader.push(Buffer.from([0, 1, 5, 0, 1, 6]), () => {
    seen++;
    reader.close();
  });
  t.equal(seen, 1);
  t.equal(going, false);
  t.equal(reader.fault, null);
});

t.test('a long prefix claims no memory', async (t) => {
  const readers: FrameReader[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1000; i++) {
    const reader = new FrameReader();
    reader.push(Buffer.from([0xff, 0xff, 1]), () => t.fail('none'));
    readers.push(reader);
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  t.ok(grown < 4_000_000, `1000 claims of 65,535 octets hold ${grown}`);
  t.equal(readers.length, 1000);
});

t.test('any messages in any cut come out as they went in', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 1500 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(frame));
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        const got = collect(new FrameReader(), chunks);
        return JSON.stringify(got) === JSON.stringify(messages.map((m) => Buffer.from(m).toString('hex')));
      },
    ),
  );
});

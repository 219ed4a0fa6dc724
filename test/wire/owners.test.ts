import fc from 'fast-check';
import t from 'tap';
import { readName } from '../../src/wire/name.ts';
import { Owners } from '../../src/wire/owners.ts';
import { labelled, pointer, wire } from './build.ts';

/** Every offset of a message, read by `readName` and by `Owners`: the same name, or a fault of both. */
function agree(message: Uint8Array, order: readonly number[]): void {
  const owners = new Owners(message);
  const out = new Uint8Array(256);
  const seen = new Map<string, Uint8Array>();
  for (const start of order) {
    const length = readName(message, message.length, start, out, 0);
    const name = owners.read(start);
    if (length < 0 || name === null) {
      if (length >= 0 || name !== null) throw new Error(`offset ${start}: one finds a fault, the other none`);
      continue;
    }
    const text = Buffer.from(out.subarray(0, length)).toString('hex');
    if (Buffer.from(name).toString('hex') !== text) throw new Error(`offset ${start}: another name`);
    if ((seen.get(text) ?? name) !== name) throw new Error(`offset ${start}: equal names are two arrays`);
    seen.set(text, name);
    if (owners.find(Uint8Array.from(name)) !== name) throw new Error(`offset ${start}: not found`);
  }
}

t.test('reads what readName reads, wherever names begin and in whatever order they are read', async (t) => {
  const label = fc.constantFrom('a', 'B', 'b', '\u0001', '\u0001\u0001', 'x'.repeat(62), 'y'.repeat(63));
  const part = fc.oneof(
    fc.array(label, { maxLength: 5 }).map((labels) => labelled(...labels.map((each) => Buffer.from(each)))),
    fc
      .tuple(label, fc.nat(300))
      .map(([text, to]) => Buffer.concat([labelled(Buffer.from(text)).subarray(0, -1), pointer(to)])),
    fc.nat(300).map(pointer),
    fc.uint8Array({ maxLength: 4 }).map((octets) => Buffer.from(octets)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), fc.boolean(), (parts, backward) => {
      const message = Buffer.concat([Buffer.alloc(12), ...parts]);
      const order = Array.from({ length: message.length - 12 }, (_, i) => 12 + i);
      agree(message, backward ? order.reverse() : order);
    }),
    { numRuns: 2000, seed: 53 },
  );
  t.pass('2,000 messages');
});

t.test('127 pointers are followed, not 128; 255 octets are a name, not 256', async (t) => {
  const pointers = Array.from({ length: 200 }, (_, i) => pointer(i === 0 ? 12 : 14 + 2 * (i - 1)));
  const chain = Buffer.concat([Buffer.alloc(12), Buffer.from([0, 0]), ...pointers]);
  const order = Array.from({ length: 200 }, (_, i) => 14 + 2 * i);
  agree(chain, order);
  agree(chain, [...order].reverse());
  t.ok(new Owners(chain).read(14 + 2 * 126));
  t.equal(new Owners(chain).read(14 + 2 * 127), null);
  const labels = Array.from({ length: 63 }, () => Buffer.from('abc'));
  const long = Buffer.concat([Buffer.alloc(12), labelled(...labels)]);
  const one = Buffer.concat([long, labelled(Buffer.from('d')).subarray(0, -1), pointer(12)]);
  t.equal(new Owners(one).read(long.length)?.length, 255);
  const two = Buffer.concat([long, labelled(Buffer.from('de')).subarray(0, -1), pointer(12)]);
  t.equal(new Owners(two).read(long.length), null);
  t.equal(
    new Owners(Buffer.concat([Buffer.alloc(12), wire('a')])).find(wire('a')),
    undefined,
    'not read yet',
  );
});

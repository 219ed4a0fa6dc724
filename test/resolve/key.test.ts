import t from 'tap';
import { Key, MAX_KEY, withType } from '../../src/resolve/answer/key.ts';
import { saltedHash } from '../../src/wire/half-siphash.ts';
import { halfSipHashOf } from '../wire/half-siphash-of.ts';
import { wireName } from './records.ts';

/** Cache keys: one for each question that is told from others, and a hash that nobody can make collide. */

const hash = saltedHash(Uint32Array.of(1, 2));

function key(name: string, type = 1, group = 0, cd = false, identity = 0): string {
  const octets = wireName(name);
  return new Key(hash).set(octets, octets.length, type, group, cd, identity).text;
}

t.test('whatever differs makes another key', async (t) => {
  const keys = [
    key('a.example'),
    key('b.example'),
    key('a.example', 28),
    key('a.example', 257),
    key('a.example', 1, 0, true),
    key('a.example', 1, 0, false, 1),
    key('a.example', 1, 0, false, 256),
  ];
  t.equal(new Set(keys).size, keys.length);
});

t.test('groups have numbers as large as a process can give', async (t) => {
  const groups = [...Array.from({ length: 1000 }, (_, i) => i), 65_536, 16_777_216, 0xffff_ffff];
  t.equal(new Set(groups.map((group) => key('a.example', 1, group))).size, groups.length);
  t.equal(new Set(groups.map((group) => key('a.example', 1, 0, false, group))).size, groups.length);
});

t.test('the longest name has room, the root too', async (t) => {
  const label = 'a'.repeat(63);
  const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`;
  t.equal(key(longest, 1, 7, true, 9).length, MAX_KEY);
  t.not(key(longest, 1, 7, true, 9), key(longest, 1, 7, true, 10));
  t.not(key('.', 1, 0), key('.', 1, 1));
});

t.test('another type of the same name', async (t) => {
  for (const type of [1, 28, 257, 65_535]) {
    t.equal(withType(key('a.example', 1, 300, true, 5), 11, type), key('a.example', type, 300, true, 5));
  }
});

/** HalfSipHash-2-4 of the octets 0, 1, 2 … under the key 0 to 7, from `vectors.h` of the reference implementation. */
const VECTORS = [
  'a9359f5b',
  '27475ab8',
  'fa62a603',
  '8afee704',
  '2a6e4689',
  'c5fab669',
  '5863fc23',
  '8bcf63c5',
  'd0b8848f',
  'f806e779',
];

t.test('the hash is HalfSipHash', async (t) => {
  const octets = Buffer.from(Array.from({ length: 16 }, (_, i) => i));
  const word = Buffer.alloc(4);
  VECTORS.forEach((vector, length) => {
    word.writeInt32LE(halfSipHashOf(octets, length, 0x0302_0100, 0x0706_0504, 2, 4));
    t.equal(word.toString('hex'), vector, `${length} octets`);
  });
});

t.test('keys are hashed with one round of each word and three at the end', async (t) => {
  const octets = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7) & 0xff));
  const hash = saltedHash(Uint32Array.of(0x1234_5678, 0x9abc_def0));
  for (let length = 0; length <= octets.length; length++) {
    const expected = halfSipHashOf(octets, length, 0x1234_5678, 0x9abc_def0 | 0, 1, 3);
    if (hash(octets, length) !== expected) t.fail(`${length} octets`);
  }
  t.equal(hash(octets, 7), halfSipHashOf(octets, 7, 0x1234_5678, 0x9abc_def0 | 0, 1, 3));
});

t.test('two secrets give different hashes, and each spreads names over all bits', async (t) => {
  const one = saltedHash(Uint32Array.of(1, 2));
  const other = saltedHash(Uint32Array.of(1, 3));
  const seen = new Set<number>();
  const buckets = new Uint16Array(256);
  let same = 0;
  for (let i = 0; i < 25_600; i++) {
    const name = wireName(`u${i}.site.example`);
    const hash = one(name, name.length);
    seen.add(hash);
    buckets[hash & 0xff]!++;
    if (hash === other(name, name.length)) same++;
  }
  t.ok(seen.size > 25_500, `${seen.size} of 25,600`);
  t.ok(same < 5, `${same} alike`);
  t.ok(Math.max(...buckets) < 160 && Math.min(...buckets) > 50, 'the lowest octet is even');
});

t.test('a key is its parts, and comes back from its text', async (t) => {
  const name = wireName('\\000\\255.example');
  const one = new Key(hash).set(name, name.length, 0xfffe, 0x0102_0304, true, 0xf1f2_f3f4);
  t.equal(
    one.octets.toString('hex', 0, one.length),
    `${Buffer.from(name).toString('hex')}fffe0102030401f1f2f3f4`,
  );
  const again = new Key(hash).read(one.text);
  t.ok(again.equals(one));
  t.equal(again.hash, one.hash);
  again.set(name, name.length, 0xfffe, 0x0102_0304, false, 0xf1f2_f3f4);
  t.notOk(again.equals(one));
});

import t from 'tap';
import { KeyedHash } from '../../src/wire/half-siphash.ts';

/** HalfSipHash as its paper writes it, in whole numbers of any size; each half of the output little-endian. */
function slowHash(key: Uint8Array, octets: Uint8Array, rounds: number, last: number): string {
  const word = (from: Uint8Array, at: number): bigint =>
    [0, 1, 2, 3].reduce((sum, i) => sum | (BigInt(from[at + i] ?? 0) << BigInt(8 * i)), 0n);
  const mask = 0xffff_ffffn;
  const turn = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask;
  const [first, second] = [word(key, 0), word(key, 4)];
  let v = [first, second ^ 0xeen, 0x6c79_6765n ^ first, 0x7465_6462n ^ second] as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const mix = (times: number): void => {
    for (let i = 0; i < times; i++) {
      let [a, b, c, d] = v;
      a = (a + b) & mask;
      b = turn(b, 5n) ^ a;
      a = turn(a, 16n);
      c = (c + d) & mask;
      d = turn(d, 8n) ^ c;
      a = (a + d) & mask;
      d = turn(d, 7n) ^ a;
      c = (c + b) & mask;
      b = turn(b, 13n) ^ c;
      c = turn(c, 16n);
      v = [a, b, c, d];
    }
  };
  const absorb = (value: bigint): void => {
    v[3] ^= value;
    mix(rounds);
    v[0] ^= value;
  };
  const whole = octets.length & ~3;
  for (let at = 0; at < whole; at += 4) absorb(word(octets, at));
  absorb(word(octets.subarray(whole), 0) | (BigInt(octets.length & 0xff) << 24n));
  const out = Buffer.alloc(8);
  v[2] ^= 0xeen;
  mix(last);
  out.writeUInt32LE(Number(v[1] ^ v[3]), 0);
  v[1] ^= 0xddn;
  mix(last);
  out.writeUInt32LE(Number(v[1] ^ v[3]), 4);
  return out.toString('hex');
}

const ordinals = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

/** HalfSipHash-2-4 with 64 bits, from `vectors.h` of the reference implementation. */
t.test('the slow hash gives the vectors of the reference implementation', async (t) => {
  const vectors = ['218d1f59b9b83cc8', 'be552412f8387315', '064f39ef7c50eb57'];
  for (const [length, expected] of vectors.entries())
    t.equal(slowHash(ordinals(8), ordinals(length), 2, 4), expected, `${length} octets`);
});

t.test('the keyed hash is HalfSipHash-1-3 with 64 bits, of every length that a name has', async (t) => {
  for (const key of [ordinals(16), Uint8Array.from({ length: 16 }, (_, i) => 251 - 17 * i)]) {
    const hash = new KeyedHash(key);
    const octets = Uint8Array.from({ length: 300 }, (_, i) => (i * 197 + 255) & 0xff);
    for (let length = 0; length <= 256; length++) {
      hash.run(octets, length);
      const out = Buffer.alloc(8);
      out.writeInt32LE(hash.low, 0);
      out.writeInt32LE(hash.high, 4);
      const expected = slowHash(key, octets.subarray(0, length), 1, 3);
      if (out.toString('hex') !== expected) t.equal(out.toString('hex'), expected, `${length} octets`);
    }
  }
  t.pass('257 lengths under two keys');
});

import t from 'tap';
import { keyed, QuestionHash } from '../../src/wire/half-siphash.ts';

const state = keyed(0x0302_0100, 0x0706_0504);
const hash = new QuestionHash();
const octets = Uint8Array.from({ length: 300 }, (_, i) => (i * 151 + 17) & 0xff);

/** As text, of the octets of `name` from `start` to `end`. */
function ofOctets(what: number, name: Uint8Array, start: number, end: number): string {
  hash.of(state, what, name, start, end);
  return `${hash.print} ${hash.place}`;
}

/** The same, where `behind` stands behind the name. */
function ofWords(what: number, name: Uint8Array, behind: number): string {
  const words = new Uint32Array(64).fill(Math.imul(behind, 0x0101_0101));
  new Uint8Array(words.buffer).set(name);
  hash.ofWords(state, what, words, name.length);
  return `${hash.print} ${hash.place}`;
}

t.test('a name has one hash, wherever it stands and whatever stands behind it', async (t) => {
  const wrong: number[] = [];
  for (let length = 1; length <= 255; length++) {
    const start = length % 7;
    const name = octets.subarray(start, start + length);
    const wanted = ofOctets(5, octets, start, start + length);
    // A longer one before it leaves its octets behind it.
    ofOctets(5, octets, 0, 255);
    const all = [ofOctets(5, name, 0, length), ofWords(5, name, 0), ofWords(5, name, 0xff)];
    if (all.some((each) => each !== wanted)) wrong.push(length);
  }
  t.same(wrong, []);
});

t.test('each octet counts, and the length, and what was decided', async (t) => {
  const seen = new Set<string>();
  let made = 0;
  for (const length of [1, 2, 3, 4, 5, 30, 31, 32, 33, 254, 255]) {
    const name = Uint8Array.from(octets.subarray(0, length));
    for (const what of [0, 1, 0x8000_0000]) {
      seen.add(ofWords(what, name, 0));
      made++;
    }
    for (let at = 0; at < length; at++) {
      name[at]! ^= 0x80;
      seen.add(ofWords(0, name, 0));
      made++;
      name[at]! ^= 0x80;
    }
  }
  t.equal(seen.size, made);
});

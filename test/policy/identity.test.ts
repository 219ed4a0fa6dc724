import fc from 'fast-check';
import t from 'tap';
import { addressTable, findAddress } from '../../src/policy/identity.ts';
import type { AddressTable } from '../../src/policy/snapshot.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import type { Prefix } from '../../src/wire/prefix.ts';
import { prefix } from './build.ts';

type Claim = readonly [prefix: string, identity: number];

function table(...claims: Claim[]): AddressTable {
  return addressTable(claims.map(([text, identity]) => ({ prefix: prefix(text), identity })));
}

/** IPv4, or IPv6 of eight groups written out. */
function find(addresses: AddressTable, text: string): number {
  const { family, words } = prefix(text);
  const [w0, w1 = 0, w2 = 0, w3 = 0] = words as [number, number?, number?, number?];
  return findAddress(addresses, ipAddress(family, w0, w1, w2, w3));
}

t.test('the longest static prefix', async (t) => {
  const addresses = table(
    ['10.0.0.0/8', 1],
    ['10.20.0.0/16', 2],
    ['10.20.30.0/24', 3],
    ['10.20.30.40', 4],
    ['192.0.2.0/24', 5],
  );
  for (const [address, identity] of [
    ['9.255.255.255', -1],
    ['10.0.0.0', 1],
    ['10.19.255.255', 1],
    ['10.20.0.0', 2],
    ['10.20.29.255', 2],
    ['10.20.30.0', 3],
    ['10.20.30.39', 3],
    ['10.20.30.40', 4],
    ['10.20.30.41', 3],
    ['10.20.30.255', 3],
    ['10.20.31.0', 2],
    ['10.20.255.255', 2],
    ['10.21.0.0', 1],
    ['10.255.255.255', 1],
    ['11.0.0.0', -1],
    ['192.0.1.255', -1],
    ['192.0.2.0', 5],
    ['192.0.2.255', 5],
    ['192.0.3.0', -1],
  ] as const) {
    t.equal(find(addresses, address), identity, address);
  }
});

t.test('nobody is known to an empty table', async (t) => {
  const addresses = table();
  for (const address of [
    '0.0.0.0',
    '255.255.255.255',
    '0:0:0:0:0:0:0:0',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ]) {
    t.equal(find(addresses, address), -1);
  }
});

t.test('/0, /32, /128 and both ends of the address space', async (t) => {
  const addresses = table(
    ['0.0.0.0/0', 0],
    ['0.0.0.0', 1],
    ['255.255.255.255', 2],
    ['0:0:0:0:0:0:0:0/0', 3],
    ['0:0:0:0:0:0:0:0', 4],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 5],
  );
  for (const [address, identity] of [
    ['0.0.0.0', 1],
    ['0.0.0.1', 0],
    ['127.255.255.255', 0],
    ['128.0.0.0', 0],
    ['255.255.255.254', 0],
    ['255.255.255.255', 2],
    ['0:0:0:0:0:0:0:0', 4],
    ['0:0:0:0:0:0:0:1', 3],
    ['8000:0:0:0:0:0:0:0', 3],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', 3],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 5],
  ] as const) {
    t.equal(find(addresses, address), identity, address);
  }
});

t.test('IPv6 prefixes that end within each of the four words', async (t) => {
  const addresses = table(
    ['2001:db8:0:0:0:0:0:0/32', 1],
    ['2001:db8:20:0:0:0:0:0/48', 2],
    ['2001:db8:20:8000:0:0:0:0/49', 3],
    ['2001:db8:20:0:0:1:0:0/96', 4],
    ['2001:db8:20:0:0:1:0:7', 5],
  );
  for (const [address, identity] of [
    ['2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', -1],
    ['2001:db8:0:0:0:0:0:0', 1],
    ['2001:db8:1f:ffff:ffff:ffff:ffff:ffff', 1],
    ['2001:db8:20:0:0:0:ffff:ffff', 2],
    ['2001:db8:20:0:0:1:0:0', 4],
    ['2001:db8:20:0:0:1:0:7', 5],
    ['2001:db8:20:0:0:1:0:8', 4],
    ['2001:db8:20:0:0:2:0:0', 2],
    ['2001:db8:20:7fff:ffff:ffff:ffff:ffff', 2],
    ['2001:db8:20:8000:0:0:0:0', 3],
    ['2001:db8:20:ffff:ffff:ffff:ffff:ffff', 3],
    ['2001:db8:21:0:0:0:0:0', 1],
    ['2001:db9:0:0:0:0:0:0', -1],
  ] as const) {
    t.equal(find(addresses, address), identity, address);
  }
});

t.test('RFC 4291 §2.5.5.2: IPv4-mapped sources are IPv4', async (t) => {
  const addresses = table(['10.0.0.0/8', 1], ['0:0:0:0:0:0:0:0/0', 2], ['192.0.2.255', 3]);
  t.equal(find(addresses, '0:0:0:0:0:ffff:a00:1'), 1);
  t.equal(find(addresses, '0:0:0:0:0:ffff:c000:2ff'), 3);
  t.equal(find(addresses, '0:0:0:0:0:ffff:b00:1'), -1, 'an IPv6 prefix does not hold it');
  for (const other of [
    '0:0:0:0:0:fffe:a00:1',
    '0:0:0:0:1:ffff:a00:1',
    '0:0:0:0:ffff:0:a00:1',
    '1:0:0:0:0:ffff:a00:1',
    '0:0:0:0:0:0:a00:1',
  ]) {
    t.equal(find(addresses, other), 2, other);
  }
});

t.test('neighbours and children of one identity are one range', async (t) => {
  const addresses = table(['10.0.0.0/9', 1], ['10.128.0.0/9', 1], ['10.5.0.0/16', 1]);
  t.same([...addresses.owner4], [1, -1]);
  t.same([...addresses.start4], [0x0a00_0000, 0x0b00_0000]);
});

/** The longest prefix by looking at all of them. */
function findSlowly(
  claims: readonly { prefix: Prefix; identity: number }[],
  family: 4 | 6,
  words: readonly number[],
): number {
  const mapped = family === 6 && words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  const address = mapped ? [words[3]!] : words;
  const bits = (of: readonly number[]): string =>
    of.map((word) => word.toString(2).padStart(32, '0')).join('');
  const asked = bits(address);
  let best = -1;
  let length = -1;
  for (const { prefix, identity } of claims) {
    const same =
      prefix.words.length === address.length &&
      bits(prefix.words).slice(0, prefix.length) === asked.slice(0, prefix.length);
    if (same && prefix.length > length) {
      best = identity;
      length = prefix.length;
    }
  }
  return best;
}

/** Words with few different bits, so that prefixes nest and touch. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 0x8000_0000, 0xffff_ffff, 0xffff_fffe, 0x7fff_ffff, 0xffff, 0x0a00_0000, 0x0aff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

function masked(words: readonly number[], length: number): number[] {
  return words.map((each, i) => {
    const bits = Math.max(0, Math.min(32, length - 32 * i));
    return bits === 0 ? 0 : (each & (0xffff_ffff << (32 - bits))) >>> 0;
  });
}

function claimsOf(family: 4 | 6): fc.Arbitrary<{ prefix: Prefix; identity: number }[]> {
  const size = family === 4 ? 1 : 4;
  const length = fc.oneof(
    fc.integer({ min: 0, max: 32 * size }),
    fc.constantFrom(0, 1, 8, 31, 32, 32 * size - 1, 32 * size),
  );
  return fc
    .uniqueArray(
      fc.tuple(fc.array(word, { minLength: size, maxLength: size }), length).map(
        ([words, bits]): Prefix => ({
          family,
          words: masked(words, bits),
          length: bits,
        }),
      ),
      { maxLength: 25, selector: (each) => `${each.words.join()}/${each.length}` },
    )
    .map((prefixes) => prefixes.map((each, i) => ({ prefix: each, identity: i % 5 })));
}

t.test('property: the table finds what a look at every prefix finds', async (t) => {
  let found = 0;
  let checked = 0;
  fc.assert(
    fc.property(
      claimsOf(4),
      claimsOf(6),
      fc.array(fc.array(word, { minLength: 4, maxLength: 4 }), { maxLength: 20 }),
      (four, six, others) => {
        const claims = [...four, ...six];
        const addresses = addressTable(claims);
        const lookUp = (family: 4 | 6, words: readonly number[]): boolean => {
          const [w0, w1 = 0, w2 = 0, w3 = 0] = words as [number, number?, number?, number?];
          const got = findAddress(addresses, ipAddress(family, w0, w1, w2, w3));
          checked++;
          if (got >= 0) found++;
          return got === findSlowly(claims, family, words);
        };
        // Every prefix's first and last address, and their neighbours outside.
        const edges = claims.flatMap(({ prefix }) => {
          const bits = 32 * prefix.words.length;
          const first = prefix.words.reduce((sum, each) => (sum << 32n) | BigInt(each), 0n);
          const last = first + (1n << BigInt(bits - prefix.length)) - 1n;
          return [first, last, first - 1n, last + 1n]
            .filter((value) => value >= 0n && value < 1n << BigInt(bits))
            .map((value) =>
              prefix.words.map((_, i) => Number((value >> BigInt(bits - 32 * (i + 1))) & 0xffff_ffffn)),
            );
        });
        return (
          edges.every((words) => lookUp(words.length === 1 ? 4 : 6, words)) &&
          others.every(
            (words) =>
              lookUp(6, words) && lookUp(4, words.slice(0, 1)) && lookUp(6, [0, 0, 0xffff, words[3]!]),
          )
        );
      },
    ),
    { seed: 60, numRuns: 600 },
  );
  t.ok(found > 5000 && checked - found > 5000, `${found} of ${checked} addresses are somebody's`);
});

t.test('a large table finds everyone in it', async (t) => {
  const claims = Array.from({ length: 50_000 }, (_, i) => ({
    prefix: { family: 4 as const, words: [(i * 85_899) >>> 0], length: 32 },
    identity: i,
  }));
  const addresses = addressTable(claims);
  let found = 0;
  let strangers = 0;
  for (let i = 0; i < 50_000; i++) {
    if (findAddress(addresses, ipAddress(4, (i * 85_899) >>> 0, 0, 0, 0)) === i) found++;
    if (findAddress(addresses, ipAddress(4, (i * 85_899 + 1) >>> 0, 0, 0, 0)) === -1) strangers++;
  }
  t.equal(found, 50_000);
  t.equal(strangers, 50_000);
});

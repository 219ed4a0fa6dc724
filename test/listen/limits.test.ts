import t from 'tap';
import { RateLimits } from '../../src/listen/limits.ts';
import { ANSWER_IT, type Client, DROP_IT, TRUNCATE_IT } from '../../src/resolve/ports.ts';
import { readAddress } from '../../src/socket/address-words.ts';
import { WordHash } from '../../src/wire/half-siphash.ts';
import type { AddressWords } from '../../src/wire/ip-address.ts';

const KEY = [0x0123_4567, 0x89ab_cdef] as const;

function client(text: string): Client & AddressWords {
  const words: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  readAddress(text, words);
  return {
    transport: 'udp',
    spoofable: false,
    lease: '',
    credential: null,
    asked: () => false,
    ...words,
    port: 5353,
    defer: () => {
      throw new Error('not here');
    },
  };
}

function limits(unknownQps = 20): RateLimits {
  const made = new RateLimits(KEY);
  made.configure({ identities: [], unknownQps });
  return made;
}

/** How many of each verdict `n` answers to `who` get at `now`. */
function verdicts(rates: RateLimits, who: Client, n: number, now: number): number[] {
  const counts = [0, 0, 0];
  for (let i = 0; i < n; i++) counts[rates.unknown(who, now)]!++;
  return counts;
}

t.test('the hash is HalfSipHash-2-4 with 64 bits', async (t) => {
  const hash = new WordHash(0x03020100, 0x07060504);
  hash.run(0x03020100, 0x07060504, 0x0b0a0908);
  const out = Buffer.alloc(8);
  out.writeInt32LE(hash.first, 0);
  out.writeInt32LE(hash.second, 4);
  t.equal(out.toString('hex'), '7bc71f9faef5c799', "the reference's vector for 12 octets");
});

t.test('unknown: twenty answers a second, then one cut, one dropped', async (t) => {
  const rates = limits();
  const who = client('192.0.2.7');
  for (let i = 0; i < 20; i++) t.equal(rates.unknown(who, 5), ANSWER_IT);
  for (let i = 0; i < 10; i++) {
    t.equal(rates.unknown(who, 900), TRUNCATE_IT);
    t.equal(rates.unknown(who, 1004), DROP_IT);
  }
  t.equal(rates.truncated, 10);
  t.equal(rates.dropped, 10);
  t.same(verdicts(rates, who, 25, 1005), [20, 3, 2], 'a second after the first one, as many again');
});

t.test('unknown: the prefixes are /24 and /56, and mapped is IPv4', async (t) => {
  const rates = limits();
  t.same(verdicts(rates, client('192.0.2.0'), 20, 0), [20, 0, 0]);
  t.same(verdicts(rates, client('192.0.2.255'), 2, 0), [0, 1, 1], 'the same /24');
  t.same(
    verdicts(rates, client('::ffff:192.0.2.9'), 2, 0),
    [0, 1, 1],
    'the same client through an IPv6 socket',
  );
  t.same(verdicts(rates, client('192.0.3.0'), 2, 0), [2, 0, 0], 'the next /24');
  t.same(verdicts(rates, client('2001:db8:0:100::1'), 20, 0), [20, 0, 0]);
  t.same(verdicts(rates, client('2001:db8:0:1ff:ffff::'), 2, 0), [0, 1, 1], 'the same /56');
  t.same(verdicts(rates, client('2001:db8:0:200::1'), 2, 0), [2, 0, 0], 'the next /56');
});

t.test('unknown: the rate can be changed while it counts, and zero answers nobody whole', async (t) => {
  const rates = limits(2);
  const who = client('192.0.2.1');
  t.same(verdicts(rates, who, 4, 0), [2, 1, 1]);
  rates.configure({ identities: [], unknownQps: 10 });
  t.same(verdicts(rates, who, 8, 1), [6, 1, 1]);
  rates.configure({ identities: [], unknownQps: 0 });
  t.same(verdicts(rates, client('198.51.100.1'), 4, 2), [0, 2, 2]);
});

t.test('unknown: no prefix gets more than the rate, whatever forged prefixes do', async (t) => {
  const rates = limits();
  const victim = client('203.0.113.1');
  const forged = client('0.0.0.0');
  let whole = 0;
  for (let i = 0; i < 200_000; i++) {
    forged.w0 = Math.imul(i, 0x9e3779b1) >>> 0;
    rates.unknown(forged, 0);
    if (i % 100 === 0 && rates.unknown(victim, 0) === ANSWER_IT) whole++;
  }
  t.ok(whole <= 20, `${whole} of 2000 whole answers to one prefix in a second`);
});

t.test(
  'unknown: a flood of forged prefixes starves few others, and the others change each second',
  async (t) => {
    const rates = limits();
    const forged = client('0.0.0.0');
    // The dearest way to raise slots: twenty queries from each of 2,500 prefixes, 50,000 in a second. The bound
    // is (50,000 / (20 * 16,384))^4 = 0.05 %.
    const starved = (now: number): Set<number> => {
      for (let prefix = 0; prefix < 2500; prefix++) {
        forged.w0 = (0x0a000000 + (prefix << 8)) >>> 0;
        for (let i = 0; i < 20; i++) rates.unknown(forged, now);
      }
      const found = new Set<number>();
      for (let other = 0; other < 20_000; other++) {
        forged.w0 = (0x64000000 + (other << 8)) >>> 0;
        // The first query of a prefix that nobody has seen.
        if (rates.unknown(forged, now) !== ANSWER_IT) found.add(other);
      }
      return found;
    };
    const first = starved(0);
    const second = starved(1000);
    t.ok(first.size <= 20 && second.size <= 20, `${first.size} and ${second.size} of 20,000 others`);
    t.equal([...first].filter((other) => second.has(other)).length, 0, 'bad luck lasts a second');
  },
);

t.test('unknown: a flood of forged addresses, each used once, starves few others', async (t) => {
  const rates = limits();
  const forged = client('0.0.0.0');
  // 18 for each slot: were every slot of a prefix raised by each query, a third of the slots would be over 20.
  for (let i = 0; i < 300_000; i++) {
    forged.w0 = (i << 8) >>> 0;
    rates.unknown(forged, 0);
  }
  let starved = 0;
  for (let other = 0; other < 20_000; other++) {
    forged.w0 = (0xc0000000 + (other << 8)) >>> 0;
    if (rates.unknown(forged, 0) !== ANSWER_IT) starved++;
  }
  t.ok(starved <= 20, `${starved} of 20,000 others`);
});

t.test('unknown: an attacker who knows the design but not the key cannot aim', async (t) => {
  // Prefixes that collide with the victim's under one key, found by trying them all, are harmless under another.
  const hash = new WordHash(1, 2);
  const slot = (w0: number): number => {
    hash.run(1, w0 >>> 8, 0xffff_ffff);
    return hash.first & 0x3fff;
  };
  const victim = client('203.0.113.1');
  const target = slot(victim.w0);
  const colliding: number[] = [];
  for (let prefix = 0; prefix < 1 << 20; prefix++) {
    if (slot(prefix << 8) === target) colliding.push(prefix << 8);
  }
  t.ok(colliding.length > 20, `${colliding.length} collide under the known key`);
  const rates = limits();
  const forged = client('0.0.0.0');
  for (const w0 of colliding) {
    forged.w0 = w0 >>> 0;
    for (let i = 0; i < 100; i++) rates.unknown(forged, 0);
  }
  t.same(verdicts(rates, victim, 20, 0), [20, 0, 0]);
});

t.test('identity: burst at once, then qps', async (t) => {
  const rates = new RateLimits(KEY);
  rates.configure({
    identities: [
      { name: 'free', qps: 0, burst: 0 },
      { name: 'tight', qps: 10, burst: 3 },
    ],
    unknownQps: 20,
  });
  const taken = (index: number, n: number, now: number): number => {
    let count = 0;
    for (let i = 0; i < n; i++) if (rates.identity(index, now)) count++;
    return count;
  };
  t.equal(taken(0, 1000, 0), 1000, 'no limit');
  t.equal(taken(1, 10, 50), 3, 'the burst');
  t.equal(taken(1, 10, 100), 0, 'half a token is none');
  t.equal(taken(1, 10, 150), 1, 'a tenth of a second, a token');
  t.equal(taken(1, 10, 10_000), 3, 'never more than the burst');
  t.equal(taken(7, 5, 0), 5, 'an index that has no limit');
  let steady = 0;
  for (let now = 20_000; now < 30_000; now += 10) steady += taken(1, 1, now);
  t.ok(steady >= 100 && steady <= 103, `${steady} in ten seconds at 100 a second asked`);
});

t.test('identity: a reload keeps the tokens by name, not by index', async (t) => {
  const rates = new RateLimits(KEY);
  rates.configure({ identities: [{ name: 'a', qps: 1, burst: 5 }], unknownQps: 20 });
  for (let i = 0; i < 5; i++) t.ok(rates.identity(0, 0));
  t.notOk(rates.identity(0, 0));
  rates.configure({
    identities: [
      { name: 'new', qps: 1, burst: 2 },
      { name: 'a', qps: 1, burst: 50 },
    ],
    unknownQps: 20,
  });
  t.notOk(rates.identity(1, 0), 'empty before, empty after');
  t.ok(rates.identity(0, 0), 'a new one starts full');
  t.ok(rates.identity(1, 1000), 'and fills as time goes');
  rates.configure({ identities: [{ name: 'a', qps: 0, burst: 0 }], unknownQps: 20 });
  t.ok(rates.identity(0, 1000), 'the limit is gone');
  rates.configure({ identities: [{ name: 'a', qps: 1, burst: 1 }], unknownQps: 20 });
  t.ok(rates.identity(0, 1000), 'one that comes back starts full');
  t.notOk(rates.identity(0, 1000));
});

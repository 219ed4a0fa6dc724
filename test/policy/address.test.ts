import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import { addressToText, inPrefix, mayHold, REACH, reachOf } from '../../src/policy/address.ts';
import type { Prefix } from '../../src/wire/prefix.ts';

function octets(text: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(text).toByteArray());
}

function reach(text: string): string {
  const address = octets(text);
  // At an odd place in a larger array, as in RDATA.
  const rdata = new Uint8Array(address.length + 8).fill(0xff);
  rdata.set(address, 3);
  const got = reachOf(rdata, 3, address.length as 4 | 16);
  return Object.entries(REACH).find(([, value]) => value === got)![0];
}

function prefix(text: string): Prefix {
  const [address, length] = ipaddr.parseCIDR(text);
  const bytes = address.toByteArray();
  const words: number[] = [];
  for (let i = 0; i < bytes.length; i += 4) {
    words.push(((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) >>> 0);
  }
  return { family: bytes.length === 4 ? 4 : 6, words, length };
}

/** First and last address of each range, and the addresses just outside where those are public. */
const RANGES: [string, 'PRIVATE' | 'SPECIAL', string, string, string[]][] = [
  ['RFC 1918', 'PRIVATE', '10.0.0.0', '10.255.255.255', ['9.255.255.255', '11.0.0.0']],
  ['RFC 1918', 'PRIVATE', '172.16.0.0', '172.31.255.255', ['172.15.255.255', '172.32.0.0']],
  ['RFC 1918', 'PRIVATE', '192.168.0.0', '192.168.255.255', ['192.167.255.255', '192.169.0.0']],
  ['RFC 6598', 'PRIVATE', '100.64.0.0', '100.127.255.255', ['100.63.255.255', '100.128.0.0']],
  [
    'RFC 4193, ULA',
    'PRIVATE',
    'fc00::',
    'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fe00::'],
  ],
  ['loopback', 'SPECIAL', '127.0.0.0', '127.255.255.255', ['126.255.255.255', '128.0.0.0']],
  ['loopback', 'SPECIAL', '::1', '::1', []],
  ['unspecified and this network', 'SPECIAL', '0.0.0.0', '0.255.255.255', ['1.0.0.0']],
  ['unspecified', 'SPECIAL', '::', '::', []],
  ['link-local', 'SPECIAL', '169.254.0.0', '169.254.255.255', ['169.253.255.255', '169.255.0.0']],
  [
    'link-local',
    'SPECIAL',
    'fe80::',
    'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ],
  ['site-local (RFC 3879)', 'SPECIAL', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', []],
  ['multicast', 'SPECIAL', '224.0.0.0', '239.255.255.255', ['223.255.255.255']],
  ['multicast', 'SPECIAL', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', []],
  ['reserved and broadcast', 'SPECIAL', '240.0.0.0', '255.255.255.255', []],
  ['metadata', 'SPECIAL', '169.254.169.254', '169.254.169.254', []],
  ['metadata', 'SPECIAL', '100.100.100.200', '100.100.100.200', []],
  ['metadata', 'SPECIAL', '168.63.129.16', '168.63.129.16', ['168.63.129.15', '168.63.129.17']],
  ['metadata', 'SPECIAL', '192.0.0.192', '192.0.0.192', ['192.0.0.191', '192.0.0.193']],
  ['metadata', 'SPECIAL', 'fd00:ec2::254', 'fd00:ec2::254', []],
];

t.test('every range and metadata address, and the addresses just outside', async (t) => {
  for (const [what, expected, first, last, outside] of RANGES) {
    for (const address of [first, last]) t.equal(reach(address), expected, `${what}: ${address}`);
    for (const address of outside) t.equal(reach(address), 'PUBLIC', `${what}: ${address} is outside`);
  }
  // Neighbours of metadata addresses that lie in private ranges are private.
  for (const address of [
    '100.100.100.199',
    '100.100.100.201',
    'fd00:ec2::253',
    'fd00:ec2::255',
    'fd00:ec2:0:1::254',
  ]) {
    t.equal(reach(address), 'PRIVATE', address);
  }
});

t.test('public addresses', async (t) => {
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '140.82.121.3',
    '192.0.2.1',
    '198.51.100.1',
    '2606:4700::1111',
    '2001:db8::1',
    '2000::',
    '3fff::',
  ]) {
    t.equal(reach(address), 'PUBLIC', address);
  }
});

/** Ways in which an IPv6 address carries an IPv4 one, that are judged by it. */
const CARRIERS: [string, (hex: string) => string][] = [
  ['mapped (RFC 4291 §2.5.5.2)', (hex) => `::ffff:${hex.slice(0, 4)}:${hex.slice(4)}`],
  ['6to4 (RFC 3056)', (hex) => `2002:${hex.slice(0, 4)}:${hex.slice(4)}::`],
  ['6to4 with the rest set', (hex) => `2002:${hex.slice(0, 4)}:${hex.slice(4)}:ffff:ffff:ffff:ffff:ffff`],
  ['NAT64 (RFC 6052 §2.1)', (hex) => `64:ff9b::${hex.slice(0, 4)}:${hex.slice(4)}`],
  ['local-use NAT64 (RFC 8215)', (hex) => `64:ff9b:1::${hex.slice(0, 4)}:${hex.slice(4)}`],
  ['compatible (RFC 4291 §2.5.5.1)', (hex) => `::${hex.slice(0, 4)}:${hex.slice(4)}`],
];

t.test('an address that carries an IPv4 address is judged by the IPv4 inside', async (t) => {
  for (const [what, carry] of CARRIERS) {
    for (const [inside, expected] of [
      ['10.0.0.1', 'PRIVATE'],
      ['172.31.0.1', 'PRIVATE'],
      ['100.64.0.1', 'PRIVATE'],
      ['127.0.0.1', 'SPECIAL'],
      ['169.254.169.254', 'SPECIAL'],
      ['100.100.100.200', 'SPECIAL'],
      ['168.63.129.16', 'SPECIAL'],
      ['192.0.0.192', 'SPECIAL'],
      ['224.0.0.1', 'SPECIAL'],
      ['255.255.255.255', 'SPECIAL'],
      ['8.8.8.8', 'PUBLIC'],
      ['172.32.0.1', 'PUBLIC'],
    ] as const) {
      const address = carry(Buffer.from(octets(inside)).toString('hex'));
      t.ok(isIPv6(address));
      t.equal(reach(address), expected, `${what}: ${inside} in ${address}`);
    }
  }
  t.equal(reach('::ffff:0:0'), 'SPECIAL', 'mapped 0.0.0.0');
  t.equal(reach('::2'), 'SPECIAL', 'compatible 0.0.0.2');
});

t.test('what looks like a carrier and is none', async (t) => {
  for (const address of [
    '2003:a00:1::',
    '64:ff9b:2::a00:1',
    '64:ff9c::a00:1',
    '64:ff9b:0:1::a00:1',
    '1::ffff:a00:1',
    '::1:ffff:a00:1',
    '::fffe:a00:1',
  ]) {
    t.equal(reach(address), 'PUBLIC', address);
  }
});

function granted(grant: boolean | string[], address: string): boolean {
  const bytes = octets(address);
  const rdata = new Uint8Array(bytes.length + 5).fill(0xaa);
  rdata.set(bytes, 2);
  return mayHold(typeof grant === 'boolean' ? grant : grant.map(prefix), rdata, 2, bytes.length as 4 | 16);
}

t.test('`private: true` grants the private ranges and nothing special', async (t) => {
  for (const [, kind, first, last, outside] of RANGES) {
    for (const address of [first, last]) {
      t.equal(granted(false, address), false, `false: ${address}`);
      t.equal(granted(true, address), kind === 'PRIVATE', `true: ${address}`);
    }
    for (const address of outside) {
      t.equal(granted(false, address), true);
      t.equal(granted(true, address), true);
      t.equal(granted([], address), true);
    }
  }
  for (const [, carry] of CARRIERS) {
    const inside = carry('0a000001');
    t.equal(granted(false, inside), false);
    t.equal(granted(true, inside), true);
    t.equal(granted(true, carry('7f000001')), false);
  }
});

t.test('a list grants what lies in its ranges, private or special, and nothing else', async (t) => {
  t.equal(granted([], '10.0.0.1'), false);
  t.equal(granted(['10.0.0.0/8'], '10.1.2.3'), true);
  t.equal(granted(['10.0.0.0/8'], '192.168.0.1'), false);
  t.equal(granted(['192.168.7.0/24', '10.0.0.0/8'], '192.168.7.255'), true);
  t.equal(granted(['192.168.7.0/24', '10.0.0.0/8'], '192.168.8.0'), false);
  t.equal(granted(['127.0.0.0/8'], '127.0.0.1'), true);
  t.equal(granted(['169.254.169.254/32'], '169.254.169.254'), true);
  t.equal(granted(['169.254.169.254/32'], '169.254.169.253'), false);
  t.equal(granted(['0.0.0.0/0'], '127.0.0.1'), true);
  t.equal(granted(['fd00::/8'], 'fd00:ec2::254'), true);
  t.equal(granted(['fd00::/16'], 'fd01::1'), false);
  t.equal(granted(['::1/128'], '::1'), true);
  t.equal(granted(['::1/128'], '::'), false);
  t.equal(granted(['fe80::/10'], 'febf::1'), true);
  t.equal(granted(['fe80::/10'], 'fec0::1'), false);
  t.equal(granted(['fd00::/8'], '10.0.0.1'), false, 'another family');
  t.equal(granted(['0.0.0.0/0'], 'fd00::1'), false, 'another family');
  t.equal(granted(['10.0.0.0/8'], '8.8.8.8'), true, 'public addresses need no grant');
});

t.test('a carried address is granted by the IPv4 range of what is inside, or by its own range', async (t) => {
  for (const [what, carry] of CARRIERS) {
    const inside = carry('0a000001');
    t.equal(granted(['10.0.0.0/8'], inside), true, what);
    t.equal(granted(['10.0.0.2/32'], inside), false, what);
    t.equal(granted([`${inside}/128`], inside), true, what);
  }
  // `::` and `::1` are addresses of their own, and carry none.
  t.equal(granted(['0.0.0.0/8'], '::1'), false);
  t.equal(granted(['0.0.0.0/8'], '::'), false);
  t.equal(granted(['0.0.0.0/8'], '::2'), true);
});

t.test('property: inPrefix agrees with ipaddr.js', async () => {
  const bytes = (size: number): fc.Arbitrary<number[]> =>
    fc.array(fc.oneof(fc.constantFrom(0, 255, 128, 10), fc.nat(255)), { minLength: size, maxLength: size });
  const pair = fc
    .constantFrom(4, 16)
    .chain((size) => fc.tuple(bytes(size), bytes(size), fc.nat(size * 8), fc.nat(size * 8)));
  fc.assert(
    fc.property(pair, ([base, other, length, common]) => {
      // An address that shares its first bits with the prefix, often more than the prefix has.
      const address = base.map((byte, i) => {
        const keep = Math.max(0, Math.min(8, common - 8 * i));
        const mask = (0xff << (8 - keep)) & 0xff;
        return (byte & mask) | (other[i]! & ~mask & 0xff);
      });
      const cidr = `${ipaddr.fromByteArray(base)}/${length}`;
      const expected = ipaddr.fromByteArray(address).match(ipaddr.parseCIDR(cidr));
      const words = prefix(`${ipaddr.fromByteArray(address)}/0`).words;
      const [w0, w1 = 0, w2 = 0, w3 = 0] = words as [number, number?, number?, number?];
      return inPrefix(prefix(cidr), w0, w1, w2, w3) === expected;
    }),
    { seed: 70, numRuns: 3000 },
  );
});

t.test('RFC 5952: the text of an address', async (t) => {
  for (const text of [
    '0.0.0.0',
    '192.0.2.1',
    '255.255.255.255',
    '::',
    '::1',
    '1::',
    '2001:db8::1',
    '2001:db8:0:1::',
    '2001:0:0:1::1',
    '2001:db8::1:0:0:1',
    '1:0:2:0:3:0:4:0',
    '0:1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:0',
    '10:0:10:100::1000:1',
    '::a:b',
    '::ffff:c000:201',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ]) {
    t.equal(addressToText(octets(text)), text);
  }
});

t.test('property: the text of an address is that of ipaddr.js', async () => {
  const group = fc.oneof(fc.constantFrom(0, 0, 0, 1, 0x10, 0x100, 0x1000, 0xffff), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = groups.flatMap((each) => [each >> 8, each & 0xff]);
      const text = addressToText(Uint8Array.from(bytes));
      return text === new ipaddr.IPv6(bytes).toRFC5952String() && isIPv6(text);
    }),
    { seed: 71, numRuns: 3000 },
  );
});

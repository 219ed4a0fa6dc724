import t from 'tap';
import { Client, queryOctets } from './client.ts';
import { namegate } from './namegate.ts';
import { plain, upstream } from './upstream.ts';

/**
 * What goes upstream for a question holds nothing of the client's choosing but name and type, and CD where the name is written
 * out: whatever else a client writes, the octets are the same, but for namegate's own ID and case.
 */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test }, { name: "n{0..99}.f.example", reason: test }]
`;

/** An EDNS option as octets. */
function option(code: number, data: string): Buffer {
  const octets = Buffer.from(data, 'hex');
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(octets.length, 2);
  return Buffer.concat([head, octets]);
}

type Make = (name: string) => Buffer;

/** A question with other header flags: RD off, AD, Z, TC and AA. */
function flagged(flags: number): Make {
  return (name) => {
    const octets = queryOctets(name);
    octets.writeUInt16BE(flags, 2);
    return octets;
  };
}

const ASKED: Record<string, Make> = {
  'as a stub does': (name) => queryOctets(name),
  'without EDNS': (name) => queryOctets(name, { size: null }),
  'small size': (name) => queryOctets(name, { size: 512 }),
  'large size': (name) => queryOctets(name, { size: 65_535 }),
  DO: (name) => queryOctets(name, { dnssecOk: true }),
  AD: (name) => queryOctets(name, { authentic: true }),
  CD: (name) => queryOctets(name, { checkingDisabled: true }),
  'an ID of zero': (name) => queryOctets(name, { id: 0 }),
  'upper case': (name) => queryOctets(name.toUpperCase()),
  'mixed case': (name) => queryOctets(name.replace('example', 'eXaMpLe')),
  'a client subnet': (name) => queryOctets(name, { options: option(8, '00011800c00002') }),
  'padding and an unknown option': (name) =>
    queryOctets(name, { options: Buffer.concat([option(12, '00'.repeat(99)), option(65_001, 'c0ffee')]) }),
  'no recursion': flagged(0),
  'Z, AD and CD': flagged(0x0170),
};

t.test('what leaves has the same octets, whatever else a client writes', async (t) => {
  const up = await upstream(t, plain);
  const server = await namegate(t, { policy: POLICY, servers: `[${up.url}]` });
  const left = new Map<string, string>();
  for (const transport of ['udp', 'tcp'] as const) {
    const client = await Client.open(server, transport);
    t.teardown(() => client.close());
    for (const [front, zone] of [
      ['aaaa', 't'],
      ['n', 'f'],
    ] as const) {
      for (const [what, make] of Object.entries(ASKED)) {
        const number = String(10 + left.size);
        const name = `${front}${number}.${zone}.example`;
        const before = up.seen.length;
        await client.exchange(make(name), 10_000);
        const [seen, ...others] = up.seen.slice(before);
        if (seen === undefined || others.length > 0) throw new Error(`${what}: ${others.length} more left`);
        const octets = Buffer.from(seen.octets);
        octets.writeUInt16BE(0, 0);
        // CD leaves for a name that is written out: a validator below may ask for what the upstream takes for bogus.
        t.equal(seen.checkingDisabled, zone === 'f' && what.includes('CD'), `${zone}: CD of ${what}`);
        octets[3]! &= ~0x10;
        const same = octets.toString('latin1').toLowerCase().replace(number, '##');
        left.set(
          `${zone}: ${what}, ${transport}`,
          `${seen.over} ${Buffer.from(same, 'latin1').toString('hex')}`,
        );
      }
    }
  }
  t.equal(left.size, 4 * Object.keys(ASKED).length);
  for (const zone of ['t', 'f']) {
    const own = [...left].filter(([what]) => what.startsWith(zone));
    for (const [what, octets] of own) t.equal(octets, own[0]![1], what);
  }
  const ids = new Set(up.seen.map(({ id }) => id));
  t.ok(ids.size > 0.9 * up.seen.length, 'IDs are drawn');
  await server.stop(t);
});

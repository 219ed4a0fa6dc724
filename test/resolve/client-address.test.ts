import t from 'tap';
import { addressToText } from '../../src/policy/address.ts';
import { writeMachine, writeSix } from '../../src/resolve/ledger/client-address.ts';
import { Random } from '../server/random.ts';

function text(write: (out: Uint8Array, at: number) => number): string {
  const out = new Uint8Array(64);
  return Buffer.from(out.subarray(3, 3 + write(out, 3))).toString('latin1');
}

t.test('an address is written as everywhere else, without text', async (t) => {
  const random = new Random(7);
  const words = [0, 1, 0x10, 0xffff, 0x2001_0db8, 0x1_0000, 0xa0b0_0c0d, 0xffff_0000];
  for (let i = 0; i < 4000; i++) {
    const [w0, w1, w2, w3] = [0, 0, 0, 0].map(() => random.pick(words));
    const client = { family: 6 as const, w0: w0!, w1: w1!, w2: w2!, w3: w3! };
    const octets = Uint8Array.from(
      { length: 16 },
      (_, at) => [w0, w1, w2, w3][at >> 2]! >>> (24 - 8 * (at & 3)),
    );
    const got = text((out, at) => writeSix(client, out, at));
    if (got !== addressToText(octets)) t.equal(got, addressToText(octets));
  }
  const four = { family: 4 as const, w1: 0, w2: 0, w3: 0 };
  for (const [w0, written] of [
    [0xc000_0201, '192.0.2.1'],
    [0, '0.0.0.0'],
    [0xffff_ffff, '255.255.255.255'],
    [0x0a09_6405, '10.9.100.5'],
  ] as const)
    t.equal(
      text((out, at) => writeMachine({ ...four, w0 }, out, at)),
      written,
    );
  const mapped = { family: 6 as const, w0: 0, w1: 0, w2: 0xffff, w3: 0xc000_0201 };
  t.equal(
    text((out, at) => writeMachine(mapped, out, at)),
    '192.0.2.1',
  );
  const six = { family: 6 as const, w0: 0x2001_0db8, w1: 0x10, w2: 5, w3: 6 };
  t.equal(
    text((out, at) => writeMachine(six, out, at)),
    '2001:db8:0:10::/64',
  );
});

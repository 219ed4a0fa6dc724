import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import t from 'tap';
import { readAddress } from '../../src/socket/address-words.ts';
import { type AddressWords, isMapped } from '../../src/wire/ip-address.ts';

function read(text: string): AddressWords {
  // Left over from the datagram before, as in use.
  const out: AddressWords = { family: 4, w0: 0xdeadbeef, w1: 1, w2: 2, w3: 3 };
  readAddress(text, out);
  return out;
}

t.test('IPv4 is one word', async (t) => {
  t.same(read('192.0.2.1'), { family: 4, w0: 0xc0000201, w1: 0, w2: 0, w3: 0 });
  t.same(read('255.255.255.255').w0, 0xffffffff, 'unsigned');
  t.same(read('0.0.0.0').w0, 0);
});

t.test('IPv6 in the forms that inet_ntop writes', async (t) => {
  t.same(read('::'), { family: 6, w0: 0, w1: 0, w2: 0, w3: 0 });
  t.same(read('::1'), { family: 6, w0: 0, w1: 0, w2: 0, w3: 1 });
  t.same(read('1::'), { family: 6, w0: 0x10000, w1: 0, w2: 0, w3: 0 });
  t.same(read('2001:db8::ffff:1'), { family: 6, w0: 0x20010db8, w1: 0, w2: 0, w3: 0xffff0001 });
  t.same(read('2001:db8:1:2:3:4:5:6'), { family: 6, w0: 0x20010db8, w1: 0x10002, w2: 0x30004, w3: 0x50006 });
  t.same(read('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff').w0, 0xffffffff, 'unsigned');
  t.same(read('::ffff:192.0.2.1'), { family: 6, w0: 0, w1: 0, w2: 0xffff, w3: 0xc0000201 });
});

t.test('a zone id is not part of the address', async (t) => {
  t.same(read('fe80::1%eth0'), { family: 6, w0: 0xfe800000, w1: 0, w2: 0, w3: 1 });
  t.same(read('fe80::%2'), { family: 6, w0: 0xfe800000, w1: 0, w2: 0, w3: 0 });
  t.same(read('fe80::1:2%a:b.c'), { family: 6, w0: 0xfe800000, w1: 0, w2: 0, w3: 0x10002 });
  t.same(read('fe80:0:0:1:2:3:4:5%lo').w3, 0x40005);
});

t.test('IPv4-mapped is told from what looks like it', async (t) => {
  t.ok(isMapped(read('::ffff:127.0.0.1')));
  t.notOk(isMapped(read('::fffe:127.0.0.1')));
  t.notOk(isMapped(read('::127.0.0.1')));
  t.notOk(isMapped(read('1::ffff:127.0.0.1')));
  t.notOk(isMapped(read('0.0.255.255')), 'an IPv4 address is not mapped');
});

t.test('agrees with ipaddr.js on every address and each way to write it', async (t) => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    // Runs of zeros, so that `::` is at every place.
    fc.array(fc.constantFrom(0, 0, 0, 0xff), { minLength: 16, maxLength: 16 }).map((a) => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(octets, (bytes) => {
      const address = ipaddr.fromByteArray([...bytes]);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const words = Array.from({ length: 4 }, (_, i) => (4 * i < bytes.length ? view.getUint32(4 * i) : 0));
      const texts = [address.toString(), address.toNormalizedString(), address.toString().toUpperCase()];
      return texts.every((text) => {
        const { family, w0, w1, w2, w3 } = read(text);
        return (
          family === (bytes.length === 4 ? 4 : 6) && [w0, w1, w2, w3].every((word, i) => word === words[i])
        );
      });
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

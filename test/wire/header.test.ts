import t from 'tap';
import {
  FLAG,
  HEADER_SIZE,
  messageFlags,
  messageId,
  OPCODE_MASK,
  opcodeOf,
  RCODE_MASK,
  readUint16,
  readUint32,
  sectionCount,
  writeUint16,
  writeUint32,
} from '../../src/wire/header.ts';
import { message, opt, record } from './build.ts';

t.test('RFC 1035 §4.1.1: ID, flags and counts', async (t) => {
  const octets = message({
    id: 0xfedc,
    flags: 0x9583,
    answers: [record(), record()],
    authority: [record(), record(), record()],
    additional: [opt()],
  });
  t.equal(HEADER_SIZE, 12);
  t.equal(messageId(octets), 0xfedc);
  t.equal(messageFlags(octets), 0x9583);
  t.same(
    [0, 1, 2, 3].map((section) => sectionCount(octets, section as 0 | 1 | 2 | 3)),
    [1, 2, 3, 1],
  );
});

t.test('RFC 1035 §4.1.1, RFC 4035 §3.2: the flags word has a name for each bit of its own', async (t) => {
  const bits = Object.values(FLAG);
  t.equal(new Set(bits).size, bits.length);
  // All but Z (RFC 1035 §4.1.1: must be zero).
  t.equal(
    bits.reduce((sum, bit) => sum | bit, OPCODE_MASK | RCODE_MASK),
    0xffff & ~0x0040,
  );
});

t.test('RFC 1035 §4.1.1: all sixteen opcodes', async (t) => {
  for (let opcode = 0; opcode < 16; opcode++) t.equal(opcodeOf((opcode << 11) | 0x87ff), opcode);
});

t.test('integers in network order, unsigned', async (t) => {
  const octets = new Uint8Array(8);
  for (const value of [0, 1, 0x1234, 0x8000, 0xffff]) {
    writeUint16(octets, 3, value);
    t.equal(readUint16(octets, 3), value);
  }
  for (const value of [0, 1, 0x1234_5678, 0x8000_0000, 0xffff_ffff]) {
    writeUint32(octets, 2, value);
    t.equal(readUint32(octets, 2), value);
  }
  writeUint32(octets, 0, 0x0102_0304);
  writeUint16(octets, 4, 0x0506);
  t.same([...octets.subarray(0, 6)], [1, 2, 3, 4, 5, 6]);
});

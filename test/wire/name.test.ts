import fc from 'fast-check';
import t from 'tap';
import { WireError } from '../../src/wire/error.ts';
import {
  isAtOrUnder,
  labelOffsets,
  lowerName,
  lowerOctet,
  MAX_NAME,
  nameFault,
  nameFromText,
  nameToText,
  readName,
  readNameAsSent,
  sameName,
  skipName,
} from '../../src/wire/name.ts';
import { anyName } from './arbitrary.ts';
import { labelled, longName, pointer, wire } from './build.ts';

const HEADER = Buffer.alloc(12);

/** Reads the name at `start` behind an empty header, as hex, or the fault. */
function read(octets: Buffer, start = 12): string {
  const message = Buffer.concat([HEADER, octets]);
  const out = new Uint8Array(MAX_NAME);
  const length = readName(message, message.length, start, out, 0);
  if (length < 0) return `${nameFault.code} at ${nameFault.offset}`;
  return Buffer.from(out.subarray(0, length)).toString('hex');
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

function fromText(text: string): string {
  const name = nameFromText(text);
  return name instanceof WireError ? `${name.code} at ${name.offset}` : hex(name);
}

t.test('RFC 1035 §3.1: a name is read in lower case, root octet included', async (t) => {
  t.equal(read(wire('WwW.ExAmPlE')), hex(wire('www.example')));
  t.equal(read(wire('')), '00');
});

t.test('RFC 4343 §3: only ASCII letters have a lower case', async (t) => {
  for (let octet = 0; octet < 256; octet++) {
    const letter = octet >= 0x41 && octet <= 0x5a;
    t.equal(lowerOctet(octet), letter ? octet + 32 : octet, `octet ${octet}`);
  }
  // A length octet of 65 to 90 cannot occur (63 is the most), so that a whole name can be lowered at once.
  t.same(Buffer.from(lowerName(wire('A.Z'))), wire('a.z'));
});

t.test('a name is read as it was sent', async (t) => {
  const message = Buffer.concat([HEADER, wire('WwW.ExAmPlE')]);
  const out = new Uint8Array(300);
  t.equal(readNameAsSent(message, message.length, 12, out, 7), 13);
  t.same(Buffer.from(out.subarray(7, 20)), wire('WwW.ExAmPlE'), 'at the place asked for');
});

t.test('RFC 1035 §2.3.4: labels of 63 octets, names of 255', async (t) => {
  const label = Buffer.alloc(63, 'a');
  t.equal(read(labelled(label)), hex(labelled(label)));
  t.equal(
    read(Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 'a'), Buffer.from([0])])),
    'label-type at 12',
  );
  t.equal(read(longName(255)), hex(longName(255)));
  t.equal(read(longName(256)), `name-length at ${12 + 64 * 3}`);
  const deep = labelled(...Array.from({ length: 127 }, () => Buffer.from('a')));
  t.equal(deep.length, 255);
  t.equal(read(deep), hex(deep));
  t.equal(read(labelled(...Array.from({ length: 128 }, () => Buffer.from('a')))), 'name-length at 266');
});

t.test('RFC 1035 §2.3.4: 255 octets by way of a pointer, and 256', async (t) => {
  const base = longName(254);
  // One label of one octet in front would be 256.
  t.equal(read(Buffer.concat([base, Buffer.from([1, 0x62]), pointer(12)]), 12 + 254), 'name-length at 204');
  const shorter = longName(253);
  const read255 = read(Buffer.concat([shorter, Buffer.from([1, 0x62]), pointer(12)]), 12 + 253);
  t.equal(read255, `0162${hex(shorter)}`);
});

t.test('RFC 1035 §4.1.4: pointers go backward', async (t) => {
  const example = wire('example');
  t.equal(read(Buffer.concat([example, Buffer.from('\x03www'), pointer(12)]), 21), hex(wire('www.example')));
  t.equal(read(Buffer.concat([pointer(14), example])), 'pointer at 12', 'forward');
  t.equal(read(pointer(12)), 'pointer at 12', 'to itself');
  t.equal(read(Buffer.concat([Buffer.from('\x03www'), pointer(12)])), 'pointer at 16', 'to its own start');
  t.equal(read(Buffer.concat([Buffer.from('\x03www'), pointer(14)])), 'pointer at 16', 'into its own label');
  t.equal(read(pointer(0)), 'pointer at 12', 'into the header');
  t.equal(read(pointer(11)), 'pointer at 12', "to the header's last octet");
  t.equal(
    read(Buffer.concat([pointer(14), pointer(12)]), 14),
    'pointer at 12',
    'a pair that points at each other',
  );
});

t.test('RFC 1035 §4.1.4: a pointer to a pointer is followed, 127 of them at most', async (t) => {
  const chain = (hops: number): Buffer => {
    const parts = [wire('a')];
    for (let i = 0; i < hops; i++) parts.push(pointer(i === 0 ? 12 : 13 + 2 * i));
    return Buffer.concat(parts);
  };
  t.equal(read(chain(127), 12 + 3 + 2 * 126), '016100');
  t.match(read(chain(128), 12 + 3 + 2 * 127), /^pointer-depth at /);
});

t.test('RFC 1035 §4.1.4, RFC 6891 §5: 01 and 10 are no labels', async (t) => {
  for (const octet of [0x40, 0x41, 0x7f, 0x80, 0xbf]) {
    t.equal(read(Buffer.from([octet, 0])), 'label-type at 12');
  }
});

t.test('a name that the message cuts short', async (t) => {
  t.equal(read(Buffer.alloc(0)), 'short at 12');
  t.equal(read(Buffer.from([3, 0x77, 0x77])), 'short at 12');
  t.equal(read(Buffer.from([3, 0x77, 0x77, 0x77])), 'short at 16');
  t.equal(read(Buffer.from([0xc0])), 'short at 12');
});

t.test('skipName stops behind the name, its pointer not followed', async (t) => {
  const at = (octets: Buffer): number => skipName(octets, octets.length, 0);
  t.equal(at(wire('www.example')), 13);
  t.equal(at(wire('')), 1);
  t.equal(at(Buffer.concat([Buffer.from('\x03www'), pointer(99), wire('x')])), 6);
  t.equal(at(longName(255)), 255);
  t.equal(at(longName(256)), -1);
  t.equal(nameFault.code, 'name-length');
  t.equal(at(Buffer.from([0x40, 0])), -1);
  t.equal(nameFault.code, 'label-type');
  t.equal(at(Buffer.from([0xc0])), -1);
  t.equal(nameFault.code, 'short');
});

t.test('a fault is never behind the octets that there are', async (t) => {
  const octets = Buffer.from([0x3f, 0x61, 0x61]);
  t.equal(skipName(octets, octets.length, 0), -1);
  t.equal(nameFault.code, 'short');
  t.ok(nameFault.offset <= octets.length, `offset ${nameFault.offset} of ${octets.length}`);
});

t.test('labelOffsets gives where labels start, the leftmost first', async (t) => {
  const offsets = new Uint8Array(127);
  t.equal(labelOffsets(wire('www.a.example'), offsets), 3);
  t.same([...offsets.subarray(0, 3)], [0, 4, 6]);
  t.equal(labelOffsets(wire(''), offsets), 0);
  t.equal(labelOffsets(labelled(...Array.from({ length: 127 }, () => Buffer.from('a'))), offsets), 127);
});

t.test('sameName compares octets', async (t) => {
  t.equal(sameName(wire('a.example'), wire('a.example')), true);
  t.equal(sameName(wire('a.example'), wire('b.example')), false);
  t.equal(sameName(wire('a.example'), wire('example')), false);
  // One label `a.b` and two labels are different names of one length.
  t.equal(sameName(labelled(Buffer.from('a.b')), wire('a.b')), false);
});

t.test('isAtOrUnder compares whole labels', async (t) => {
  t.equal(isAtOrUnder(wire('a.example'), wire('a.example')), true);
  t.equal(isAtOrUnder(wire('b.a.example'), wire('a.example')), true);
  t.equal(isAtOrUnder(wire('a.example'), wire('')), true);
  t.equal(isAtOrUnder(wire(''), wire('')), true);
  t.equal(isAtOrUnder(wire('example'), wire('a.example')), false);
  t.equal(isAtOrUnder(wire('evila.example'), wire('a.example')), false);
  t.equal(isAtOrUnder(labelled(Buffer.from('x.a'), Buffer.from('example')), wire('a.example')), false);
  // A label whose last octets look like the length octet and label of the ancestor.
  t.equal(isAtOrUnder(labelled(Buffer.from('x\x01a'), Buffer.from('example')), wire('a.example')), false);
});

t.test('RFC 1035 §5.1: text has escapes for what it could not hold', async (t) => {
  const cases: [Buffer, string][] = [
    [wire('www.example'), 'www.example'],
    [wire(''), '.'],
    [labelled(Buffer.from('a.b'), Buffer.from('c')), 'a\\.b.c'],
    [labelled(Buffer.from([0, 0x20, 0x7f, 0xff])), '\\000\\032\\127\\255'],
    [labelled(Buffer.from('a\\b')), 'a\\\\b'],
    [labelled(Buffer.from('"();@$')), '\\"\\(\\)\\;\\@\\$'],
    [labelled(Buffer.from('\x1b[31m')), '\\027[31m'],
  ];
  for (const [name, text] of cases) {
    t.equal(nameToText(name), text);
    t.equal(fromText(text), hex(name));
  }
});

t.test('RFC 1035 §5.1: text to a name', async (t) => {
  t.equal(fromText('WWW.example.'), hex(wire('WWW.example')), 'case is kept, a final dot may stand');
  t.equal(fromText('a\\046b'), hex(labelled(Buffer.from('a.b'))));
  t.equal(fromText('\\a'), hex(wire('a')));
  t.equal(fromText('a'.repeat(63)), hex(labelled(Buffer.alloc(63, 'a'))));
  t.equal(fromText(nameToText(longName(255))), hex(longName(255)));
  t.equal(fromText(`${nameToText(longName(255))}.`), hex(longName(255)));
});

t.test('RFC 1035 §5.1: bad text, and where', async (t) => {
  const cases: [string, number][] = [
    ['', 0],
    ['..', 0],
    ['.a', 0],
    ['a..b', 2],
    ['a.b..', 4],
    ['a'.repeat(64), 63],
    [`x.${'a'.repeat(64)}`, 65],
    ['a\\256', 1],
    ['a\\2561', 1],
    ['a\\999', 1],
    ['a\\', 1],
    ['a\\1', 1],
    ['a\\12', 1],
    ['a\\1b2', 1],
    ['caf\u00e9', 3],
    ['a\u0080', 1],
    ['a\\\u0080', 1],
    ['a\\\u00e9', 1],
    ['a\u{1f600}', 1],
    [`${'a.'.repeat(127)}b`, 254],
    [nameToText(longName(256)), 254],
    [`${nameToText(longName(256))}.`, 254],
  ];
  for (const [text, offset] of cases) {
    t.equal(fromText(text), `text at ${offset}`, JSON.stringify(text.slice(0, 20)));
  }
});

t.test('property: any wire name comes back from its text', async () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const text = nameToText(name);
      const back = nameFromText(text);
      return !(back instanceof WireError) && sameName(back, name) && /^[\x21-\x7e]+$/.test(text);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

t.test('property: different names have different texts', async () => {
  fc.assert(
    fc.property(anyName, anyName, (a, b) => sameName(a, b) === (nameToText(a) === nameToText(b))),
    { seed: 2, numRuns: 2000 },
  );
});

t.test('property: any text gives a name or an error inside the text', async () => {
  const alphabet = fc.constantFrom('a', 'B', '0', '9', '.', '\\', '-', '\u00e9', '"', '*', '2', '5', '6');
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 300 }), (characters) => {
      const text = characters.join('');
      const name = nameFromText(text);
      if (name instanceof WireError)
        return name.code === 'text' && name.offset >= 0 && name.offset <= text.length;
      return name.length <= MAX_NAME && name.at(-1) === 0 && skipName(name, name.length, 0) === name.length;
    }),
    { seed: 3, numRuns: 3000 },
  );
});

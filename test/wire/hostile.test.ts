/** What a hostile client sends: the rows on names and on messages, as far as reading goes. Each case goes through every reader. */
import t, { type Test } from 'tap';
import { WireError } from '../../src/wire/error.ts';
import { FLAG, messageFlags, opcodeOf } from '../../src/wire/header.ts';
import { readMessage } from '../../src/wire/message.ts';
import { isAtOrUnder, nameFromText, nameToText } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { labelled, longName, message, opt, option, pointer, question, record, wire } from './build.ts';

const query = new Query();

function asQuery(octets: Buffer): string {
  const fault = readQuery(octets, octets.length, query);
  return fault === null ? query.name.subarray(0, query.nameLength).toString('latin1') : fault.code;
}

function asMessage(octets: Buffer): string {
  const got = readMessage(octets);
  return got instanceof WireError ? got.code : Buffer.from(got.question.name).toString('latin1');
}

/** The name as both readers see it when it is asked for. */
function asked(t: Test, name: Buffer): string {
  const octets = message({ questions: [question(name)] });
  const seen = asQuery(octets);
  t.equal(asMessage(octets), seen, 'both readers agree');
  return seen;
}

/** The name as an owner, behind a question, as `readMessage` sees it. */
function owned(owner: Buffer): string {
  const got = readMessage(message({ questions: [question('q.example')], answers: [record({ owner })] }));
  return got instanceof WireError ? got.code : Buffer.from(got.records[0]!.owner).toString('latin1');
}

t.test(
  'names: dots, NUL, 0xff inside labels; 63/64 and 255/256; pointers that loop, go forward or chain; mixed case; the root; suffix traps',
  async (t) => {
    await t.test('dots, NUL and 0xff inside labels', async (t) => {
      const tricky = [
        labelled(Buffer.from('github.com')),
        labelled(Buffer.from('a.b'), Buffer.from('example')),
        labelled(Buffer.from([0]), Buffer.from('example')),
        labelled(Buffer.from('a\0b'), Buffer.from('example')),
        labelled(Buffer.from([0xff, 0xff]), Buffer.from('example')),
        labelled(Buffer.from([0xc0, 0x0c]), Buffer.from('example')),
        labelled(Buffer.from('\\'), Buffer.from('example')),
        labelled(Buffer.from('*'), Buffer.from('example')),
        labelled(Buffer.from(' '), Buffer.from('example')),
      ];
      for (const name of tricky) {
        t.equal(asked(t, name), name.toString('latin1'));
        t.equal(owned(name), name.toString('latin1'));
        const back = nameFromText(nameToText(name));
        t.same(Buffer.from(back as Uint8Array), name, nameToText(name));
      }
      t.not(
        asked(t, labelled(Buffer.from('github.com'))),
        asked(t, wire('github.com')),
        'one label is not two',
      );
      t.not(nameToText(labelled(Buffer.from('github.com'))), 'github.com');
    });

    await t.test('labels of 63 and 64 octets, names of 255 and 256', async (t) => {
      const most = labelled(Buffer.alloc(63, 'a'), Buffer.from('example'));
      t.equal(asked(t, most), most.toString('latin1'));
      t.equal(owned(most), most.toString('latin1'));
      const over = Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 'a'), wire('example')]);
      t.equal(asked(t, over), 'label-type');
      t.equal(owned(over), 'label-type');
      t.equal(asked(t, longName(255)), longName(255).toString('latin1'));
      t.equal(owned(longName(255)), longName(255).toString('latin1'));
      t.equal(asked(t, longName(256)), 'name-length');
      t.equal(owned(longName(256)), 'name-length');
    });

    await t.test('pointers that loop, go forward or chain', async (t) => {
      t.equal(asked(t, pointer(12)), 'pointer');
      t.equal(asked(t, Buffer.concat([Buffer.from('\x01a'), pointer(12)])), 'pointer');
      t.equal(asked(t, pointer(14)), 'pointer');
      const at = 12 + question('q.example').length;
      t.equal(owned(pointer(at)), 'pointer', 'to itself');
      t.equal(owned(Buffer.concat([Buffer.from('\x01a'), pointer(at)])), 'pointer', 'to its own start');
      t.equal(owned(pointer(at + 12)), 'pointer', 'forward, into its RDATA');
      // Record 1 has a pointer in its RDATA, at which record 2's owner points: a chain that goes backward is read.
      const chained = readMessage(
        message({
          questions: [question('q.example')],
          answers: [record({ type: 65_280, rdata: pointer(14) }), record({ owner: pointer(at + 12) })],
        }),
      );
      t.notOk(chained instanceof WireError);
      if (!(chained instanceof WireError)) t.same(Buffer.from(chained.records[1]!.owner), wire('example'));
      // Two that point at each other: one of them goes forward.
      const pair = message({
        questions: [question('q.example')],
        answers: [record({ type: 65_280, rdata: pointer(at + 14) }), record({ owner: pointer(at + 12) })],
      });
      t.equal(asMessage(pair), 'pointer');
    });

    await t.test('mixed case', async (t) => {
      t.equal(asked(t, wire('GiThUb.CoM')), wire('github.com').toString('latin1'));
      t.equal(owned(wire('GiThUb.CoM')), wire('github.com').toString('latin1'));
      // Octets outside ASCII have no case (RFC 4343 §3): 0xC9 and 0xE9 are different.
      const upper = labelled(Buffer.from([0xc9]));
      t.equal(asked(t, upper), upper.toString('latin1'));
      t.equal(asked(t, labelled(Buffer.from('@[`{'))), labelled(Buffer.from('@[`{')).toString('latin1'));
    });

    await t.test('the root', async (t) => {
      t.equal(asked(t, wire('')), '\0');
      t.equal(owned(wire('')), '\0');
      t.equal(nameToText(wire('')), '.');
      t.same(nameFromText('.'), new Uint8Array(1));
    });

    await t.test('suffix traps', async (t) => {
      const zone = wire('a.example');
      for (const trap of [
        wire('evila.example'),
        labelled(Buffer.from('evil.a'), Buffer.from('example')),
        labelled(Buffer.from('evil.a.example')),
        labelled(Buffer.from('evil\x01a'), Buffer.from('example')),
        labelled(Buffer.from('evil\x01a\x07example')),
        wire('a.example.evil'),
        wire('example'),
        wire('a'),
      ]) {
        t.equal(isAtOrUnder(trap, zone), false, nameToText(trap));
      }
    });
  },
);

t.test(
  'messages: QR=1, QDCOUNT 0 and 2, trailing bytes, two OPTs, EDNS version 1, unknown options, opcode 15, type 128, ANY, AXFR, CHAOS, size < 512',
  async (t) => {
    const codeOf = (octets: Buffer): string | null => readQuery(octets, octets.length, query)?.code ?? null;

    await t.test('QR=1 and opcode 15 are seen in the header alone', async (t) => {
      t.equal(messageFlags(message({ flags: 0x8100 })) & FLAG.QR, FLAG.QR);
      t.equal(opcodeOf(messageFlags(message({ flags: 0x7900 }))), 15);
      t.equal(codeOf(message({ flags: 0x7900 })), null);
    });

    await t.test('QDCOUNT 0 and 2', async (t) => {
      t.equal(codeOf(message({ questions: [] })), 'question-count');
      t.equal(
        codeOf(message({ questions: [question('a.example'), question('b.example')] })),
        'question-count',
      );
    });

    await t.test('trailing bytes', async (t) => {
      t.equal(codeOf(message({ trailing: Buffer.from([0]) })), 'trailing');
      t.equal(codeOf(message({ additional: [opt()], trailing: Buffer.alloc(500) })), 'trailing');
    });

    await t.test('two OPTs, and OPT in the wrong section', async (t) => {
      t.equal(codeOf(message({ additional: [opt(), opt()] })), 'opt');
      t.equal(codeOf(message({ additional: [opt(), record(), opt()] })), 'opt');
      t.equal(codeOf(message({ answers: [opt()] })), 'section');
      t.equal(codeOf(message({ authority: [opt()] })), 'section');
      t.equal(codeOf(message({ authority: [opt()], additional: [opt()] })), 'section');
    });

    await t.test('EDNS version 1', async (t) => {
      t.equal(codeOf(message({ additional: [opt({ version: 1 })] })), null);
      t.equal(query.ednsVersion, 1);
    });

    await t.test('unknown options', async (t) => {
      const options = Buffer.concat([
        option(65_001, Buffer.alloc(9)),
        option(0),
        option(65_535, Buffer.alloc(300)),
      ]);
      t.equal(codeOf(message({ additional: [opt({ options })] })), null);
      t.equal(query.edns, true);
    });

    await t.test('type 128, ANY, AXFR, CHAOS', async (t) => {
      for (const type of [128, 255, 252]) {
        t.equal(codeOf(message({ questions: [question('a.example', type)] })), null);
        t.equal(query.type, type);
      }
      t.equal(codeOf(message({ questions: [question('version.bind', 16, 3)] })), null);
      t.equal(query.class, 3);
    });

    await t.test('size < 512', async (t) => {
      t.equal(codeOf(message({ additional: [opt({ size: 100 })] })), null);
      t.equal(query.udpSize, 512);
    });
  },
);

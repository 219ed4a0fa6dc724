import fc from 'fast-check';
import t from 'tap';
import { PADDING_BLOCK, questionForServer, replyForClient } from '../../src/stub/options.ts';
import { readMessage } from '../../src/wire/message.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { type Option, opt, query, replyTo } from './peers.ts';

function read(octets: Buffer): Query {
  const into = new Query();
  const fault = readQuery(octets, octets.length, into);
  if (fault !== null) throw new Error(fault.code);
  return into;
}

const out = Buffer.alloc(65_535);

/** What a client gets of `message`; null where it is refused. */
function given(
  message: Buffer,
  asked: Buffer,
  terms: { readonly limit?: number; readonly keepalive?: number } = {},
): Buffer | null {
  const { questionEnd, edns } = read(asked);
  const wanted = { query: asked, questionEnd, edns, keepalive: 0, limit: 65_535, ...terms };
  const result = replyForClient(message, wanted, out);
  return result === null ? null : Buffer.from(out.subarray(0, result.length));
}

const anOption = fc
  .tuple(fc.constantFrom(3, 8, 11, 12, 15, 65_001), fc.uint8Array({ maxLength: 300 }))
  .map(([code, octets]): Option => [code, Buffer.from(octets)]);
const options = fc.array(anOption, { maxLength: 6 });
const stays = ([code]: Option): boolean => code !== 11 && code !== 12;

t.test('any question with an OPT: whole blocks, and all but two options', async (t) => {
  fc.assert(
    fc.property(options, fc.domain(), (list, name) => {
      const asked = query(1, name, opt(list));
      const sent = questionForServer(read(asked));
      const expected = query(1, name, opt([...list.filter(stays), [11, Buffer.alloc(0)]]));
      const again = read(sent);
      const padding = sent.length - expected.length - 4;
      if (sent.length % PADDING_BLOCK !== 0 || padding < 0 || padding >= PADDING_BLOCK) return false;
      const whole = opt([...list.filter(stays), [11, Buffer.alloc(0)], [12, Buffer.alloc(padding)]]);
      return (
        sent.equals(query(1, name, whole)) && again.keepalive && again.questionEnd === read(asked).questionEnd
      );
    }),
  );
  t.pass();
});

t.test('any question without an OPT is as it was', async (t) => {
  for (const asked of [query(1), query(2, 'a.example')]) t.strictSame(questionForServer(read(asked)), asked);
  const largest = query(3, 'www.example', opt([[65_001, Buffer.alloc(65_535 - query(3).length - 15)]]));
  t.equal(largest.length, 65_535);
  t.strictSame(questionForServer(read(largest)), largest, 'padding would be too much');
});

t.test('any reply: what was for the stub alone is gone', async (t) => {
  const asked = query(7, 'www.example', opt());
  const seen = { octets: asked, query: read(asked) };
  fc.assert(
    fc.property(options, (list) => {
      const reply = given(replyTo(seen, { id: 1, options: list }), asked);
      return reply?.equals(replyTo(seen, { options: list.filter(stays) })) === true;
    }),
  );
  t.pass();
});

t.test('octets that are no reply are refused or given, and never read past', async (t) => {
  const asked = query(7, 'www.example', opt());
  const good = replyTo({ octets: asked, query: read(asked) }, { options: [[12, Buffer.alloc(9)]] });
  const questionEnd = read(asked).questionEnd;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - questionEnd - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(good.length - questionEnd),
      fc.constantFrom(512, 65_535),
      (changes, cut, limit) => {
        const bad = Buffer.from(good.subarray(0, good.length - cut));
        for (const [at, octet] of changes) if (questionEnd + at < bad.length) bad[questionEnd + at] = octet;
        const reply = given(bad, asked, { limit });
        return reply === null || (reply.length <= limit && reply.length >= questionEnd);
      },
    ),
    { numRuns: 2000 },
  );
  t.equal(given(Buffer.concat([good, Buffer.from([0])]), asked), null, 'octets behind the last record');
  t.equal(given(good.subarray(0, -1), asked), null, 'the last one is cut');
  const two = replyTo({ octets: asked, query: read(asked) }, { records: opt(), count: 0 });
  two.writeUInt16BE(2, 10);
  t.equal(given(two, asked), null, 'two OPTs');
});

t.test('an OPT in front of another record stays as it is', async (t) => {
  const asked = query(7, 'www.example', opt());
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9]);
  const message = Buffer.concat([
    replyTo({ octets: asked, query: read(asked) }, { options: [[12, Buffer.alloc(30)]] }),
    record,
  ]);
  message.writeUInt16BE(2, 10);
  t.strictSame(given(message, asked), message);
  const cut = given(message, asked, { limit: 80 });
  t.equal(cut?.length, read(asked).questionEnd);
  t.ok(readMessage(cut!), 'the question alone');
});

t.test('an OPT that is too large for UDP loses its options', async (t) => {
  const asked = query(7, 'www.example', opt());
  const message = replyTo({ octets: asked, query: read(asked) }, { options: [[15, Buffer.alloc(800)]] });
  const cut = given(message, asked, { limit: 512 });
  t.equal(cut?.length, read(asked).questionEnd + 11);
  t.equal(cut?.readUInt16BE(2), 0x8380);
  t.strictSame(cut?.subarray(6, 12), Buffer.from([0, 0, 0, 0, 0, 1]));
});

t.test('a limit counts to the octet, for the whole reply and for what is left of it', async (t) => {
  const asked = query(7, 'a.example', opt());
  const seen = { octets: asked, query: read(asked) };
  const options: Option[] = [[15, Buffer.from('\0\x0fblocked')]];
  const whole = replyTo(seen, { options });
  const bare = replyTo(seen, { options, records: Buffer.alloc(0), count: 0, flags: 0x8380 });
  const least = replyTo(seen, { options: [], records: Buffer.alloc(0), count: 0, flags: 0x8380 });
  for (const [limit, wanted, what] of [
    [whole.length + 1, whole, 'room to spare'],
    [whole.length, whole, 'a reply that just fits'],
    [whole.length - 1, bare, 'one octet too many: no record, and TC'],
    [bare.length, bare, 'options that just fit'],
    [bare.length - 1, least, 'one octet too many: no option'],
  ] as const)
    t.equal(given(whole, asked, { limit })?.toString('hex'), wanted.toString('hex'), what);
});

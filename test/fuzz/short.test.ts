/** A short run of each fuzz driver, and proof that they see what is wrong. `npm run fuzz` is the long run. */
import t from 'tap';
import { amount } from '../amount.ts';
import { message, opt, question, record } from '../wire/build.ts';
import { vectors } from '../wire/vectors.ts';
import { caseText, minimise, randomOf, readCase } from './case.ts';
import { corpus } from './corpus.ts';
import { mutate } from './mutate.ts';
import { readPlainMessage, readPlainQuery } from './plain-reader.ts';
import { fuzzServer, replyFault } from './server.ts';
import { fuzzUpstream } from './upstream.ts';
import { fuzzWire, replayWire, wireCase } from './wire.ts';

const SEED = Number(process.env['NAMEGATE_TEST_SEED'] ?? 20_261_122);

t.test(
  'every vector as it is: the readers say what a plain reading says, and what is cleaned stays clean',
  async (t) => {
    for (const { name, octets } of vectors()) t.equal(replayWire(octets), null, name);
  },
);

t.test('mutations to the readers', async (t) => {
  const wanted = amount(8_000, 15_000);
  const { failure, cases, told } = await fuzzWire({ cases: wanted, seed: SEED });
  t.equal(failure, null);
  t.equal(cases, wanted);
  t.comment(told);
  for (const what of [
    'query read',
    'message read',
    'query pointer',
    'message name-length',
    'query opt',
    'cleaned',
  ])
    t.ok(Number(new RegExp(`${what} (\\d+)`).exec(told)?.[1]) > 50, what);
});

t.test('mutations to a server, over UDP and TCP', async (t) => {
  const wanted = amount(2_000, 4_000);
  const { failure, cases, told } = await fuzzServer({ cases: wanted, seed: SEED });
  t.equal(failure, null);
  t.equal(cases, wanted);
  t.comment(told);
});

t.test('1,000 mutations as upstream replies', async (t) => {
  const { failure, cases, told } = await fuzzUpstream({ cases: 1000, seed: SEED });
  t.equal(failure, null);
  t.equal(cases, 1000);
  t.comment(told);
  t.ok(Number(/mutated NOERROR with records (\d+)/.exec(told)?.[1]) > 50, 'mutations that are still answers');
});

t.test('a case is the same for the same seed, and another for another', async (t) => {
  const sources = corpus();
  const made = (seed: number): string[] =>
    Array.from({ length: 50 }, (_, i) => wireCase(seed, i, sources).toString('hex'));
  t.same(made(SEED), made(SEED));
  t.notSame(made(SEED), made(SEED + 1));
});

t.test('mutations change what they are given, and nothing else', async (t) => {
  const { all } = corpus();
  const before = all.map((octets) => octets.toString('hex'));
  let changed = 0;
  for (let i = 0; i < 2000; i++) {
    const random = randomOf(SEED, i);
    const octets = random.pick(all);
    if (!mutate(random, octets, all).equals(octets)) changed++;
  }
  t.ok(changed > 1800, `${changed} of 2000`);
  t.same(
    all.map((octets) => octets.toString('hex')),
    before,
  );
});

t.test('what is wrong with a reply is seen', async (t) => {
  const query = message({ id: 7, questions: [question('a.example')], additional: [opt({ size: 600 })] });
  const good = { id: 7, flags: 0x8180, questions: [question('a.example')], additional: [opt()] };
  const fault = (shape: Parameters<typeof message>[0], over: 'udp' | 'tcp' = 'udp'): string | null =>
    replyFault(query, message({ ...good, ...shape }), over);
  const padding = opt({ options: Buffer.concat([Buffer.from('000c00c8', 'hex'), Buffer.alloc(200)]) });
  t.equal(fault({}), null);
  t.match(fault({ flags: 0x0180 }), /QR=0/);
  t.match(fault({ flags: 0x8980 }), /opcode/);
  t.match(fault({ flags: 0x8080 }), /RD/);
  t.match(fault({ questions: [question('b.example')] }), /another question/);
  t.match(fault({ questions: [] }), /not repeated/);
  t.match(fault({ additional: [] }), /no OPT/);
  t.match(fault({ trailing: Buffer.alloc(1) }), /does not parse/);
  t.match(fault({ flags: 0x8181 }), /FORMERR, not NOERROR/);
  t.match(
    fault({ flags: 0x8583, additional: [padding] }),
    /octets for/,
    'a denial of more than three times its question',
  );
  t.equal(fault({ flags: 0x8183, additional: [padding] }), null);
  t.match(fault({ answers: Array.from({ length: 40 }, () => record()) }), /octets of 600/);
  t.equal(fault({ flags: 0x8583, additional: [padding] }, 'tcp'), null, 'TCP has no such bound');
});

t.test('the plain readers know good from bad', async (t) => {
  const good = message({ additional: [opt({ dnssecOk: true, size: 4096 })] });
  t.match(readPlainQuery(good), { type: 1, class: 1, edns: true, version: 0, udpSize: 4096, dnssecOk: true });
  t.match(readPlainMessage(good), { records: [{ section: 3, type: 41 }] });
  for (const bad of [
    good.subarray(0, -1),
    Buffer.concat([good, Buffer.alloc(1)]),
    message({ additional: [opt(), opt()] }),
  ])
    t.equal(readPlainQuery(bad), null);
});

t.test('a failing case is cut to what matters, and survives its file', async (t) => {
  const octets = Buffer.from('00112233445566778899aabb', 'hex');
  const small = await minimise(octets, (some) => some.includes(0x66) && some.length >= 2, 1000);
  t.equal(small.toString('hex').replaceAll('00', ''), '66');
  t.equal(small.length, 2);
  const each = { octets, over: 'tcp', ask: 'c1.up.example.' } as const;
  const dir = t.testdir({ 'case.txt': caseText('upstream', each, 'why\nseed 1') });
  t.same(readCase(`${dir}/case.txt`), { driver: 'upstream', each });
});

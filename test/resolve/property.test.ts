import fc from 'fast-check';
import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { amount } from '../amount.ts';
import { House, type QueryOptions, queryOctets } from './house.ts';
import { exchange, fault, forbidden, options } from './lying-upstream.ts';
import { policy, rule } from './policy.ts';
import { replyOctets, type Script, wireName } from './records.ts';
import type { Reply } from './reply.ts';
import { questionOf, readReply } from './reply.ts';

/** Whatever an upstream says: no record off the chain, no address outside the grant, and a sound reply within its bounds. */

const TYPES = 'types: [A, AAAA, CNAME, MX, SRV, HTTPS, TXT, DNAME, NS, SOA, RRSIG, DS, TYPE65280]';
const POLICY = policy({
  alice: { allow: [rule('www.site.example', TYPES), rule('**.site.example', TYPES), rule('cdn.net', TYPES)] },
});
const RUNS = amount(1500, 3000);
/** The same cases each time; change it to look elsewhere. */
const SEED = 20_261_120;

/** What is true of every reply to this query. */
function unsound(
  reply: Reply,
  query: Buffer,
  name: string,
  type: string,
  with_: QueryOptions,
): string | null {
  const limit =
    with_.transport === 'tcp'
      ? 65_535
      : with_.edns
        ? Math.min(1232, Math.max(512, with_.udpSize ?? 512))
        : 512;
  if (reply.octets.length > limit) return `${reply.octets.length} octets of ${limit}`;
  if (reply.octets.readUInt16BE(0) !== query.readUInt16BE(0)) return 'another ID';
  if (!questionOf(reply.octets).equals(questionOf(query))) return 'another question';
  if ((reply.flags & FLAG.QR) === 0 || (reply.flags & 0x0040) !== 0) return 'flags';
  if (reply.edns !== with_.edns) return 'OPT';
  if (![0, 2, 3].includes(reply.rcode)) return `RCODE ${reply.rcode}`;
  if (reply.flags & FLAG.TC && reply.answer.length + reply.authority.length > 0) return 'a partial answer';
  if (with_.transport === 'tcp' && reply.flags & FLAG.TC) return 'TC on TCP';
  if (reply.rcode === 2 && reply.answer.length + reply.authority.length > 0) return 'a failure with data';
  return forbidden(reply) ?? fault(reply, name, type, with_.do === true && with_.edns === true, null);
}

function ask(house: House, name: string, type: string, with_: QueryOptions, said: Script): Promise<Reply> {
  house.store.clear();
  return house.ask(name, type, with_, said);
}

t.test('for every reply that an upstream can make of few names', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(exchange, options, async ({ asked: { name, type }, said }, with_) => {
      const query = queryOctets(name, type, with_);
      const reply = await ask(house, name, type, with_, said);
      const why = unsound(reply, query, name, type, with_);
      if (why !== null) throw new Error(why);
      const sent = readReply(replyOctets({ name: wireName(name), type: 1 }, said));
      const all = [...sent.answer, ...sent.authority];
      const dnssec = with_.do === true && with_.edns === true;
      const invented = reply.flags & FLAG.AA ? null : fault(reply, name, type, dnssec, all);
      if (invented !== null) throw new Error(invented);
      const kind =
        reply.flags & FLAG.TC
          ? 'truncated'
          : reply.rcode === 2
            ? 'unusable'
            : reply.flags & FLAG.AA
              ? 'withheld'
              : reply.rcode === 3
                ? 'nxdomain'
                : reply.answer.length === 0
                  ? 'no data'
                  : reply.answer.length === 1
                    ? 'answer'
                    : 'chain or set';
      seen[kind] = (seen[kind] ?? 0) + 1;
    }),
    { numRuns: RUNS, seed: SEED },
  );
  t.comment(JSON.stringify(seen));
  for (const kind of ['unusable', 'withheld', 'nxdomain', 'no data', 'answer', 'chain or set', 'truncated'])
    t.ok((seen[kind] ?? 0) > 5, `${kind}: ${seen[kind] ?? 0} of ${RUNS}`);
  t.same(house.bugs, []);
});

t.test('a hit says what the miss said', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(exchange, options, async ({ asked: { name, type }, said }, with_) => {
      const miss = await ask(house, name, type, with_, said);
      const before = house.asked.length;
      const pending = house.query(name, type, with_);
      if (house.asked.length > before) {
        house.settleAll({ failure: 'network' });
        await pending;
        return;
      }
      const hit = await pending;
      if (miss.rcode === 2) return;
      hits++;
      if (!hit.octets.equals(miss.octets)) throw new Error('another reply');
    }),
    { numRuns: 1000, seed: SEED },
  );
  t.ok(hits > 200, `${hits} hits`);
});

const mutation = fc.record({
  at: fc.nat(400),
  octet: fc.nat(255),
  how: fc.constantFrom('set', 'set', 'set', 'cut', 'insert', 'repeat'),
});

function mutate(octets: Buffer, { at, octet, how }: { at: number; octet: number; how: string }): Buffer {
  const place = at % Math.max(1, octets.length);
  if (how === 'cut') return octets.subarray(0, place);
  if (how === 'insert')
    return Buffer.concat([octets.subarray(0, place), Buffer.from([octet]), octets.subarray(place)]);
  if (how === 'repeat') return Buffer.concat([octets, octets.subarray(place)]);
  const out = Buffer.from(octets);
  if (out.length > 0) out[place] = octet;
  return out;
}

t.test('for every reply with octets changed: never an exception, and the same rules hold', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  let usable = 0;
  await fc.assert(
    fc.asyncProperty(
      exchange,
      options,
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      async ({ asked: { name, type }, said }, with_, mutations) => {
        const whole = replyOctets({ name: wireName(name.toLowerCase()), type: 1 }, said);
        // ID, flags and question are checked by who receives it; what is behind them is anybody's.
        const head = 12 + wireName(name).length + 4;
        const octets = mutations.reduce(mutate, whole.subarray(head));
        const said_ = Buffer.concat([whole.subarray(0, head), octets]);
        const reply = await ask(house, name, type, with_, { octets: said_, verified: true });
        if (reply.rcode !== 2) usable++;
        const why = unsound(reply, queryOctets(name, type, with_), name, type, with_);
        if (why !== null) throw new Error(why);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  t.ok(usable > 50, `${usable} of ${RUNS} were usable`);
  t.same(house.bugs, []);
});

t.test('octets at random as a reply, and as a query: never an exception', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const octets = fc.uint8Array({ maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(octets, octets, options, async (said, query, with_) => {
      await ask(house, 'www.site.example', 'A', {}, { octets: Buffer.from(said) });
      house.store.clear();
      const pending = house.send(Buffer.from(query), with_);
      house.settleAll({ failure: 'silent' });
      await pending;
    }),
    { numRuns: RUNS, seed: SEED },
  );
  t.same(house.bugs, []);
  t.equal(house.resolver.waiting, 0);
});

import t, { type Test } from 'tap';
import { VERDICT } from '../../src/policy/decide/decision.ts';
import { EXITS } from '../../src/resolve/exit.ts';
import type { Client } from '../../src/resolve/ports.ts';
import { COURSE, Turn } from '../../src/resolve/story/turn.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { nameToText } from '../../src/wire/name.ts';
import { House } from './house.ts';
import { policy } from './policy.ts';

/** What an observer reads of a turn at its end: this query's, and nothing of the one before. */

const POLICY = policy({ alice: { allow: ['www.example', 'b.example'] } });
const A = { answer: ['www.example 60 A 192.0.2.1'] };

/** A turn as its end shows it. */
function seen({ asker, query, decision, course, fetched, end }: Turn): string {
  const name = nameToText(query.name.subarray(0, query.nameLength));
  const { verdict } = decision;
  const said =
    course.kind === COURSE.NONE ? 'undecided' : Object.keys(VERDICT)[Object.values(VERDICT).indexOf(verdict)];
  return `${EXITS[end.exit]} ${asker.standing.identity.name} ${name} ${said} round ${fetched.round} rcode ${end.rcode} ede ${end.ede}`;
}

function rig(t: Test): { house: House; ends: string[] } {
  const house = new House(t.testdir.bind(t), POLICY);
  const ends: string[] = [];
  house.onEnd = (turn) => void ends.push(seen(turn));
  return { house, ends };
}

t.test('each end shows who asked, what, the verdict, the round, RCODE and EDE', async (t) => {
  const { house, ends } = rig(t);
  await house.ask('www.example', 'A', {}, A);
  await house.query('www.example');
  await house.query('evil.example');
  await house.query('www.example', 'TXT');
  await house.ask('b.example', 'A', {}, { failure: 'network' });
  await house.query('localhost');
  t.same(ends, [
    'forwarded alice www.example ALLOW round 1 rcode 0 ede null',
    'hit alice www.example ALLOW round 0 rcode 0 ede null',
    'deny alice evil.example DENY round 0 rcode 3 ede 15',
    'empty alice www.example EMPTY round 0 rcode 0 ede 15',
    'servfail alice b.example ALLOW round 1 rcode 2 ede 23',
    'local alice localhost LOCAL round 0 rcode 0 ede null',
  ]);
});

t.test('a drop, a refusal and a bug show nothing of the query before', async (t) => {
  const { house, ends } = rig(t);
  const response = Buffer.alloc(12);
  response[2] = 0x80;
  for (const next of [
    () => house.send(response),
    () => house.send(Buffer.alloc(3)),
    () => house.query('www.example', 'A', { opcode: 2 }),
  ]) {
    await house.ask('www.example', 'A', {}, A);
    ends.length = 0;
    await next();
    t.notMatch(ends[0], /ALLOW/);
    if (ends[0]!.startsWith('drop'))
      t.match(ends[0], /^drop unknown \. undecided round 0 rcode null ede null$/);
  }
  house.unknownVerdict = 2;
  await house.ask('www.example', 'A', {}, A);
  ends.length = 0;
  await house.query('evil.example', 'A', { from: '192.0.2.9' });
  t.same(ends, ['drop unknown . undecided round 0 rcode null ede null']);
});

t.test('a question is decided once and ends once, however often its story is told', async (t) => {
  const { house, ends } = rig(t);
  const pending = house.query('www.example');
  t.same(ends, [], 'it has not ended while it waits');
  house.settleAll(A);
  await pending;
  t.equal(ends.length, 1);
  t.equal(house.decided, 1);
});

t.test('queries that come together have one reading of the clock', async (t) => {
  const { house } = rig(t);
  let readings = 0;
  const { now } = house;
  Object.defineProperty(house, 'now', {
    get: () => {
      readings++;
      return now;
    },
  });
  house.resolver.beginBatch();
  for (let i = 0; i < 64; i++) await house.query('evil.example');
  house.resolver.endBatch();
  t.equal(readings, 1);
  await house.query('evil.example');
  await house.query('evil.example');
  t.equal(readings, 3, 'one each, where nobody says that they come together');
});

/** Of a part of the turn, what is left of the query before, and which other field says that it means nothing. */
const LEFT: Readonly<Record<string, string>> = {
  'query.cookieAt': 'query.cookieLength',
  'decision.first': 'course.kind',
  'decision.type': 'course.kind',
  'decision.now': 'course.kind',
  'decision.seen': 'decision.depth',
  'fetched.since': 'fetched.round',
};

t.test(
  'a turn that begins has nothing left of the query before, in whichever part a stage wrote it',
  async (t) => {
    const { house } = rig(t);
    const client: Client = {
      transport: 'udp',
      spoofable: false,
      credential: null,
      lease: '',
      ...ipAddress(4, 1),
      port: 53,
      asked: () => false,
      defer: () => ({ send: () => {}, drop: () => {} }),
    };
    const fields = (turn: Turn): Map<string, { readonly holder: object; readonly key: string }> => {
      const found = new Map<string, { readonly holder: object; readonly key: string }>();
      for (const [part, holder] of Object.entries(turn)) {
        if (part === 'inForce' || typeof holder !== 'object' || holder === null) continue;
        for (const [key, value] of Object.entries(holder))
          if (value === null || typeof value !== 'object') found.set(`${part}.${key}`, { holder, key });
      }
      return found;
    };
    const turn = new Turn(house.inForce);
    const fresh = new Turn(house.inForce);
    fresh.begin(house.inForce, client, Buffer.alloc(0));
    for (const { holder, key } of fields(turn).values()) {
      const value: unknown = Reflect.get(holder, key);
      const other =
        typeof value === 'boolean' ? !value : typeof value === 'number' ? value + 1_000_003 : 'left';
      Reflect.set(holder, key, other);
    }
    turn.begin(house.inForce, client, Buffer.alloc(0));
    const expected = fields(fresh);
    t.ok(expected.size > 30, `${expected.size} fields`);
    const left: string[] = [];
    for (const [name, { holder, key }] of expected) {
      const now: unknown = Reflect.get(fields(turn).get(name)?.holder ?? {}, key);
      if (!Object.is(now, Reflect.get(holder, key)) && LEFT[name] === undefined) left.push(name);
    }
    t.same(left, []);
  },
);

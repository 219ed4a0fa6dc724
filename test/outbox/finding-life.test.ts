import t, { type Test } from 'tap';
import type { Draft } from '../../src/outbox/draft.ts';
import { FindingLife, type Sighting } from '../../src/outbox/finding-life.ts';
import type { BudgetNote } from '../../src/outbox/notes.ts';
import { budgetKey, budgetSighting } from '../../src/outbox/sightings.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 20);

function sighting(more: Partial<Sighting> & { what?: string; under?: string | null } = {}): Sighting {
  const { what = 'a.example', under = null, ...rest } = more;
  return {
    identity: 'builder',
    proven: true,
    finding: 'private-address',
    place: what,
    at: START,
    window: HOUR,
    key: () => what,
    domain: () => under,
    draft: () => ({ kind: 'finding', at: START, identity: rest.identity ?? 'builder', severity: 'high' }),
    names: () => [what],
    ...rest,
  };
}

interface Life {
  readonly life: FindingLife;
  see(more?: Parameters<typeof sighting>[0]): Draft[];
  pass(to: number): Draft[];
}

function begin(_t: Test): Life {
  const life = new FindingLife();
  const run = (work: (out: Draft[]) => void): Draft[] => {
    const out: Draft[] = [];
    work(out);
    return out;
  };
  return {
    life,
    see: (more) => run((out) => life.take(sighting(more), out)),
    pass: (to) => run((out) => life.flush(to, out)),
  };
}

t.test('a clock that is set back ends what began ahead of it, and no time runs backwards', async (t) => {
  const { see, pass } = begin(t);
  see({ at: START });
  const [again] = see({ at: START - HOUR / 2 });
  t.ok(again!.first! <= again!.last!, `from ${again!.first} to ${again!.last}`);
  t.strictSame(pass(START - HOUR / 2), [], 'a correction ends nothing');
  see({ at: START + 30_000 });
  t.match(pass(START - 2 * HOUR), [{ activity: 'close', total: 3 }]);
  t.match(see({ at: START - 2 * HOUR }), [{ activity: 'create' }], 'and it begins anew');
});

t.test('create, update when it doubles, close at the end', async (t) => {
  const { see, pass } = begin(t);
  const events: Draft[] = [];
  for (let i = 0; i < 100; i++) events.push(...see({ at: START + i }));
  t.strictSame(pass(START + HOUR - 1), [], 'its window is not over');
  events.push(...pass(START + HOUR));
  t.strictSame(pass(START + 2 * HOUR), [], 'once');
  t.strictSame(
    events.map(({ activity, count, total }) => [activity, count, total]),
    [
      ['create', 1, 1],
      ['update', 1, 2],
      ['update', 2, 4],
      ['update', 4, 8],
      ['update', 8, 16],
      ['update', 16, 32],
      ['update', 32, 64],
      ['close', 36, 100],
    ],
  );
  t.equal(new Set(events.map(({ uid }) => uid)).size, 1);
  t.match(events[0], {
    finding: 'private-address',
    key: 'a.example',
    names: ['a.example'],
    severity: 'high',
  });
  const [again] = see({ at: START + 3 * HOUR });
  t.equal(again?.activity, 'create');
  t.not(again?.uid, events[0]?.uid, 'another window is another finding');
});

t.test('a uid is that of finding, identity, key and window', async (t) => {
  const uid = (more: Parameters<typeof sighting>[0]) => begin(t).see(more)[0]?.uid;
  t.equal(uid({}), uid({}));
  for (const other of [{ finding: 'x' }, { identity: 'x' }, { what: 'b' }, { at: START + 1 }])
    t.not(uid(other), uid({}), JSON.stringify(other));
});

t.test('whoever makes ever other findings fills his own places alone', async (t) => {
  const { see, pass } = begin(t);
  const events: Draft[] = [];
  for (let i = 0; i < 20_000; i++) {
    events.push(...see({ what: `n${i}.d${i % 500}.example`, under: `d${i % 500}.example` }));
    if (i % 5_000 === 4_999) {
      const [other] = see({ identity: `tester-${i}`, what: 'x.example' });
      t.match(other, { activity: 'create', identity: `tester-${i}` }, 'another is told at once');
    }
  }
  t.ok(events.length < 1_200, `${events.length} events tell of 20,000`);
  events.push(...pass(START + HOUR));
  const own = events.filter(({ identity }) => identity === 'builder');
  t.equal(
    own.reduce((sum, { count = 0 }) => sum + count, 0),
    20_000,
    'with exact counts',
  );
  t.equal(own.filter(({ activity }) => activity === 'create').length, 128);
  t.ok(
    own.some(({ key }) => key === '.'),
    'what has no domain of its own is told in one',
  );
  t.equal(own.filter(({ activity }) => activity === 'close').length, 128);
});

t.test('more identities than there are places', async (t) => {
  const { see } = begin(t);
  for (let i = 0; i < 128; i++) see({ what: `n${i}` });
  for (let i = 0; i < 2_500; i++) t.equal(see({ identity: `i${i}` })[0]?.identity === undefined, false);
  const first = see({ identity: 'last' });
  t.ok(
    first.some(({ activity, identity }) => activity === 'create' && identity === 'last'),
    'each is told',
  );
});

t.test('a tunnel is three events', async (t) => {
  const { life } = begin(t);
  const out: Draft[] = [];
  const note = (what: BudgetNote['what'], octets: number, at: number): BudgetNote => ({
    note: 'budget',
    at: START + at,
    what,
    audited: false,
    identity: 'builder',
    owner: 'team',
    key: 'lease',
    subject: 'le-1',
    wildcard: 't.example',
    octets,
    names: [`n${octets}.t.example`],
  });
  life.advance(budgetSighting(note('alert', 512, 0)), out);
  life.advance(budgetSighting(note('contain', 1024, 1)), out);
  life.advance(budgetSighting(note('contain', 1030, 2)), out);
  life.end('builder', budgetKey(note('end', 0, 3)), START + 3, out);
  life.end('builder', budgetKey(note('end', 0, 4)), START + 4, out);
  t.match(out, [
    { activity: 'create', finding: 'budget-alert', octets: 512, severity: 'medium', lease: 'le-1' },
    { activity: 'update', finding: 'budget-contain', octets: 1024, severity: 'high', wildcard: 't.example' },
    { activity: 'close', finding: 'budget-contain', total: 3 },
  ]);
  t.equal(out.length, 3);
  t.equal(new Set(out.map(({ uid }) => uid)).size, 1, 'of one finding');
  t.strictSame(out[2]?.names, ['n512.t.example', 'n1024.t.example', 'n1030.t.example']);
});

t.test('what is open outlives a restart', async (t) => {
  const { life, see } = begin(t);
  const [created] = see();
  see();
  see({ at: START + 5 });
  const kept = [...life.changes()].filter((row): row is [string, string] => row[1] !== null);
  const later = new FindingLife();
  later.restore(kept);
  const out: Draft[] = [];
  later.take(sighting({ at: START + 9 }), out);
  later.take(sighting({ what: 'b.example', at: START + 9 }), out);
  later.flush(START + HOUR + 1_000, out);
  t.match(out, [
    { activity: 'update', uid: created?.uid, count: 2, total: 4 },
    { activity: 'create', key: 'b.example' },
    { activity: 'close', uid: created?.uid, count: 0, total: 4 },
    { activity: 'close', key: 'b.example' },
  ]);
  t.strictSame(
    [...later.changes().values()].filter((value) => value !== null),
    [],
    'and what is closed is kept no more',
  );
});

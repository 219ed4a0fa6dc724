import t from 'tap';
import { Tail, type TailQuestion, type TailRecord } from '../../src/history/tail.ts';

let epochs = 0;
const fresh = (): Tail => new Tail(() => `e${epochs++}`);

const record = (name: string, kind = 'deny', more: Partial<TailRecord> = {}): TailRecord => ({
  record: 'decision',
  question: {
    kind,
    identity: 'build',
    proven: true,
    expected: false,
    at: 1_000,
    draft: {
      kind,
      at: 1_000,
      identity: 'build',
      verdict: kind.replace('would_', ''),
      name,
      type: 'A',
      client: '10.0.0.1',
    },
  },
  ...more,
});

const ALL: TailQuestion = { what: 'tail', after: null, identities: null, verdicts: null, name: null };
const namesOf = (text: string): string[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => (JSON.parse(json!) as { name: string }).name);

t.test('nothing is kept while nobody looks on', async (t) => {
  const tail = fresh();
  tail.take(record('before.example'), 0);
  const { place } = tail.page(ALL, 1);
  tail.take(record('one.example'), 2);
  tail.take(record('two.example'), 2);
  const page = tail.page({ ...ALL, after: place }, 3);
  t.same(namesOf(page.text), ['one.example', 'two.example']);
  t.equal(page.skipped, 0);
  const resumed = /^id: (\S+)$/m.exec(page.text)?.[1] ?? '';
  t.same(
    namesOf(tail.page({ ...ALL, after: resumed }, 4).text),
    ['two.example'],
    'an id resumes behind its event',
  );
  tail.take(record('late.example'), 4 + 60_001);
  const later = tail.page({ ...ALL, after: page.place }, 4 + 60_002);
  t.equal(later.skipped, null, 'nobody counted what came while nobody looked on');
  t.equal(later.text, '');
});

t.test('a slow reader hears how many it missed', async (t) => {
  const tail = fresh();
  let { place } = tail.page(ALL, 0);
  for (let i = 0; i < 10_000; i++) tail.take(record(`n${i}.example`), 1);
  let told = 0;
  let skipped = 0;
  for (let more = true; more; ) {
    const page = tail.page({ ...ALL, after: place }, 2);
    t.ok(page.text.length < 65_536 + 1_000, 'a page is bounded');
    told += namesOf(page.text).length;
    skipped += page.skipped ?? 0;
    ({ place, more } = page);
  }
  t.equal(told + skipped, 10_000);
  t.ok(skipped > 4_000 && told >= 4_096);
});

t.test('filters', async (t) => {
  const tail = fresh();
  const { place } = tail.page(ALL, 0);
  const names = ['a.example', 'x.a.example', 'y.x.a.example', 'b\\.a.example', 'ba.example'];
  for (const name of names) tail.take(record(name), 1);
  tail.take(record('audited.example', 'would_deny'), 1);
  tail.take(record('given.example', 'allow'), 1);
  const cases: [Partial<TailQuestion>, string[]][] = [
    [{ name: 'a.example' }, ['a.example']],
    [{ name: '*.a.example' }, ['x.a.example']],
    [{ name: '**.a.example' }, ['x.a.example', 'y.x.a.example']],
    [{ name: '*.example' }, ['a.example', 'b\\.a.example', 'ba.example', 'audited.example', 'given.example']],
    [{ verdicts: ['would_deny'] }, ['audited.example']],
    [{ verdicts: ['allow', 'would_deny'] }, ['audited.example', 'given.example']],
    [{ identities: ['other'] }, []],
  ];
  for (const [filter, expected] of cases)
    t.same(namesOf(tail.page({ ...ALL, after: place, ...filter }, 2).text), expected, JSON.stringify(filter));
});

t.test('a decision is told once, whichever slots it has', async (t) => {
  const tail = fresh();
  const { place } = tail.page(ALL, 0);
  tail.decide(['deny']);
  tail.take(record('denied.example'), 1);
  tail.take(record('denied.example', 'deny', { record: 'asked', folded: 0 }), 1);
  tail.take(record('given.example', 'allow', { record: 'asked', folded: 0 }), 1);
  tail.take(record('given.example', 'allow', { record: 'given' }), 1);
  const again = { time: '', identity: 'build', type: 'A', count: 7 } as const;
  tail.again({ ...again, name: 'denied.example', verdict: 'deny' }, 1);
  tail.again({ ...again, name: 'given.example', verdict: 'allow' }, 1);
  const { text } = tail.page({ ...ALL, after: place }, 2);
  t.same(namesOf(text), ['denied.example', 'given.example', 'given.example']);
  t.match(text, /"count":7/);
});

t.test('no octet of a name ends a line of the stream', async (t) => {
  const tail = fresh();
  const { place } = tail.page(ALL, 0);
  tail.take(record('a\n\ndata: {}\r\u2028.example'), 1);
  const { text } = tail.page({ ...ALL, after: place }, 2);
  t.equal(text.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data: ')).length, 1);
});

t.test('places that nobody gave are no places', async (t) => {
  const tail = fresh();
  const { place } = tail.page(ALL, 0);
  tail.take(record('one.example'), 1);
  for (const after of ['x.0', `${place.split('.')[0]}.99`, `${place.split('.')[0]}.x`, 'x', '.', '']) {
    const page = tail.page({ ...ALL, after }, 2);
    t.equal(page.skipped, null, after);
    t.equal(page.text, '', after);
  }
});

import t from 'tap';
import { type FoldOwner, type FoldPlace, FoldTable } from '../../src/outbox/fold-table.ts';

interface Entry extends FoldPlace<Entry> {
  readonly id: string;
}

const OWNER: FoldOwner = { text: '+one', salt: 7 };
const OTHER: FoldOwner = { text: '+other', salt: 7 };
let number = 0;

function entry(id: string, key: Partial<Entry> = {}): Entry {
  const name = Buffer.from('name');
  return {
    owner: OWNER,
    what: 1,
    shape: 2,
    lease: '',
    name,
    hash: 3,
    number: number++,
    next: null,
    id,
    ...key,
  };
}

const found = (
  table: FoldTable<Entry>,
  { owner, what, shape, lease, name, hash }: Entry,
): string | undefined => table.find(owner, what, shape, lease, name, 0, hash)?.id;

t.test('keys of one hash are told apart by all that they are', (t) => {
  const table = new FoldTable<Entry>();
  const entries = [
    entry('first'),
    entry('what', { what: 2 }),
    entry('shape', { shape: 3 }),
    entry('lease', { lease: 'l' }),
    entry('name', { name: Buffer.from('nome') }),
    entry('shorter', { name: Buffer.from('nam') }),
    entry('none', { name: Buffer.alloc(0) }),
    entry('owner', { owner: OTHER }),
  ];
  for (const one of entries) t.equal(found(table, one), undefined, `${one.id} is not there yet`);
  for (const one of entries) t.equal(table.add(one), null);
  for (const one of entries) t.equal(found(table, one), one.id);
  table.delete(entries[4]!);
  for (const one of entries) t.equal(found(table, one), one.id === 'name' ? undefined : one.id);
  t.equal(table.find(OWNER, 1, 2, '', Buffer.from('a.name'), 2, 3)?.id, 'first', 'a name may begin later');
  t.end();
});

t.test('an owner that has all its places gives up its oldest, and it is found no more', (t) => {
  const table = new FoldTable<Entry>();
  const keep = entry('kept', { owner: OTHER });
  table.add(keep);
  const entries = Array.from({ length: 130 }, (_, i) => entry(`${i}`, { name: Buffer.from(`n${i}`) }));
  const evicted = entries.map((one) => table.add(one)?.id).filter((id) => id !== undefined);
  t.strictSame(evicted, ['0', '1']);
  t.strictSame(
    entries.map((one) => found(table, one)),
    entries.map(({ id }) => (id === '0' || id === '1' ? undefined : id)),
  );
  t.equal(found(table, keep), 'kept');
  t.equal(table.all().length, 129);
  t.ok(table.has(OTHER));
  table.delete(keep);
  t.notOk(table.has(OTHER));
  t.end();
});

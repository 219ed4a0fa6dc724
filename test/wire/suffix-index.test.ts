import t from 'tap';
import { nameFromText } from '../../src/wire/name.ts';
import { SuffixIndex } from '../../src/wire/suffix-index.ts';

const wire = (text: string): Uint8Array => {
  const name = nameFromText(text);
  if (!(name instanceof Uint8Array)) throw new Error(text);
  return name;
};

const index = new SuffixIndex(
  [
    [wire('example'), 1],
    [wire('co.example'), 2],
    [wire('a.b.c.example'), 3],
  ],
  1,
);

const ROWS: readonly (readonly [name: string, values: readonly number[]])[] = [
  ['.', []],
  ['example', [1]],
  ['test', [0]],
  ['co.example', [1, 2]],
  ['x.co.example', [1, 2, 0]],
  ['xco.example', [1, 0]],
  ['co\\.example', [0]],
  ['a.b.c.example', [1, 0, 0, 3]],
  ['z.y.x.a.b.c.example', [1, 0, 0, 3, 0]],
  [`${'1.'.repeat(120)}co.example`, [1, 2, 0, 0, 0]],
];

for (const [name, values] of ROWS) {
  t.test(`${name.slice(0, 40)}: its suffixes, the shortest first`, async (t) => {
    const octets = wire(name);
    const count = index.look(octets);
    t.strictSame([...index.values.subarray(0, count)], values);
    for (let i = 0; i < count; i++) {
      const labels = name.split(/(?<!\\)\./);
      t.strictSame(octets.subarray(index.starts[i]), wire(labels.slice(-1 - i).join('.')));
    }
  });
}

t.test('octets behind a name are none of it', async (t) => {
  const octets = Uint8Array.from([...wire('x.co.example'), 1, 2, 3]);
  t.strictSame([...index.values.subarray(0, index.look(octets))], [1, 2, 0]);
});

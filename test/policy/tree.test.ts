import fc from 'fast-check';
import t from 'tap';
import { FAMILY, findChild, NO_NODE, nameOfNode, TreeBuilder } from '../../src/policy/tree.ts';
import { sameName } from '../../src/wire/name.ts';
import { anyName } from '../wire/arbitrary.ts';
import { wire } from './build.ts';

/** The node of a name in a finished tree, or NO_NODE. */
function find(tree: ReturnType<TreeBuilder['done']>, name: Uint8Array): number {
  const starts: number[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) starts.unshift(at);
  let node = 0;
  for (const at of starts) {
    node = findChild(tree, node, name, at + 1, name[at]!);
    if (node === NO_NODE) return NO_NODE;
  }
  return node;
}

t.test('a name has one node, and its ancestors have theirs', async (t) => {
  const builder = new TreeBuilder(7);
  const node = builder.insert(wire('a.b.example'));
  t.equal(builder.insert(wire('a.b.example')), node);
  t.equal(builder.count, 4, 'the root is 0');
  t.equal(builder.insert(new Uint8Array(1)), 0);
  t.equal(builder.parentOf(node), builder.insert(wire('b.example')));
  const tree = builder.done();
  t.equal(find(tree, wire('a.b.example')), node);
  t.equal(find(tree, wire('b.a.example')), NO_NODE);
  t.equal(find(tree, wire('x.a.b.example')), NO_NODE);
  t.same(nameOfNode(tree, node), wire('a.b.example'));
  t.same(nameOfNode(tree, 0), new Uint8Array(1));
});

t.test('the prefixes of families are no children of their node', async (t) => {
  const builder = new TreeBuilder(7);
  const base = builder.insert(wire('example'));
  const child = builder.insert(wire('n.example'));
  const prefix = builder.child((base | FAMILY) >>> 0, Uint8Array.of(0x6e), 0, 1);
  const empty = builder.child((base | FAMILY) >>> 0, new Uint8Array(0), 0, 0);
  t.not(prefix, child);
  const tree = builder.done();
  t.equal(findChild(tree, base, Uint8Array.of(0x6e), 0, 1), child);
  t.equal(findChild(tree, (base | FAMILY) >>> 0, Uint8Array.of(0x6e), 0, 1), prefix);
  t.equal(findChild(tree, (base | FAMILY) >>> 0, new Uint8Array(0), 0, 0), empty);
  t.equal(findChild(tree, base, new Uint8Array(0), 0, 0), NO_NODE);
});

t.test(
  'property: every name that went in is found, by itself and by its number, and nothing else is',
  async () => {
    fc.assert(
      fc.property(
        fc.array(anyName, { maxLength: 60 }),
        fc.array(anyName, { maxLength: 20 }),
        fc.integer(),
        (names, others, salt) => {
          const builder = new TreeBuilder(salt);
          const nodes = names.map((name) => builder.insert(name));
          const tree = builder.done();
          const known = new Set(['\0']);
          for (const name of names)
            for (let at = 0; name[at] !== 0; at += 1 + name[at]!)
              known.add(name.subarray(at).toString('latin1'));
          return (
            names.every(
              (name, i) => find(tree, name) === nodes[i] && sameName(nameOfNode(tree, nodes[i]!), name),
            ) &&
            others.every((name) => (find(tree, name) !== NO_NODE) === known.has(name.toString('latin1'))) &&
            tree.parents.length === known.size
          );
        },
      ),
      { seed: 80, numRuns: 300 },
    );
  },
);

t.test('a tree grows: 200,000 names, all found', async (t) => {
  const builder = new TreeBuilder(1);
  const names = Array.from({ length: 200_000 }, (_, i) => wire(`h${i}.z${i % 1000}.example`));
  const nodes = names.map((name) => builder.insert(name));
  const tree = builder.done();
  t.equal(tree.parents.length, 1 + 1 + 1000 + 200_000);
  t.ok(tree.slots.length >= 2 * tree.parents.length, 'at most half full');
  t.ok(names.every((name, i) => find(tree, name) === nodes[i]));
  t.equal(find(tree, wire('h200000.z0.example')), NO_NODE);
});

t.test('labels that are like one another do not pile up in the table, whatever the salt is', async (t) => {
  for (const salt of [0, 1, 0x7fff_ffff, 0xffff_ffff]) {
    const builder = new TreeBuilder(salt);
    for (let i = 0; i < 60_000; i++) builder.insert(wire(`${i}.example`));
    const { slots } = builder.done();
    let run = 0;
    let longest = 0;
    for (const slot of slots) {
      run = slot === 0 ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    t.ok(longest < 200, `salt ${salt}: ${longest} slots in a row`);
  }
});

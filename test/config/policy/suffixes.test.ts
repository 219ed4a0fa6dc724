import { createRequire } from 'node:module';
import t from 'tap';
import { getPublicSuffix } from 'tldts';
import { rentedZones } from '../../../src/config/policy/rented-zones.ts';
import { checkTrie, SuffixList, suffixTable } from '../../../src/config/policy/suffixes.ts';
import { SUFFIX, type SuffixTable, zoneKind } from '../../../src/policy/pattern/suffix.ts';
import { nameFromText } from '../../../src/wire/name.ts';

/** All names of the list and the rented zones, with their flags. */
function wholeTable(): Map<string, number> {
  const trie = createRequire(import.meta.url)('tldts/dist/cjs/src/data/trie.js');
  return new Map(new SuffixList(checkTrie(trie), rentedZones()).entries());
}

/** The public suffix of a name by the list's own algorithm (https://publicsuffix.org/list/), over our table. */
function suffixOf(name: string, table: SuffixTable, withPrivate: boolean): string {
  const labels = name.split('.');
  const own = SUFFIX.ICANN | (withPrivate ? SUFFIX.PRIVATE : 0);
  const below = SUFFIX.ICANN_BELOW | (withPrivate ? SUFFIX.PRIVATE_BELOW : 0);
  const at = (i: number): number => table.get(labels.slice(i).join('.')) ?? 0;
  for (let i = 0; i < labels.length; i++) {
    if (at(i) & SUFFIX.EXCEPTION) return labels.slice(i + 1).join('.');
  }
  for (let i = 0; i < labels.length; i++) {
    if (at(i) & own || (i + 1 < labels.length && at(i + 1) & below)) return labels.slice(i).join('.');
  }
  return labels.at(-1)!;
}

t.test('the table gives the suffixes that tldts gives', async (t) => {
  const table = wholeTable();
  t.ok(table.size > 9_000, `${table.size} entries`);
  const names = new Set<string>();
  // Rented zones are ours, and not in the list.
  const rented = new Set(rentedZones());
  const ofList = [...table.keys()].filter((name) => !rented.has(name));
  for (const name of ofList) for (const front of ['', 'a.', 'b.a.', 'www.']) names.add(front + name);
  names
    .add('example.nosuchtld')
    .add('nosuchtld')
    .add('a.b.nosuchtld')
    .add('www.ck')
    .add('x.www.ck')
    .add('foo.ck');
  let compared = 0;
  const wrong: string[] = [];
  for (const name of names) {
    for (const allowPrivateDomains of [false, true]) {
      const wanted = getPublicSuffix(name, { allowPrivateDomains, validateHostname: false });
      if (suffixOf(name, table, allowPrivateDomains) !== wanted)
        wrong.push(`${name} ${allowPrivateDomains} ${wanted}`);
      compared++;
    }
  }
  t.ok(compared > 60_000, `${compared} compared`);
  t.same(wrong.slice(0, 10), []);
});

t.test('what a wildcard would reach', async (t) => {
  const table = wholeTable();
  const cases: [zone: string, wanted: string][] = [
    ['com', 'public'],
    ['co.uk', 'public'],
    ['ck', 'public'],
    ['foo.ck', 'public'],
    ['www.ck', 'own'],
    ['nosuchtld', 'public'],
    ['github.com', 'own'],
    ['corp.example', 'own'],
    ['githubusercontent.com', 'shared'],
    ['actions.githubusercontent.com', 'shared'],
    // Rented zones that the list does not have.
    ['dkr.ecr.eu-west-1.amazonaws.com', 'shared'],
    ['r2.cloudflarestorage.com', 'shared'],
    ['account.r2.cloudflarestorage.com', 'shared'],
    ['cloudflarestorage.com', 'shared'],
    ['github.io', 'shared'],
    ['amazonaws.com', 'shared'],
    ['s3.amazonaws.com', 'shared'],
    ['xn--55qx5d.cn', 'public'],
  ];
  for (const [zone, wanted] of cases)
    t.equal(zoneKind(nameFromText(zone) as Uint8Array, table), wanted, zone);
  t.notOk(
    [...table.keys()].some((name) => /[^\u0000-\u007f]/.test(name) || name !== name.toLowerCase()),
    'ASCII, lower case',
  );
});

t.test('a part that is made when it is asked for is the same as of the whole', async (t) => {
  const whole = wholeTable();
  const names = [...whole.keys()];
  // The last first: no part may count on another, and a name between two parts is in neither.
  const wrong = names.reverse().filter((name) => suffixTable().get(name) !== whole.get(name));
  t.same(wrong, []);
  for (const absent of ['', 'nosuchtld', 'xn--', 'xn--zz', '*', 'a.*', 'com.', '.com', '.', 'example.com'])
    t.equal(suffixTable().get(absent), undefined, absent);
});

t.test('another top-level domain costs nothing, and none is made up', async (t) => {
  let reads = 0;
  const labels = 'comorgco*';
  const trie = {
    nodeFlags: Uint8Array.of(0, 1, 1, 1, 1, 0),
    edgeStart: Uint16Array.of(0, 2, 3, 4, 4, 4, 4),
    edgeLength: Uint8Array.of(3, 3, 2, 1),
    edgeChild: Uint16Array.of(1, 2, 3, 4),
    labelText: labels,
    rulesRoot: 0,
    exceptionsRoot: 5,
  };
  const counted = new Proxy(trie, {
    get: (on, key) => {
      if (key === 'nodeFlags') reads++;
      return Reflect.get(on, key);
    },
  });
  const list = new SuffixList(counted, ['rented.org', 'x.rented.net']);
  t.equal(reads, 0);
  t.equal(list.get('co.com'), SUFFIX.ICANN);
  const ofCom = reads;
  t.equal(list.get('a.com'), undefined);
  t.equal(reads, ofCom, 'once');
  t.equal(list.get('nowhere'), undefined);
  t.equal(reads, ofCom);
  t.equal(list.get('org'), SUFFIX.ICANN | SUFFIX.ICANN_BELOW | SUFFIX.ABOVE_PRIVATE);
  t.equal(list.get('rented.org'), SUFFIX.PRIVATE);
  t.equal(list.get('rented.net'), SUFFIX.ABOVE_PRIVATE, 'a domain that the list does not have');
  t.ok(reads > ofCom);
});

t.test('another layout is an error, not an empty list', async (t) => {
  const trie = {
    nodeFlags: Uint8Array.of(0, 1, 2),
    edgeStart: Uint16Array.of(0, 1, 2, 2),
    edgeLength: Uint8Array.of(3, 1),
    edgeChild: Uint16Array.of(1, 2),
    labelText: 'com*',
    rulesRoot: 0,
    exceptionsRoot: 2,
  };
  const table = new SuffixList(checkTrie(trie), []);
  t.same(
    [...table.entries()],
    [['com', SUFFIX.ICANN | SUFFIX.PRIVATE_BELOW | SUFFIX.ABOVE_PRIVATE]].slice(0),
  );
  t.throws(() => checkTrie({}), /another form/);
  t.throws(() => checkTrie({ ...trie, labelText: 'com' }), /not whole/);
  t.throws(() => checkTrie({ ...trie, edgeStart: Uint16Array.of(0, 1, 1, 1) }), /not whole/);
  t.throws(() => checkTrie({ ...trie, nodeFlags: [0, 1, 2] }), /another form/);
});

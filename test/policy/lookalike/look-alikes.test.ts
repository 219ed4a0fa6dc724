import { domainToASCII } from 'node:url';
import t from 'tap';
import { suffixTable } from '../../../src/config/policy/suffixes.ts';
import { Letters } from '../../../src/policy/lookalike/letters.ts';
import { findLookAlike, indexLookAlikes } from '../../../src/policy/lookalike/look-alikes.ts';
import { writeSkeleton } from '../../../src/policy/lookalike/skeleton.ts';
import { nameFromText } from '../../../src/wire/name.ts';
import { build, destination, entries, identity, stage } from '../build.ts';

const HOSTS = [
  'github.com',
  '*.actions.githubusercontent.com',
  'pypi.org',
  'files.pythonhosted.org',
  'registry.example.co.uk',
  'results.blob.core.windows.net',
  'mystore.github.io',
  'a-msedge.net',
  'cdnhost1.com',
  'edge-03.net',
  'wikimedia.org',
  'gstatic.com',
  'abcnews.com',
];
const { snapshot } = build(
  {
    destinations: [destination('hosts', HOSTS), destination('theirs', ['secret-partner.com'])],
    identities: [
      identity('one', { allow: entries('=hosts') }),
      identity('two', { allow: entries('=theirs') }),
      identity('staged', { stages: [stage('fetch', 'allow', '=theirs'), stage('build', 'allow')] }),
    ],
  },
  suffixTable(),
);

function near(text: string, whose = 'one', length = 6): string {
  const name = nameFromText(domainToASCII(text) || text) as Uint8Array;
  const { everywhere, view } = snapshot.identities.find((one) => one.name === whose)!;
  return findLookAlike(snapshot.lookAlikes, (everywhere ?? view).sets, name, length);
}

/** The letters of a label, as text. */
function labelText(label: string): string {
  const letters = new Letters();
  letters.read(Buffer.from(label, 'latin1'), 0, label.length);
  return String.fromCodePoint(...letters.codes.subarray(0, letters.length));
}

function skeletonOf(text: string): string {
  const [letters, skeleton] = [new Letters(), new Letters()];
  for (const letter of text) letters.add(letter.codePointAt(0)!);
  writeSkeleton(letters, skeleton);
  return String.fromCodePoint(...skeleton.codes.subarray(0, skeleton.length));
}

const CASES: readonly (readonly [name: string, resembles: string])[] = [
  // One letter other, more, less; neighbours swapped.
  ['githib.com', 'github.com'],
  ['githuub.com', 'github.com'],
  ['githb.com', 'github.com'],
  ['ithub.com', 'github.com'],
  ['githubb.com', 'github.com'],
  ['gihtub.com', 'github.com'],
  ['www.githib.com', 'github.com'],
  ['a.b.c.d.e.f.githib.com', 'github.com'],
  ['githubusercontnet.com', 'githubusercontent.com'],
  ['files.pythonhosted0.org', 'pythonhosted.org'],
  ['exampel.co.uk', 'example.co.uk'],
  ['mystorr.github.io', 'mystore.github.io'],
  // Without the private part of the public suffix list too.
  ['mystore.githib.io', 'github.io'],
  ['actionz.githubusercontent.com', 'actions.githubusercontent.com'],
  ['x.windovs.net', 'windows.net'],
  // Look-alike characters, more than one of them too.
  ['gıthub.com', 'github.com'],
  ['gíthúb.com', 'github.com'],
  ['ｇithub.com', ''],
  ['гithub.com', 'github.com'],
  ['gіthuЬ.com', 'github.com'],
  ['py7honh0sted.org', ''],
  ['pythonh0sted.org', 'pythonhosted.org'],
  ['pyth0nh0sted.org', 'pythonhosted.org'],
  ['g1thub.com', 'github.com'],
  ['vvindovvs.net', 'windows.net'],
  // Numbered siblings.
  ['c-msedge.net', ''],
  ['cdnhost2.com', ''],
  ['cdnhosto.com', 'cdnhost1.com'],
  ['edge-30.net', ''],
  ['edge-0e.net', 'edge-03.net'],
  // Well-known domains of other owners; what comes near them is none.
  ['wikipedia.org', ''],
  ['www.de.wikipedia.org', ''],
  ['wikipedla.org', ''],
  ['wikimedla.org', 'wikimedia.org'],
  ['bstatic.com', ''],
  ['qstatic.com', 'gstatic.com'],
  ['nbcnews.com', ''],
  // Two edits, another suffix, a short label.
  ['gitlab.com', ''],
  ['githoob.com', ''],
  ['githib.net', ''],
  ['githib.com.example', ''],
  ['pypl.org', ''],
  ['github.example.com', ''],
  // The domain itself is approved, and only this name under it is not.
  ['api.github.com', ''],
  ['github.com', ''],
  // Another identity's.
  ['secret-partners.com', ''],
  ['com', ''],
  ['.', ''],
];

for (const [name, resembles] of CASES) t.equal(near(name), resembles, `${name}: ${resembles || 'nothing'}`);
t.equal(near('secret-partners.com', 'two'), 'secret-partner.com');
t.equal(near('secret-partners.com', 'staged'), 'secret-partner.com', 'what a later stage approves counts');
t.equal(near('pypl.org', 'one', 4), 'pypi.org', 'a lower bound compares shorter labels');
t.equal(near('pypl.org', 'one', 5), '');

t.test('Punycode is read as IDNA does, and what is none stays as it is', async (t) => {
  for (const text of ['bücher', 'пример', '例え', 'ünïcödé', 'faß', 'a-ü-b', 'ελληνικά']) {
    const ascii = domainToASCII(`${text}.example`).split('.')[0]!;
    t.equal(labelText(ascii), text, ascii);
  }
  for (const label of [
    'xn--',
    'xn--a',
    'xn--zzzzzzzzzz',
    'xn--99999999999999',
    'xn---',
    'plain',
    `xn--${'z'.repeat(59)}`,
  ])
    t.doesNotThrow(() => labelText(label), label);
});

t.test('skeletons', async (t) => {
  t.equal(skeletonOf('paypal'), skeletonOf('раураl'));
  t.equal(skeletonOf('modern'), skeletonOf('rnodern'));
  t.not(skeletonOf('github'), skeletonOf('gitlab'));
});

t.test('no name of whatever octets makes it throw', async () => {
  let seed = 7;
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 2_000; round++) {
    const octets: number[] = [];
    for (let labels = next(8); labels >= 0; labels--) {
      const size = 1 + next(20);
      octets.push(size, ...Array.from({ length: size }, () => next(256)));
    }
    octets.push(...[3, 0x63, 0x6f, 0x6d], 0);
    findLookAlike(snapshot.lookAlikes, snapshot.identities[0]!.view.sets, Uint8Array.from(octets), 6);
  }
});

t.test('a domain that very many sets approve is compared for each of them', async (t) => {
  const sets = Array.from({ length: 200_000 }, (_, i) => 2 * i);
  const index = indexLookAlikes([{ label: 'github', suffix: 'com', sets }], 1);
  const name = nameFromText('githib.com') as Uint8Array;
  t.equal(findLookAlike(index, Uint32Array.of(7, 399_998), name, 6), 'github.com');
  t.equal(findLookAlike(index, Uint32Array.of(7, 399_999), name, 6), '');
});

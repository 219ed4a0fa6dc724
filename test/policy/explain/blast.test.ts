import t from 'tap';
import { compile } from '../../../src/policy/compile/compile.ts';
import { type Blast, blastRadius } from '../../../src/policy/explain/blast.ts';
import { FOREVER, type RuleTerms } from '../../../src/policy/input.ts';
import { parsePattern } from '../../../src/policy/pattern/pattern.ts';

const TERMS: RuleTerms = {
  destination: 'd',
  owner: 'o',
  reason: 'r',
  types: null,
  until: FOREVER,
  private: false,
  sharedZone: true,
  maxLabels: 127,
  maxLabelLength: 63,
  budget: null,
  fallback: null,
  ports: null,
  keep: null,
  approvedBy: null,
};

/** The blast radius of the last rule that one pattern became. */
function blast(text: string, terms: Partial<RuleTerms> = {}): Blast {
  const pattern = parsePattern(text);
  if (!('kind' in pattern)) throw new Error(`${text} is no pattern`);
  const at = { file: 'f', line: 1, column: 1 };
  const rules = [{ pattern, terms: { ...TERMS, ...terms }, at }];
  const input = {
    destinations: [{ name: 'd', rules, lists: [], at }],
    identities: [],
    records: [],
    redirects: [],
  };
  const { snapshot } = compile(input, new Map(), { now: 0, salt: 1 });
  return blastRadius(snapshot, snapshot.rules.count - 1);
}

/** Counts names one length after another, in exact numbers: what the code under test does with doubles. */
function bitsOf(room: number, labels: number, length: number): number {
  let ways = new Map([[0, 1n]]);
  let total = 0n;
  for (let label = 0; label < labels && ways.size > 0; label++) {
    const next = new Map<number, bigint>();
    for (const [used, count] of ways) {
      for (let size = 1; size <= length && used + size + 1 <= room; size++) {
        const at = used + size + 1;
        next.set(at, (next.get(at) ?? 0n) + count * 230n ** BigInt(size));
      }
    }
    for (const count of next.values()) total += count;
    ways = next;
  }
  // The smallest power of two that is not below the total.
  return total === 0n ? 0 : (total - 1n).toString(2).length;
}

t.test('names and families', async (t) => {
  t.match(blast('a.example'), {
    kind: 'name',
    matches: 'that name alone',
    bits: 0,
    rule: { pattern: 'a.example' },
  });
  t.match(blast('n{0..199}.a.example'), { kind: 'family', matches: '200 names', bits: 8 });
  t.match(blast('n{5..5}.a.example'), { kind: 'family', matches: '1 names', bits: 0 });
  t.match(blast('{000..255}.a.example'), { kind: 'family', matches: '256 names', bits: 8 });
  const inFront = blast('a.n{00..09}.a.example');
  t.match(inFront, {
    kind: 'family',
    matches: '10 names',
    bits: 4,
    rule: { pattern: 'a.n{00..09}.a.example' },
  });
});

t.test('wildcards carry what their names can', async (t) => {
  const base = 'a.example';
  const room = 255 - 11;
  t.match(blast(`*.${base}`), {
    kind: 'wildcard',
    matches: 'one label of up to 63 octets in front of the base',
    bits: bitsOf(room, 1, 63),
  });
  t.equal(blast(`*.${base}`).bits, 495);
  t.equal(
    blast(`*.${base}`, { maxLabels: 9, maxLabelLength: 1 }).bits,
    8,
    'a star is one label, whatever is written',
  );
  t.match(blast(`**.${base}`, { maxLabels: 2, maxLabelLength: 32 }), {
    matches: '1 to 2 labels of up to 32 octets in front of the base',
    bits: bitsOf(room, 2, 32),
  });
  t.match(blast(`**.${base}`), { matches: 'any number of labels of up to 63 octets in front of the base' });
  t.equal(blast(`**.${base}`).bits, bitsOf(room, 127, 63));
  for (const [maxLabels, maxLabelLength] of [
    [3, 1],
    [127, 1],
    [5, 10],
    [20, 63],
    [126, 2],
  ] as const) {
    t.equal(blast(`**.${base}`, { maxLabels, maxLabelLength }).bits, bitsOf(room, maxLabels, maxLabelLength));
  }
});

t.test('a long base leaves little room', async (t) => {
  const long = (octets: number): string => {
    const labels: string[] = [];
    for (let left = octets - 1; left > 0; left -= 64) labels.push('a'.repeat(Math.min(63, left - 1)));
    return labels.join('.');
  };
  for (const octets of [253, 252, 240, 120]) {
    const room = 255 - octets;
    const { bits, matches } = blast(`**.${long(octets)}`);
    t.match(matches, `of up to ${Math.min(63, room - 1)} octets`);
    t.equal(bits, bitsOf(room, 127, Math.min(63, room - 1)), `${octets} octets`);
  }
});

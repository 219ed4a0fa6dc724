import { domainToASCII } from 'node:url';
import t from 'tap';
import { isSame, Letters } from '../../../src/policy/lookalike/letters.ts';
import { findLookAlike, indexLookAlikes } from '../../../src/policy/lookalike/look-alikes.ts';
import { NearFilter } from '../../../src/policy/lookalike/near-filter.ts';
import { isOneEdit } from '../../../src/policy/lookalike/one-edit.ts';
import { writeSkeleton } from '../../../src/policy/lookalike/skeleton.ts';
import { nameFromText } from '../../../src/wire/name.ts';

let seed = 0x6e67;
function next(below: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return (seed >>> 8) % below;
}

/** Letters that make pairs, that look like others, and that are neither. */
const ALPHABET = 'rnvwm10lio-5sabcdefg';

function random(size: number): string {
  return Array.from({ length: size }, () => ALPHABET[next(ALPHABET.length)]).join('');
}

/** One letter other, less or more, or two swapped; or a pair for its letter, or the letter for its pair. */
function changed(text: string): string {
  const at = next(text.length);
  const letter = ALPHABET[next(ALPHABET.length)]!;
  switch (next(7)) {
    case 0:
      return text.slice(0, at) + letter + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + letter + text.slice(at);
    case 3:
      return (
        text.slice(0, at) +
        text
          .slice(at, at + 2)
          .split('')
          .reverse()
          .join('') +
        text.slice(at + 2)
      );
    case 4:
      return text.replace('m', 'rn').replace('w', 'vv');
    case 5:
      return text.replace('rn', 'm').replace('nn', 'm').replace('vv', 'w');
    default:
      return text.replace('l', '1').replace('o', '0').replace('s', '5').replace('i', 'l');
  }
}

function lettersOf(label: string): Letters {
  const letters = new Letters();
  letters.read(Buffer.from(label, 'latin1'), 0, label.length);
  return letters;
}

function skeletonOf(letters: Letters): Letters {
  const skeleton = new Letters();
  writeSkeleton(letters, skeleton);
  return skeleton;
}

const IDNS = ['gıthub', 'bücher', 'раураl', 'abĳcdef', 'straße', 'œuvres', 'пример'].map((text) =>
  domainToASCII(`${text}.example`).slice(0, -'.example'.length),
);
const approved = [
  ...new Set([
    ...IDNS,
    ...Array.from({ length: 300 }, () => random(1 + next(16))),
    ...Array.from({ length: 8 }, () => random(62 + next(2))),
  ]),
];
const parts = approved.map((label) => ({
  letters: lettersOf(label),
  skeleton: skeletonOf(lettersOf(label)),
}));
const own = Uint32Array.of(0);

function isNear(label: string, length: number): boolean {
  const letters = lettersOf(label);
  const skeleton = skeletonOf(letters);
  return parts.some(
    (other) =>
      Math.max(letters.length, other.letters.length) >= length &&
      (isOneEdit(letters, other.letters) || isSame(skeleton, other.skeleton)),
  );
}

function candidates(count: number): string[] {
  const found: string[] = [...IDNS, 'gıthub', 'gíthub'].map((text) => domainToASCII(text) || text);
  while (found.length < count) {
    let text = next(4) === 0 ? random(1 + next(20)) : approved[next(approved.length)]!;
    for (let edits = next(3); edits >= 0 && text.length > 0; edits--) text = changed(text);
    if (text.length > 0 && text.length <= 63) found.push(text);
  }
  return found;
}

for (const salt of [1, 0x9e37_79b1, 0xffff_ffff]) {
  const index = indexLookAlikes(
    approved.map((label) => ({ label, suffix: 'example', sets: [0] })),
    salt,
  );
  t.test(`with the salt ${salt}, what is near is found as if each label were compared`, async (t) => {
    const wrong: string[] = [];
    let near = 0;
    for (const length of [1, 6]) {
      for (const label of candidates(6_000)) {
        const expected = !approved.includes(label) && isNear(label, length);
        if (expected) near++;
        const found = findLookAlike(index, own, nameFromText(`x.${label}.example`) as Uint8Array, length);
        if ((found !== '') !== expected) wrong.push(label);
      }
    }
    t.same(wrong, []);
    t.ok(near > 1_000, `${near} are near`);
  });

  t.test(`with the salt ${salt}, the filter passes what is near, and little else`, async (t) => {
    const filter = new NearFilter(index.near, salt);
    const passes = (label: string): boolean =>
      filter.mayBeNear(Buffer.from(label, 'latin1'), 0, label.length, 1);
    t.same(
      candidates(6_000).filter((label) => isNear(label, 1) && !passes(label)),
      [],
    );
    const strange = Array.from({ length: 2_000 }, (_, i) => `${(i * 7919 + 48_271).toString(36)}zqjxkyhu`);
    const passed = strange.filter((label) => !isNear(label, 1) && passes(label)).length;
    t.ok(passed < 200, `${passed} of ${strange.length} pass for nothing`);
    t.notOk(filter.mayBeNear(Buffer.from('githubexample'), 0, 13, 2), 'another suffix');
  });
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import t from 'tap';
import { suffixTable } from '../../../src/config/policy/suffixes.ts';
import { findLookAlike, indexLookAlikes } from '../../../src/policy/lookalike/look-alikes.ts';
import { registeredDomain } from '../../../src/policy/pattern/suffix.ts';
import { lowerName, nameFromText, nameToText } from '../../../src/wire/name.ts';

/**
 * Squats of hosts that builds use, by the ways that tools for finding them list. `NAMEGATE_DATA` names a folder with
 * `ci/ecosystem-domains.tsv` that is taken instead of these.
 */
const HOSTS = [
  'github.com',
  'objects.githubusercontent.com',
  'files.pythonhosted.org',
  'static.crates.io',
  'rubygems.org',
];
const MORE = ['repo.maven.apache.org', 'packages.microsoft.com', 'archive.ubuntu.com', 'download.docker.com'];

const data = process.env['NAMEGATE_DATA'];
const file =
  data === undefined
    ? undefined
    : ['traffic/ci', 'ci'].map((folder) => join(data, folder, 'ecosystem-domains.tsv')).find(existsSync);
const hosts =
  file === undefined
    ? [...HOSTS, ...MORE]
    : readFileSync(file, 'utf8')
        .split('\n')
        .slice(1)
        .flatMap((row) => row.split('\t')[1]?.replace(/^\*\./, '') ?? []);

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const GLYPHS: Readonly<Record<string, readonly string[]>> = {
  a: ['á', 'а', 'ạ'],
  c: ['с', 'ç'],
  e: ['е', 'é'],
  i: ['í', '1', 'і', 'l'],
  l: ['1', 'i', 'ł'],
  m: ['rn', 'nn'],
  o: ['0', 'о', 'ö'],
  p: ['р'],
  s: ['ѕ', 'ş', '5'],
  w: ['vv'],
};

const WAYS: Readonly<Record<string, (label: string, i: number) => readonly string[]>> = {
  omission: (label, i) => [label.slice(0, i) + label.slice(i + 1)],
  repetition: (label, i) => [label.slice(0, i) + label[i] + label.slice(i)],
  transposition: (label, i) =>
    i + 1 < label.length ? [`${label.slice(0, i)}${label[i + 1]}${label[i]}${label.slice(i + 2)}`] : [],
  replacement: (label, i) => LETTERS.map((letter) => label.slice(0, i) + letter + label.slice(i + 1)),
  insertion: (label, i) => LETTERS.map((letter) => label.slice(0, i + 1) + letter + label.slice(i + 1)),
  hyphenation: (label, i) => (i > 0 ? [`${label.slice(0, i)}-${label.slice(i)}`] : []),
  homoglyph: (label, i) =>
    (GLYPHS[label[i]!] ?? []).map((glyph) => label.slice(0, i) + glyph + label.slice(i + 1)),
};

t.test('squats of what builds use look like it', async (t) => {
  const table = suffixTable();
  const bases = new Set(
    hosts.map((host) => {
      const name = lowerName(nameFromText(host) as Uint8Array);
      return nameToText(name.subarray(registeredDomain(name, table)));
    }),
  );
  const split = [...bases].flatMap((base) => {
    const dot = base.indexOf('.');
    return dot < 0 ? [] : [{ label: base.slice(0, dot), suffix: base.slice(dot + 1), sets: [0] }];
  });
  const index = indexLookAlikes(split, 1);
  for (const [way, squatsOf] of Object.entries(WAYS)) {
    let all = 0;
    const missed: string[] = [];
    for (const { label, suffix } of split) {
      for (let i = 0; i < label.length; i++) {
        for (const squat of squatsOf(label, i)) {
          const text = domainToASCII(`${squat}.${suffix}`);
          // What is approved itself is no squat, and short names are one edit away from everything.
          if (text === '' || bases.has(text) || Math.max(squat.length, label.length) < 6) continue;
          const name = nameFromText(`cdn.${text}`);
          if (!(name instanceof Uint8Array)) continue;
          all++;
          if (findLookAlike(index, Uint32Array.of(0), lowerName(name), 6) === '') missed.push(text);
        }
      }
    }
    t.comment(`${way}: ${all - missed.length} of ${all}`);
    // Numbers and single letters of a name tell hosts of one owner apart.
    t.ok(missed.length <= all / 1_000, `${way}: ${missed.slice(0, 20).join(' ')}`);
  }
});

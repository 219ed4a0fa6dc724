import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { CODES } from '../../src/config/codes.ts';

/** What a source says in the place of a problem code. */
const USES = [
  /\bproblems\.(?:error|warn)\(\s*'([a-z-]+)'/g,
  /\bnew (?:TextFault|PatternFault)\(\s*'([a-z-]+)'/g,
  /\b(?:error|warning|fault|check)\(\s*'([a-z]+(?:-[a-z]+)*)'/g,
  /\bnew Claims\(\s*'([a-z-]+)'/g,
  /\bcode: '([a-z]+-[a-z-]+)'/g,
  /\btell\(\s*'(tls-[a-z-]+)'/g,
  /\b\w+: ProblemCode = '([a-z-]+)'/g,
];

function usedCodes(): Map<string, string> {
  const used = new Map<string, string>();
  for (const room of ['config', 'policy', 'identity', 'assembly', 'cli']) {
    const folder = new URL(`../../src/${room}/`, import.meta.url);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((name) => name.endsWith('.ts') && name !== 'codes.ts')) {
      // Events of the log are no problem codes.
      const source = readFileSync(new URL(file, folder), 'utf8').replace(/\blog\.\w+\([^)]*/g, '');
      for (const use of USES) for (const [, code] of source.matchAll(use)) used.set(code!, `${room}/${file}`);
    }
  }
  return used;
}

t.test('the table of codes and the sources say the same', async (t) => {
  const used = usedCodes();
  const known = new Set<string>(Object.keys(CODES));
  t.same(
    [...used].filter(([code]) => !known.has(code)),
    [],
    'no source uses a code that the table does not have',
  );
  t.same(
    [...known].filter((code) => !used.has(code)),
    [],
    'the table has no code that no source uses',
  );
  t.ok(used.size > 80);
});

t.test('each code is a short word pair with a description', async (t) => {
  for (const [code, description] of Object.entries(CODES)) {
    t.match(code, /^[a-z]+(-[a-z]+)*$/);
    t.ok(description.length > 10 && description.length < 120, code);
  }
});

import t from 'tap';
import { parseScript, run } from './script.ts';

const KNOWN = ['pypi.org', 'crates.io', 'github.com', 'rubygems.org'];
const UPSTREAM = 'every name upstream';

/** What is told of dependencies, in order: what it is about, and for whose identity. */
function told(script: string): string[] {
  const { seen } = run(parseScript(script));
  const open = new Set<string>();
  const lines: string[] = [];
  for (const { identity, key, isOver } of seen) {
    const of = `${identity} ${key}`;
    if (isOver === true ? open.delete(of) : !open.has(of)) {
      lines.push(isOver === true ? `${of} over` : of);
      if (isOver !== true) open.add(of);
    }
  }
  return lines;
}

const all = (what: string, names = KNOWN, more = ''): string =>
  names.map((name) => `${what} ${name} ${more}`).join('\n');
const minute = (what: string, names = KNOWN, more = ''): string =>
  Array.from({ length: 8 }, () => `${all(what, names, more)}\nwait 10s`).join('\n');

const ROWS: readonly (readonly [what: string, script: string, told: readonly string[]])[] = [
  [
    'an upstream that is dead is one finding, and none of its names is blamed',
    `${all('good')}\n${minute('failed')}`,
    [`ci ${UPSTREAM}`],
  ],
  [
    'it is over with the first answer',
    `${all('good')}\n${minute('failed')}\ngood crates.io`,
    [`ci ${UPSTREAM}`, `ci ${UPSTREAM} over`],
  ],
  [
    'NXDOMAIN for one name shows that it is alive',
    `${all('good')}\n${Array.from({ length: 8 }, () => `${all('failed', KNOWN.slice(0, 3))}\nmissing rubygems.org\nwait 10s`).join('\n')}`,
    ['ci pypi.org', 'ci crates.io', 'ci github.com', 'ci rubygems.org'],
  ],
  [
    'what comes out of the cache shows nothing',
    `${all('good')}\n${minute('failed', KNOWN.slice(0, 3))}\n${all('good', KNOWN, 'kept')}`,
    [`ci ${UPSTREAM}`],
  ],
  [
    'two that fail at once are two',
    `${all('good')}\n${minute('failed', KNOWN.slice(0, 2))}`,
    ['ci pypi.org', 'ci crates.io'],
  ],
  [
    'three names of one registered domain are no upstream',
    `${all('good', ['a.pypi.org', 'b.pypi.org', 'c.pypi.org'])}\n${minute('failed', ['a.pypi.org', 'b.pypi.org', 'c.pypi.org'])}`,
    ['ci a.pypi.org', 'ci b.pypi.org', 'ci c.pypi.org'],
  ],
  [
    'another group that answers says nothing for it',
    `${all('good')}\n${Array.from({ length: 8 }, () => `${all('failed')}\ngood corp.example group=1\nwait 10s`).join('\n')}`,
    [`ci ${UPSTREAM}`],
  ],
  [
    'each identity hears of it, and of its end by an answer of another',
    `${all('good')}\n${all('good', KNOWN, 'identity=other')}\n${minute('failed')}\n${minute('failed', KNOWN, 'identity=other')}\ngood pypi.org`,
    [`ci ${UPSTREAM}`, `other ${UPSTREAM}`, `ci ${UPSTREAM} over`, `other ${UPSTREAM} over`],
  ],
  [
    'one that goes on to fail by itself is blamed a minute later, and not before',
    `${all('good')}\n${minute('failed')}\n${all('good', KNOWN.slice(1))}\nfailed pypi.org\nwait 50s\nfailed pypi.org\ngood crates.io\nwait 11s\nfailed pypi.org`,
    [`ci ${UPSTREAM}`, `ci ${UPSTREAM} over`, 'ci pypi.org'],
  ],
  [
    'a restart in it leaves nothing open',
    `${all('good')}\n${minute('failed')}\nrestart\ngood pypi.org`,
    [`ci ${UPSTREAM}`, `ci ${UPSTREAM} over`],
  ],
];

for (const [what, script, lines] of ROWS) t.test(what, async (t) => t.strictSame(told(script), lines));

import t from 'tap';
import { parseScript, run } from './script.ts';

/** Each threshold: at it something is told, and a hair below it is not. */

const attempt = (first: number, second: number, octets: number, pace: string): string =>
  ['a', 'b']
    .map((tag, index) => {
      const label = `${tag}${'x'.repeat(octets - 2)}{i}`;
      return `repeat ${[first, second][index]} every ${pace} deny A ${label}.tunnel.example`;
    })
    // The first of a repeat comes at once.
    .join(`\nwait ${pace}\n`);

const hours = 'repeat 1800 every 0s rate 50\n';
const leases = (count: number, rest: number): string =>
  `repeat ${count} every 1s allow A github.com lease=le-{i}\nwait ${14 * 86_400 - (count - 1) - rest}s\nallow A new.example lease=le-0`;
const storm = (of: number): string =>
  `repeat 199 every 1s missing n{i}.cdn.example\nmissing last.cdn.example of=${of}`;

const ROWS: readonly (readonly [what: string, kind: string, severity: string, at: string, below: string])[] =
  [
    ['octets of a long name', 'attempt', 'medium', attempt(10, 5, 23, '1s'), attempt(10, 5, 22, '1s')],
    ['long names', 'attempt', 'medium', attempt(10, 5, 23, '1s'), attempt(10, 4, 23, '1s')],
    ['time of long names', 'attempt', 'medium', attempt(10, 5, 23, '21s'), attempt(10, 5, 23, '22s')],
    [
      'domains of a sweep in its time',
      'sweep',
      'medium',
      'deny A old.example\nwait 9m\nrepeat 49 every 1s deny A d{i}.example',
      'deny A old.example\nwait 10m\nrepeat 49 every 1s deny A d{i}.example',
    ],
    ['share of a storm', 'nxdomain-storm', 'medium', storm(51), storm(52)],
    [
      'time of a storm',
      'nxdomain-storm',
      'medium',
      'repeat 100 every 1s missing a{i}.cdn.example\nwait 2m\nrepeat 100 every 100ms missing b{i}.cdn.example',
      'repeat 100 every 100ms missing a{i}.cdn.example\nwait 6m\nrepeat 100 every 100ms missing b{i}.cdn.example',
    ],
    ['questions for TXT', 'odd-type', 'low', `${hours}rate 1000 txt=51`, `${hours}rate 1000 txt=50`],
    [
      'memory of an end',
      'after-end',
      'medium',
      'ended le-1 10.0.0.1\nwait 60m\ndeny A a.example',
      'ended le-1 10.0.0.1\nwait 61m\ndeny A a.example',
    ],
    ['days of a first contact', 'first-contact', 'low', leases(20, 0), leases(20, 1)],
    ['leases of a first contact', 'first-contact', 'low', leases(20, 0), leases(19, 0)],
    [
      'an end of an outage by the type that failed',
      'dependency-over',
      '',
      'good a.example\nfailed a.example\nwait 60s\nfailed a.example\ngood a.example',
      'good a.example\ngood a.example type=AAAA\nfailed a.example\nwait 60s\nfailed a.example\ngood a.example type=AAAA',
    ],
  ];

for (const [what, kind, severity, at, below] of ROWS) {
  t.test(what, async (t) => {
    t.equal(run(parseScript(at)).told.get(kind), severity, 'at it');
    t.not(run(parseScript(below)).told.get(kind), severity, 'below it');
  });
}

t.test('an attempt that was told begins anew after a day', async (t) => {
  const told = (more: string): number =>
    run(parseScript(`${attempt(10, 5, 23, '1s')}\nwait 24h\n${more}`)).seen.length;
  t.equal(told('deny A a.tunnel.example'), told('wait 1s'), 'one question more is none');
});

t.test('what a search list makes is noise in an audit too', async (t) => {
  const script = parseScript('search: corp.example\nwould_deny NULL a.corp.example');
  t.equal(run(script).seen.length, 0);
  t.equal(run(parseScript('would_deny NULL a.corp.example')).seen.length, 1);
});

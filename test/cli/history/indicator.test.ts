import t from 'tap';
import { readIndicator } from '../../../src/cli/history/indicator.ts';
import { momentOf, timeSpan } from '../../../src/cli/time-option.ts';

/** A person has an address and a date, written as a flow log, a feed or a colleague writes them. */

t.test('what is looked for is written as the history has it', async (t) => {
  for (const [by, text, value] of [
    ['name', 'WWW.Example.NET.', 'www.example.net'],
    ['name', '*.Example.net', '*.example.net'],
    ['name', '**.example.net.', '**.example.net'],
    ['name', 'evil[.]example', 'evil.example'],
    ['name', 'evil(.)example[.]net', 'evil.example.net'],
    ['name', 'bücher.example', 'xn--bcher-kva.example'],
    ['name', 'a\\.b.example', 'a\\.b.example'],
    ['name', '_dmarc.example', '_dmarc.example'],
    ['name', '.', '.'],
    ['address', '203.0.113.7', '203.0.113.7'],
    ['address', '203[.]0[.]113[.]7', '203.0.113.7'],
    ['address', '2001:0DB8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['address', '[2001:db8::1]', '2001:db8::1'],
  ] as const)
    t.strictSame(readIndicator(by, text), { value }, text);
  for (const [by, text, why] of [
    ['name', 'https://evil.example/x', /is a URL: write its host, evil\.example/],
    ['name', '203.0.113.7', /is an address/],
    ['name', `${'a'.repeat(64)}.example`, /no name/],
    ['address', 'evil.example', /./],
    ['address', '203.0.113.0/24', /./],
    ['address', '203.0.113.7:443', /./],
    ['address', '', /./],
  ] as const) {
    const indicator = readIndicator(by, text);
    t.match('fault' in indicator ? indicator.fault : '', why, text);
  }
});

const NOW = Date.UTC(2026, 10, 29, 12);

t.test('a time is read as people and flow logs write it', async (t) => {
  for (const [text, iso] of [
    ['2026-11-28', '2026-11-28T00:00:00.000Z'],
    ['2026-11-28T09:30:00Z', '2026-11-28T09:30:00.000Z'],
    ['2026-11-28T09:30:00.250Z', '2026-11-28T09:30:00.250Z'],
    ['2026-11-28T09:30+01:00', '2026-11-28T08:30:00.000Z'],
    ['2026-11-28 09:30:00 -0500', '2026-11-28T14:30:00.000Z'],
    ['2026-11-28 09:30', '2026-11-28T09:30:00.000Z'],
    ['2026-11-28 09:30 UTC', '2026-11-28T09:30:00.000Z'],
    ['1795858200', '2026-11-28T09:30:00.000Z'],
    ['1795858200250', '2026-11-28T09:30:00.250Z'],
    ['14d', '2026-11-15T12:00:00.000Z'],
    ['90m', '2026-11-29T10:30:00.000Z'],
  ] as const)
    t.equal(new Date(momentOf(text, NOW) ?? 0).toISOString(), iso, text);
  for (const text of [
    '',
    'yesterday',
    '28.11.2026',
    '2026-02-30',
    '2026-11-28T25:00Z',
    '2026-11-28T09:30 CET',
    '12',
  ])
    t.equal(momentOf(text, NOW), null, text);
});

t.test('a day that ends a span is all of it, and a span that is empty is a mistake', async (t) => {
  t.strictSame(timeSpan({ since: '2026-11-28', until: '2026-11-28' }, NOW), {
    since: Date.UTC(2026, 10, 28),
    until: Date.UTC(2026, 10, 29),
  });
  t.strictSame(timeSpan({}, NOW), { since: 0, until: Number.MAX_SAFE_INTEGER });
  t.match(timeSpan({ since: '2026-11-29', until: '2026-11-28' }, NOW), /is not after --since/);
  t.match(timeSpan({ since: 'noon' }, NOW), /^--since noon: write a time such as/);
  t.match(timeSpan({ until: 'noon' }, NOW), /^--until noon: write a time such as/);
});

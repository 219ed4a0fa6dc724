import fc from 'fast-check';
import t from 'tap';
import { FORMATS } from '../../../src/outbox/formats/format.ts';
import { jsonText } from '../../../src/outbox/formats/json-text.ts';
import { nameFromText, nameToText } from '../../../src/wire/name.ts';
import { amount } from '../../amount.ts';
import { anyEvent, DENY, TIME, wireName } from './events.ts';

const SENT = Date.parse(TIME) + 400;
/** Control, format (bidi too) and separator characters. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

t.test('no text breaks a line, a record or a terminal, and each reads back', async (t) => {
  for (const name of ['json', 'ocsf'] as const) {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const object = FORMATS[name](event, SENT);
        const line = jsonText(object);
        if (HIDDEN.test(line)) throw new Error(`shows ${JSON.stringify(HIDDEN.exec(line)?.[0])}`);
        if (JSON.stringify(JSON.parse(line)) !== JSON.stringify(object)) throw new Error('another value');
      }),
      { numRuns: amount(300, 1_000) },
    );
  }
  t.pass();
});

const characters: readonly [string, string][] = [
  ['\n', '\\n'],
  ['\u001b', '\\u001b'],
  ['\u007f', '\\u007f'],
  ['\u0085', '\\u0085'],
  ['\u009b', '\\u009b'],
  ['\u2028', '\\u2028'],
  ['\u2029', '\\u2029'],
  ['\u202e', '\\u202e'],
  ['\u2066', '\\u2066'],
  ['\u200f', '\\u200f'],
  ['\u061c', '\\u061c'],
  ['\ufeff', '\\ufeff'],
  ['\ud800', '\\ud800'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['é', 'é'],
];
for (const [character, written] of characters) {
  t.test(`U+${character.codePointAt(0)?.toString(16)} is written ${written}`, async (t) => {
    t.equal(jsonText({ a: character }), `{"a":"${written}"}`);
  });
}

t.test('the octets of a name can be had back from its text', async (t) => {
  fc.assert(
    fc.property(wireName, (name) => {
      const line = jsonText(FORMATS.json({ ...DENY, name: nameToText(name) }, SENT));
      const back = nameFromText((JSON.parse(line) as { name: string }).name);
      if (!(back instanceof Uint8Array) || Buffer.compare(back, name) !== 0) throw new Error(line);
    }),
    { numRuns: amount(600, 2_000) },
  );
  t.pass();
});

t.test('format json is flat, in snake_case, with the time of sending', async (t) => {
  const object = FORMATS.json(DENY, SENT);
  t.equal(object['sent'], '2026-11-20T09:30:00.523Z');
  t.strictSame(Object.keys(object).slice(0, 6), ['id', 'seq', 'kind', 'server', 'time', 'sent']);
  for (const [key, value] of Object.entries(object)) {
    t.match(key, /^[a-z][a-z_]*$/);
    if (key !== 'job' && key !== 'certificate') t.not(typeof value, 'object', key);
  }
});

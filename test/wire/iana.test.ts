import t from 'tap';
import { isMetaType, TYPE, typeFromText, typeToText } from '../../src/wire/iana.ts';

t.test('RFC 3597 §5: every type number comes back from its text', async (t) => {
  for (let type = 0; type <= 0xffff; type++) {
    const text = typeToText(type);
    if (typeFromText(text) !== type) t.fail(`${type} is ${text}, which is ${typeFromText(text)}`);
  }
  t.equal(typeToText(1), 'A');
  t.equal(typeToText(65), 'HTTPS');
  t.equal(typeToText(128), 'TYPE128');
  t.equal(typeToText(65_535), 'TYPE65535');
});

t.test('RFC 3597 §5: a mnemonic and its number are one type, in any case', async (t) => {
  for (const [mnemonic, type] of Object.entries(TYPE)) {
    t.equal(typeFromText(mnemonic), type);
    t.equal(typeFromText(mnemonic.toLowerCase()), type);
    t.equal(typeFromText(`type${type}`), type);
  }
  t.equal(typeFromText('cNaMe'), 5);
});

t.test('RFC 3597 §5: what is no type', async (t) => {
  for (const text of [
    '',
    'TYPE',
    'TYPE01',
    'TYPE00',
    'TYPE65536',
    'TYPE99999',
    'TYPE-1',
    'TYPE1.0',
    'TYPE 1',
    ' A',
    'A ',
    'AA',
    '1',
    '*',
    'constructor',
    '__proto__',
    'toString',
    'TYPE\u0661',
  ]) {
    t.equal(typeFromText(text), null, JSON.stringify(text));
  }
});

t.test('RFC 6895 §3.1: meta types', async (t) => {
  const meta = (from: number, to: number, expected: boolean): void => {
    for (let type = from; type <= to; type++) if (isMetaType(type) !== expected) t.fail(`type ${type}`);
  };
  meta(0, 0, true);
  meta(1, 40, false);
  meta(41, 41, true);
  meta(42, 127, false);
  meta(128, 255, true);
  meta(256, 0xffff, false);
});

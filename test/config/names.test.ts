import t from 'tap';
import { readExactName, readPattern, readTarget, toAsciiName } from '../../src/config/names.ts';
import { parseCertificate } from '../../src/config/policy/written-certificate.ts';
import { TextFault } from '../../src/config/problems.ts';
import { patternText } from '../../src/policy/pattern/pattern.ts';
import { nameToText } from '../../src/wire/name.ts';

t.test('U-labels become A-labels one by one, all else stays', async (t) => {
  const cases: [text: string, wanted: string][] = [
    ['github.com', 'github.com'],
    ['GitHub.COM.', 'GitHub.COM.'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['**.Bücher.example.', '**.xn--bcher-kva.example.'],
    ['n{0..9}.bücher.example', 'n{0..9}.xn--bcher-kva.example'],
    ['a\\.b.bücher.example', 'a\\.b.xn--bcher-kva.example'],
    ['faß.example', 'xn--fa-hia.example'],
    ['日本語.example', 'xn--wgv71a119e.example'],
    ['_ü.example', 'xn--_-eha.example'],
    ['１２７.example', '127.example'],
  ];
  for (const [text, wanted] of cases)
    t.same(toAsciiName(text), { text: wanted, converted: text !== wanted }, text);
});

t.test('what is no U-label is refused where it starts', async (t) => {
  const cases: [text: string, offset: number][] = [
    ['日本語。jp', 3],
    ['a.ü*.example', 3],
    ['ü{0..9}.example', 1],
    ['a.\\ü.example', 2],
    ['ü b.example', 1],
    ['xn--ü.example', 4],
    ['a\u200db.example', 1],
    ['\u202eabc.example', 0],
    ['\ud800.example', 0],
    [`${'ü'.repeat(63)}.example`, 0],
    ['\u00ad.example', 0],
    ['ü%41.example', 1],
  ];
  for (const [text, offset] of cases) {
    const fault = toAsciiName(text);
    t.type(fault, TextFault, text);
    if (fault instanceof TextFault) t.same([fault.code, fault.offset], ['name-idn', offset], text);
  }
});

t.test('patterns and exact names', async (t) => {
  const read = readPattern('*.Bücher.example');
  t.equal('pattern' in read ? patternText(read.pattern) : '', '*.xn--bcher-kva.example');
  const name = readExactName('Hello.Example.', 'a record');
  t.equal('name' in name ? nameToText(name.name) : '', 'hello.example');
  for (const text of ['*.x.example', '**.x.example', 'n{0..9}.x.example']) {
    const fault = readExactName(text, 'a record');
    t.equal('code' in fault ? fault.code : '', 'name-exact', text);
  }
  const stray = readPattern('a b.example');
  t.same('code' in stray ? [stray.code, stray.offset] : [], ['pattern-character', 1]);
  t.same(
    readTarget('Mail.Example'),
    Uint8Array.from(Buffer.from('\x04Mail\x07Example\x00')),
    'case stays in RDATA',
  );
  t.type(readTarget('a..b'), TextFault);
});

t.test('certificates in the one form that is compared', async (t) => {
  const good: [text: string, wanted: string][] = [
    ['spiffe://ci.example/payments/build', 'spiffe://ci.example/payments/build'],
    ['spiffe://ci.example/a.b/C_d-1', 'spiffe://ci.example/a.b/C_d-1'],
    ['spiffe://ci.example/payments/*', 'spiffe://ci.example/payments/*'],
    ['spiffe://ci.example/*', 'spiffe://ci.example/*'],
    ['dns:Build.CI.example.', 'dns:build.ci.example'],
    [`sha256:${'AB'.repeat(32)}`, `sha256:${'ab'.repeat(32)}`],
  ];
  for (const [text, wanted] of good) t.equal(parseCertificate(text), wanted);
  const bad: [text: string, offset: number, fix?: string][] = [
    ['spiffe://ci.example', 18],
    ['spiffe://ci.example/', 19],
    ['spiffe://ci.example//a', 20],
    ['spiffe://ci.example/a/', 21],
    ['spiffe://ci.example/a/../b', 22],
    ['spiffe://ci.example/a*', 21, 'write /* at the end, or the path as it is'],
    ['spiffe://ci.example/*/a', 20],
    ['spiffe://ci.example/a/**', 22],
    ['spiffe://ci.example/a/*/', 22],
    ['spiffe://ci.example*', 9],
    ['spiffe://*/a', 9],
    ['spiffe://CI.example/a', 9],
    ['spiffe://ci.example/a?b', 20],
    ['spiffe://ci.example:8443/a', 9],
    ['SPIFFE://ci.example/a', 9],
    ['spiffe:/x', 8],
    [`spiffe://ci.example/${'a'.repeat(2040)}`, 0],
    ['dns:', 4],
    ['dns:*.example', 4],
    ['dns:bücher.example', 4],
    ['sha256:abc', 7],
    [`sha256:${'AB:'.repeat(31)}AB`, 7, `write sha256:${'ab'.repeat(32)}`],
    [`SHA-256:${'ab'.repeat(32)}`, 8, `write sha256:${'ab'.repeat(32)}`],
    ['payments', 0],
    ['', 0],
  ];
  for (const [text, offset, fix] of bad) {
    const fault = parseCertificate(text);
    if (typeof fault === 'string') t.fail(`${text} was read`);
    else {
      t.same([fault.code, fault.offset], ['certificate-form', offset], text);
      if (fix !== undefined) t.equal(fault.fix, fix);
    }
  }
});

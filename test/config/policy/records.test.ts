import { Packet } from 'dns2';
import t from 'tap';
import { parseRdata, parseRecordType } from '../../../src/config/policy/records.ts';
import { TextFault } from '../../../src/config/problems.ts';
import { TYPE } from '../../../src/wire/iana.ts';

function hex(type: number, text: string): string {
  const rdata = parseRdata(type, text);
  return rdata instanceof TextFault
    ? `${rdata.offset} ${rdata.code}: ${rdata.message}`
    : Buffer.from(rdata).toString('hex');
}

/** `one.two` as wire, in hexadecimal digits. */
function name(text: string): string {
  const labels = text.split('.').filter((label) => label !== '');
  return `${labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)]).toString('hex')).join('')}00`;
}

t.test('each type from its presentation form', async (t) => {
  const cases: [type: number, text: string, wanted: string][] = [
    [TYPE.A, '192.0.2.1', 'c0000201'],
    [TYPE.AAAA, '2001:db8::1', '20010db8000000000000000000000001'],
    [TYPE.NS, 'ns.example', name('ns.example')],
    [TYPE.NS, 'ns.example.', name('ns.example')],
    [TYPE.PTR, 'Host.Example', name('Host.Example')],
    [TYPE.PTR, 'a\\.b.example', '03612e62076578616d706c6500'],
    [TYPE.PTR, 'a\\000b.example', '036100620765' + '78616d706c6500'],
    [TYPE.PTR, 'bücher.example', name('xn--bcher-kva.example')],
    [TYPE.MX, '10 mail.example', `000a${name('mail.example')}`],
    [TYPE.MX, '0 .', '000000'],
    [TYPE.SRV, '0 5 5061 sip.example', `0000000513c5${name('sip.example')}`],
    [
      TYPE.NAPTR,
      '100 10 "S" "SIP+D2U" "" _sip._udp.example',
      `0064000a0153075349502b44325500${name('_sip._udp.example')}`,
    ],
    [TYPE.TXT, '"hello world"', '0b68656c6c6f20776f726c64'],
    [TYPE.TXT, '"a" "b"', '01610162'],
    [TYPE.TXT, '"a""b"', '01610162'],
    [TYPE.TXT, 'word', '04776f7264'],
    [TYPE.TXT, '""', '00'],
    [TYPE.TXT, '"q\\"\\\\\\255\\;"', '05' + '71225cff3b'],
    [TYPE.TXT, '"ü"', '02c3bc'],
    [TYPE.TXT, `"${'x'.repeat(255)}"`, `ff${'78'.repeat(255)}`],
    [TYPE.HINFO, 'cpu os', '0363707502' + '6f73'],
    [
      TYPE.CAA,
      '0 issue "ca.example; x=y"',
      `00056973737565${Buffer.from('ca.example; x=y').toString('hex')}`,
    ],
    [TYPE.URI, '10 1 "https://a.example/"', `000a0001${Buffer.from('https://a.example/').toString('hex')}`],
    [TYPE.TLSA, '3 1 1 0123 45aB', '030101012345ab'],
    [TYPE.SSHFP, '4 2 abcd', '0402abcd'],
    [TYPE.DS, '12345 13 2 00ff', '30390d0200ff'],
    [TYPE.DNSKEY, '257 3 13 AAEC', '0101030d000102'],
    [TYPE.OPENPGPKEY, 'AAEC Aw==', '00010203'],
    // RFC 9460 Appendix D.
    [TYPE.HTTPS, '0 foo.example.com', `0000${name('foo.example.com')}`],
    [TYPE.SVCB, '1 .', '000100'],
    [TYPE.SVCB, '16 foo.example.com port=53', `0010${name('foo.example.com')}000300020035`],
    [TYPE.SVCB, '1 foo.example.com key667=hello', `0001${name('foo.example.com')}029b000568656c6c6f`],
    [
      TYPE.SVCB,
      '1 foo.example.com key667="hello\\210qoo"',
      `0001${name('foo.example.com')}029b000968656c6c6fd2716f6f`,
    ],
    [
      TYPE.SVCB,
      '1 foo.example.com ipv6hint="2001:db8::1,2001:db8::53:1"',
      `0001${name('foo.example.com')}0006002020010db800000000000000000000000120010db8000000000000000000530001`,
    ],
    [
      TYPE.SVCB,
      '16 foo.example.org alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1',
      `0010${name('foo.example.org')}0000000400010004000100090268320568332d313900040004c0000201`,
    ],
    [
      TYPE.SVCB,
      '16 foo.example.org alpn="f\\\\\\\\oo\\\\,bar,h2"',
      `0010${name('foo.example.org')}0001000c08665c6f6f2c626172026832`,
    ],
    [
      TYPE.SVCB,
      '16 foo.example.org alpn=f\\\\\\092oo\\092,bar,h2',
      `0010${name('foo.example.org')}0001000c08665c6f6f2c626172026832`,
    ],
    [
      TYPE.HTTPS,
      '1 . no-default-alpn alpn=h3 ech=AAEC',
      '000100' + '00010003026833' + '00020000' + '00050003000102',
    ],
    // RFC 3597.
    [62_347, '\\# 4 0a000001', '0a000001'],
    [62_347, '\\# 0', ''],
    [62_347, '\\# 3 ab cd ef', 'abcdef'],
    [TYPE.A, '\\# 4 c0000201', 'c0000201'],
    [TYPE.MX, `\\# 4 000a 0161`.replace('4', '5').replace('0161', '016100'), '000a016100'],
  ];
  for (const [type, text, wanted] of cases) t.equal(hex(type, text), wanted, `${type} ${text}`);
});

t.test('what a type does not have is refused where it stands', async (t) => {
  const cases: [type: number, text: string, offset: number][] = [
    [TYPE.A, '192.0.2', 0],
    [TYPE.A, '192.0.2.1 192.0.2.2', 10],
    [TYPE.A, '2001:db8::1', 0],
    [TYPE.A, '', 0],
    [TYPE.A, '\\# 3 c00002', 0],
    [TYPE.AAAA, '192.0.2.1', 0],
    [TYPE.AAAA, 'fe80::1%eth0', 0],
    [TYPE.MX, '10', 2],
    [TYPE.MX, 'mail.example', 0],
    [TYPE.MX, '65536 mail.example', 0],
    [TYPE.MX, '10 a..b', 5],
    [TYPE.MX, '10 mail.example extra', 16],
    [TYPE.MX, '\\# 3 000a01', 0],
    [TYPE.PTR, `${'a'.repeat(64)}.example`, 63],
    [TYPE.TXT, 'hello world', 6],
    [TYPE.TXT, '"a" b', 4],
    [TYPE.TXT, '"a', 0],
    [TYPE.TXT, '"a\\', 2],
    [TYPE.TXT, '"a\\256"', 2],
    [TYPE.TXT, '"a\\9"', 2],
    [TYPE.TXT, `"${'x'.repeat(256)}"`, 0],
    [TYPE.TXT, '', 0],
    [TYPE.CAA, '0 is-sue "x"', 2],
    [TYPE.CAA, '256 issue "x"', 0],
    [TYPE.TLSA, '3 1 1 012', 6],
    [TYPE.TLSA, '3 1 1', 5],
    [TYPE.DS, '1 2 3 xyz', 6],
    [TYPE.DNSKEY, '257 3 13 A', 9],
    [TYPE.HTTPS, '0 . alpn=h2', 4],
    [TYPE.HTTPS, '1 . foo=bar', 4],
    [TYPE.HTTPS, '1 . key65535=x', 4],
    [TYPE.HTTPS, '1 . port=1 key3=x', 11],
    [TYPE.HTTPS, '1 . port=x', 4],
    [TYPE.HTTPS, '1 . port=65536', 4],
    [TYPE.HTTPS, '1 . ipv4hint=2001:db8::1', 4],
    [TYPE.HTTPS, '1 . ipv4hint=', 4],
    [TYPE.HTTPS, '1 . alpn=', 4],
    [TYPE.HTTPS, '1 . alpn=h2,,h3', 4],
    [TYPE.HTTPS, '1 . no-default-alpn=x alpn=h2', 4],
    [TYPE.HTTPS, '1 . no-default-alpn', 4],
    [TYPE.HTTPS, '1 . mandatory=alpn', 4],
    [TYPE.HTTPS, '1 . mandatory=mandatory', 4],
    [TYPE.HTTPS, '1 . mandatory=alpn,alpn alpn=h2', 4],
    [TYPE.HTTPS, '1 . ech=!', 4],
    [62_347, 'something', 0],
    [62_347, '\\# 4 0a0000', 5],
    [62_347, '\\# x', 3],
    [62_347, '\\#', 2],
    [62_347, `\\# 60001 ${'00'.repeat(60_001)}`, 0],
  ];
  for (const [type, text, offset] of cases) {
    const fault = parseRdata(type, text);
    t.type(fault, TextFault, `${type} ${text.slice(0, 60)}`);
    if (fault instanceof TextFault)
      t.equal(fault.offset, offset, `${type} ${text.slice(0, 60)}: ${fault.message}`);
  }
  const fault = parseRdata(TYPE.TXT, 'v=spf1 -all');
  t.equal(fault instanceof TextFault ? fault.fix : '', `write '"v=spf1 -all"' for one string`);
});

t.test('types of records', async (t) => {
  t.equal(parseRecordType('aaaa'), TYPE.AAAA);
  t.equal(parseRecordType('TYPE65'), TYPE.HTTPS);
  t.equal(parseRecordType('TYPE62347'), 62_347);
  const cases: [text: string, code: string, fix: RegExp][] = [
    ['CNAME', 'record-type', /redirect/],
    ['TYPE5', 'record-type', /redirect/],
    ['DNAME', 'record-type', /redirect/],
    ['SOA', 'record-type', /SOA/],
    ['RRSIG', 'record-type', /signed/],
    ['NSEC3', 'record-type', /signed/],
    ['ANY', 'type-meta', /mnemonic/],
    ['AXFR', 'type-meta', /mnemonic/],
    ['OPT', 'type-meta', /mnemonic/],
    ['TYPE0', 'type-meta', /mnemonic/],
    ['TYPE65536', 'type-unknown', /mnemonic/],
    ['A6', 'type-unknown', /mnemonic/],
    ['', 'type-unknown', /mnemonic/],
  ];
  for (const [text, code, fix] of cases) {
    const fault = parseRecordType(text);
    t.equal(fault instanceof TextFault ? fault.code : '', code, text);
    if (fault instanceof TextFault) t.match(fault.fix, fix);
  }
});

t.test('RDATA owns its memory', async (t) => {
  for (const [type, text] of [
    [TYPE.A, '192.0.2.1'],
    [TYPE.TXT, '"x"'],
    [9_999, '\\# 1 ff'],
  ] as const) {
    const rdata = parseRdata(type, text) as Uint8Array;
    t.equal(rdata.buffer.byteLength, rdata.length, text);
  }
});

t.test('dns2 reads what we write', async (t) => {
  const cases: [type: number, text: string, wanted: object][] = [
    [TYPE.A, '192.0.2.1', { address: '192.0.2.1' }],
    [TYPE.NS, 'ns.example', { ns: 'ns.example' }],
    [TYPE.PTR, 'host.example', { domain: 'host.example' }],
    [TYPE.MX, '10 mail.example', { priority: 10, exchange: 'mail.example' }],
    [TYPE.SRV, '1 2 3 sip.example', { priority: 1, weight: 2, port: 3, target: 'sip.example' }],
    [TYPE.TXT, '"hello world"', { data: ['hello world'] }],
    [TYPE.CAA, '128 issue "ca.example"', { flags: 128, tag: 'issue', value: 'ca.example' }],
  ];
  for (const [type, text, wanted] of cases) {
    const rdata = parseRdata(type, text) as Uint8Array;
    const header = Buffer.from('000180000000000100000000', 'hex');
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(type, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt16BE(rdata.length, 8);
    const { answers } = Packet.parse(
      Buffer.concat([header, Buffer.from(name('a.example'), 'hex'), fixed, rdata]),
    );
    t.match(answers[0], wanted, text);
  }
});

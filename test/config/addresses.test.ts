import { isIPv6 as isIPv6OfNode } from 'node:net';
import t from 'tap';
import { addressOctets, isIPv6, parseAddress, parsePrefix, wordsToText } from '../../src/config/addresses.ts';
import { TextFault } from '../../src/config/problems.ts';
import { parseListener, parseMetrics, parseServer, URL_FORM } from '../../src/config/server/endpoint.ts';

t.test('prefixes, and addresses as their own prefix', async (t) => {
  const cases: [text: string, family: 4 | 6, words: number[], length: number][] = [
    ['10.20.0.0/16', 4, [0x0a14_0000], 16],
    ['192.0.2.1', 4, [0xc000_0201], 32],
    ['0.0.0.0/0', 4, [0], 0],
    ['255.255.255.255/32', 4, [0xffff_ffff], 32],
    ['128.0.0.0/1', 4, [0x8000_0000], 1],
    ['2001:db8:20::/48', 6, [0x2001_0db8, 0x0020_0000, 0, 0], 48],
    ['::1', 6, [0, 0, 0, 1], 128],
    ['::/0', 6, [0, 0, 0, 0], 0],
    ['fe80::/10', 6, [0xfe80_0000, 0, 0, 0], 10],
    ['2001:db8::ffff:0:0:0/80', 6, [0x2001_0db8, 0, 0xffff_0000, 0], 80],
    ['64:ff9b::192.0.2.1', 6, [0x0064_ff9b, 0, 0, 0xc000_0201], 128],
  ];
  for (const [text, family, words, length] of cases)
    t.same(parsePrefix(text), { family, words, length }, text);
});

t.test('an IPv6 address is what it is to Node', async (t) => {
  const pieces = [
    ':',
    '::',
    '0',
    '1',
    'ffff',
    '00001',
    'g',
    '.',
    '1.2.3.4',
    '256',
    '%',
    'eth0',
    '/',
    '\0',
    ' ',
    '[',
    'FE80',
  ];
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  let good = 0;
  for (let i = 0; i < 20_000; i++) {
    // Half of them are eight groups, of which some are left out or wrong.
    const text =
      i % 2 === 0
        ? Array.from({ length: 1 + next(7) }, () => pieces[next(pieces.length)]).join('')
        : Array.from({ length: 6 + next(4) }, () => (next(9) === 0 ? '' : next(0x1_0fff).toString(16))).join(
            ':',
          ) + (next(5) === 0 ? pieces[next(pieces.length)] : '');
    if (isIPv6(text)) good++;
    if (isIPv6(text) !== isIPv6OfNode(text)) t.equal(isIPv6(text), isIPv6OfNode(text), JSON.stringify(text));
  }
  t.ok(good > 500 && good < 15_000, `${good} are addresses`);
});

t.test('what is no prefix says what to write', async (t) => {
  const cases: [text: string, code: string, offset: number, fix: RegExp][] = [
    ['10.20.0.1/16', 'prefix-host-bits', 0, /^write 10\.20\.0\.0\/16 for the whole prefix, or 10\.20\.0\.1 /],
    ['10.0.0.1/0', 'prefix-host-bits', 0, /^write 0\.0\.0\.0\/0 /],
    ['2001:db8::1/64', 'prefix-host-bits', 0, /^write 2001:db8::\/64 /],
    ['::ffff:10.0.0.1', 'prefix-mapped', 0, /^write 10\.0\.0\.1$/],
    ['::ffff:10.0.0.0/104', 'prefix-mapped', 0, /^write 10\.0\.0\.0\/8$/],
    ['::ffff:0:0/96', 'prefix-mapped', 0, /^write 0\.0\.0\.0\/0$/],
    ['10.0.0.0/33', 'prefix-form', 9, /^write a length from 0 to 32$/],
    ['10.0.0.0/', 'prefix-form', 9, /^write a length/],
    ['10.0.0.0/08', 'prefix-form', 9, /^write a length/],
    ['::/129', 'prefix-form', 3, /^write a length from 0 to 128$/],
    ['10.0.0.0/255.0.0.0', 'prefix-form', 9, /^write 10\.0\.0\.0\/8$/],
    ['10.0.0.0/255.0.255.0', 'prefix-form', 9, /^write a length/],
    ['10.1/16', 'address-form', 0, /^write an address/],
    ['010.0.0.1', 'address-form', 0, /^write an address/],
    ['0x0a.0.0.1', 'address-form', 0, /^write an address/],
    ['10.0.0.256', 'address-form', 0, /^write an address/],
    ['10.0.0.1-10.0.0.9', 'address-form', 0, /^write an address/],
    ['fe80::1%eth0', 'address-form', 7, /^write fe80::1$/],
    ['[::1]', 'address-form', 0, /^write ::1$/],
    ['1::2::3', 'address-form', 0, /^write an address/],
    ['github.com', 'address-form', 0, /^write an address/],
    ['', 'address-form', 0, /^write an address/],
  ];
  for (const [text, code, offset, fix] of cases) {
    const fault = parsePrefix(text);
    if (!(fault instanceof TextFault)) t.fail(`${text} was read`);
    else {
      t.same([fault.code, fault.offset], [code, offset], text);
      t.match(fault.fix, fix, text);
    }
  }
});

t.test('addresses go to octets and back to RFC 5952 text', async (t) => {
  for (const text of ['192.0.2.1', '2001:db8::1', '::', '::1', '2001:db8:0:1:1:1:1:1', 'fe80::1']) {
    const address = parseAddress(text);
    if (address instanceof TextFault) throw new Error(text);
    t.equal(wordsToText(address), text);
    t.equal(addressOctets(address).length, address.family === 4 ? 4 : 16);
  }
  const long = parseAddress('2001:0DB8:0:0:0:0:0:1');
  t.equal(long instanceof TextFault ? '' : wordsToText(long), '2001:db8::1');
});

t.test('URLs of listeners, servers and metrics', async (t) => {
  const good: [parse: typeof parseListener, text: string, wanted: string][] = [
    [parseListener, 'udp://127.0.0.1:5300', 'udp 127.0.0.1 5300'],
    [parseListener, 'tcp://[::1]', 'tcp ::1 53'],
    [parseListener, 'udp://0.0.0.0:0', 'udp 0.0.0.0 0'],
    [parseListener, 'udp://[::]:53', 'udp :: 53'],
    [parseServer, 'udp://192.0.2.53', 'udp 192.0.2.53 53'],
    [parseServer, 'tcp://[2001:DB8:0::53]:5353', 'tcp 2001:db8::53 5353'],
    [parseServer, 'tls://192.0.2.54#dns.example', 'tls 192.0.2.54 853 dns.example'],
    [parseServer, 'tls://[2001:db8::54]:8853#dns.example', 'tls 2001:db8::54 8853 dns.example'],
    [parseMetrics, 'http://127.0.0.1:9153', 'http 127.0.0.1 9153'],
    [parseMetrics, 'http://[::1]', 'http ::1 9153'],
  ];
  for (const [parse, text, wanted] of good) {
    const url = parse(text);
    if (url instanceof TextFault) {
      t.fail(`${text}: ${url.message}`);
      continue;
    }
    t.equal([url.scheme, url.host, url.port, url.name ?? ''].join(' ').trim(), wanted, text);
    const form =
      parse === parseListener ? URL_FORM.listen : parse === parseServer ? URL_FORM.server : URL_FORM.metrics;
    t.match(text, new RegExp(form), 'editors accept it');
  }
  const bad: [parse: typeof parseListener, text: string, code: string, offset: number, fix: RegExp][] = [
    [parseListener, 'quic://127.0.0.1:853', 'url-unsupported', 0, /./],
    [parseListener, 'https://127.0.0.1', 'url-unsupported', 0, /./],
    [parseListener, '127.0.0.1:5300', 'url-form', 0, /^write udp:\/\/127\.0\.0\.1:5300$/],
    [parseListener, '::1', 'url-form', 0, /^write udp:\/\/\[::1\]$/],
    [parseListener, 'UDP://127.0.0.1', 'url-form', 0, /^write udp:\/\/$/],
    [parseListener, 'udp://127.0.0.1:65536', 'url-form', 16, /port/],
    [parseListener, 'udp://127.0.0.1:053', 'url-form', 16, /port/],
    [parseListener, 'udp://127.0.0.1:', 'url-form', 6, /./],
    [parseListener, 'udp://127.0.0.1/', 'url-form', 6, /^write udp:\/\/127\.0\.0\.1$/],
    [parseListener, 'udp://::1:53', 'url-form', 6, /./],
    [parseListener, 'udp://[127.0.0.1]', 'url-form', 6, /./],
    [parseListener, 'udp://[fe80::1%eth0]:53', 'url-form', 6, /./],
    [parseListener, 'udp://localhost:53', 'url-form', 6, /^write udp:\/\/127\.0\.0\.1:53$/],
    [parseListener, 'udp://127.0.0.1#x', 'url-form', 15, /^remove #x$/],
    [parseListener, 'udp://224.0.0.251:5353', 'url-form', 6, /./],
    [parseListener, 'udp://user@127.0.0.1', 'url-form', 6, /./],
    [parseListener, '', 'url-form', 0, /^write udp/],
    [parseServer, 'udp://0.0.0.0', 'url-form', 6, /one machine/],
    [parseServer, 'udp://[ff02::fb]', 'url-form', 6, /one machine/],
    [parseServer, 'udp://192.0.2.53:0', 'url-form', 0, /port/],
    [parseServer, 'udp://dns.example', 'url-form', 6, /^write udp:\/\/192\.0\.2\.53$/],
    [parseServer, 'udp://[::ffff:192.0.2.1]', 'url-form', 6, /^write udp:\/\/192\.0\.2\.1$/],
    [parseServer, 'https://dns.example/dns-query', 'url-unsupported', 0, /tls:\/\//],
    [parseMetrics, 'https://127.0.0.1', 'url-form', 0, /^write http:/],
    [parseMetrics, '127.0.0.1:9153', 'url-form', 0, /^write http:\/\/127\.0\.0\.1:9153$/],
  ];
  for (const [parse, text, code, offset, fix] of bad) {
    const fault = parse(text);
    if (!(fault instanceof TextFault)) t.fail(`${text} was read`);
    else {
      t.same([fault.code, fault.offset], [code, offset], text);
      t.match(fault.fix, fix, text);
    }
  }
});

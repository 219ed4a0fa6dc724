import { networkInterfaces } from 'node:os';
import t from 'tap';
import { isHere, listenerTarget } from '../../../src/cli/query/listener-target.ts';
import { parseTarget, targetText } from '../../../src/cli/query/target.ts';

t.test('addresses with and without a port', async (t) => {
  const good: readonly [string, string, number][] = [
    ['192.0.2.53', '192.0.2.53', 53],
    ['192.0.2.53:5300', '192.0.2.53', 5300],
    ['2001:db8::53', '2001:db8::53', 53],
    ['[2001:db8::53]', '2001:db8::53', 53],
    ['[2001:db8::53]:65535', '2001:db8::53', 65_535],
    ['::1', '::1', 53],
  ];
  for (const [text, host, port] of good) t.same(parseTarget(text, 53), { host, port }, text);
  t.same(parseTarget('192.0.2.53', 0), { host: '192.0.2.53', port: 0 }, 'a default of 0 stands for no port');
  t.equal(targetText({ host: '::1', port: 53 }), '[::1]:53');
  t.equal(targetText({ host: '127.0.0.1', port: 53 }), '127.0.0.1:53');
});

t.test('what is no address says what to write', async (t) => {
  const bad: readonly [string, RegExp][] = [
    ['localhost', /127\.0\.0\.1/],
    ['localhost:53', /127\.0\.0\.1/],
    ['dns.example:53', /write an address/],
    ['udp://127.0.0.1:53', /write an address/],
    ['192.0.2.53:0', /from 1 to 65535/],
    ['192.0.2.53:65536', /from 1 to 65535/],
    ['192.0.2.53:', /write an address/],
    ['192.0.2.53:53x', /write an address/],
    ['[192.0.2.53]:53', /write an address/],
    ['2001:db8::53:99999', /write an address/],
    ['', /write an address/],
    ['010.0.0.1', /write an address/],
  ];
  for (const [text, said] of bad) {
    const target = parseTarget(text, 53);
    t.type(target, 'string', text);
    t.match(target, said, text);
  }
});

t.test('the listener that is asked from this machine', async (t) => {
  const listen = [
    { protocol: 'tcp', host: '0.0.0.0', port: 5301 },
    { protocol: 'udp', host: '127.0.0.1', port: 0 },
    { protocol: 'udp', host: '::', port: 5300 },
    { protocol: 'udp', host: '192.0.2.1', port: 53 },
  ] as const;
  t.same(listenerTarget(listen, 'udp'), { host: '::1', port: 5300 }, 'port 0 is known to nobody');
  t.same(listenerTarget(listen, 'tcp'), { host: '127.0.0.1', port: 5301 });
  t.equal(listenerTarget(listen.slice(0, 2), 'udp'), null);
});

t.test('addresses of this machine', async (t) => {
  const own = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', ...own]) t.ok(isHere(host), host);
  for (const host of ['192.0.2.1', '2001:db8::1', '12.7.0.1']) t.notOk(isHere(host), host);
});

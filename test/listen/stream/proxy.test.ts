import t, { type Test } from 'tap';
import { MAX_PROXY_HEADER, readProxyHeader } from '../../../src/listen/stream/proxy.ts';
import type { StreamCounters } from '../../../src/listen/stream/stream-limits.ts';
import { type TcpOptions, tcp } from '../../../src/listen/stream/tcp.ts';
import { addressText } from '../../../src/socket/address-words.ts';
import { crc32c } from '../crc32c.ts';
import { Echo, framed, query, StreamClient, until } from '../echo.ts';
import { rig } from './tls-rig.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FROM = [{ family: 4 as const, words: [0x7f000002], length: 32 }];
const BALANCER = '127.0.0.2';

/** Source 192.0.2.7, destination 192.0.2.53. */
const V4 = Buffer.from('c0000207c0000235abcd0035', 'hex');
const V6 = Buffer.from(`${'20010db8000000000000000000000007'.padEnd(64, '0')}abcd0035`, 'hex');

function header(command: number, family: number, payload: Buffer): Buffer {
  const fixed = Buffer.from([command, family, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([SIGNATURE, fixed, payload]);
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value]);
}

function checked(payload: Buffer): Buffer {
  const whole = header(0x21, 0x11, Buffer.concat([payload, tlv(3, Buffer.alloc(4))]));
  whole.writeUInt32BE(crc32c(whole), whole.length - 4);
  return whole;
}

t.test('what a header says', async (t) => {
  const whole = (octets: Buffer) => {
    const read = readProxyHeader(Buffer.concat([octets, Buffer.from('more')]));
    t.equal(read.kind === 'whole' && read.octets, octets.length);
    return read.kind === 'whole' ? read.source && addressText(read.source) : read.kind;
  };
  t.equal(whole(header(0x21, 0x11, V4)), '192.0.2.7');
  t.equal(whole(header(0x21, 0x21, V6)), '2001:db8::7');
  t.equal(whole(header(0x20, 0x00, Buffer.alloc(0))), null, 'LOCAL');
  t.equal(whole(header(0x20, 0x11, V4)), null, 'LOCAL with addresses, which do not count');
  t.equal(
    whole(header(0x21, 0x11, Buffer.concat([V4, tlv(4, Buffer.alloc(40)), tlv(0xea, Buffer.alloc(0))]))),
    '192.0.2.7',
  );
  t.match(readProxyHeader(header(0x21, 0x11, V4)), { port: V4.readUInt16BE(8) });
  t.match(readProxyHeader(header(0x21, 0x21, V6)), { port: V6.readUInt16BE(32) });
  t.match(readProxyHeader(header(0x20, 0x11, V4)), { port: 0 }, 'LOCAL');
  t.equal(whole(checked(V4)), '192.0.2.7');
  t.equal(whole(checked(Buffer.concat([V4, tlv(5, Buffer.from('id'))]))), '192.0.2.7');
  t.equal(
    whole(header(0x21, 0x11, Buffer.concat([V4, tlv(4, Buffer.alloc(520 - 3))]))),
    '192.0.2.7',
    '536 octets',
  );
});

t.test('what is no header', async (t) => {
  const wrong = checked(V4);
  wrong[20]! ^= 1;
  const cases: [name: string, octets: Buffer][] = [
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.53 43981 53\r\n')],
    ['a DNS message', framed(query(1))],
    ['a TLS record', Buffer.from([0x16, 3, 1, 0, 5])],
    ['version 3', header(0x31, 0x11, V4)],
    ['command 2', header(0x22, 0x11, V4)],
    ['UNSPEC', header(0x21, 0x00, Buffer.alloc(0))],
    ['UDP over IPv4', header(0x21, 0x12, V4)],
    ['a unix socket', header(0x21, 0x31, Buffer.alloc(216))],
    ['addresses cut', header(0x21, 0x21, V4)],
    ['a TLV cut in its length', header(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0])]))],
    ['a TLV longer than the header', header(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 9, 1])]))],
    ['a wrong CRC32c', wrong],
    ['a CRC32c of three octets', header(0x21, 0x11, Buffer.concat([V4, tlv(3, Buffer.alloc(3))]))],
    ['two of them', header(0x21, 0x11, Buffer.concat([checked(V4).subarray(16), tlv(3, Buffer.alloc(4))]))],
    ['too long', header(0x21, 0x11, Buffer.alloc(MAX_PROXY_HEADER))],
  ];
  for (const [name, octets] of cases) t.equal(readProxyHeader(octets).kind, 'bad', name);
});

t.test('a header in pieces is partial until it is whole, and bad as soon as it is', async (t) => {
  const octets = checked(V4);
  for (let end = 0; end < octets.length; end++)
    t.equal(readProxyHeader(octets.subarray(0, end)).kind, 'partial');
  t.equal(readProxyHeader(Buffer.from('P')).kind, 'bad');
  t.equal(
    readProxyHeader(header(0x21, 0x11, Buffer.alloc(MAX_PROXY_HEADER)).subarray(0, 16)).kind,
    'bad',
    'before it comes',
  );
});

async function plain(t: Test, options: Partial<TcpOptions> = {}) {
  const echo = new Echo();
  const notices: unknown[] = [];
  const listener = tcp({
    host: '127.0.0.1',
    port: 0,
    answerer: echo,
    notice: (n) => notices.push(n),
    perClient: 1000,
    proxyFrom: FROM,
    ...options,
  });
  t.teardown(() => listener.close(0));
  await listener.start();
  const dial = async (localAddress = BALANCER): Promise<StreamClient> => {
    const client = await StreamClient.dial(listener.address.port, { localAddress });
    t.teardown(() => client.close());
    return client;
  };
  return { echo, notices, dial, counters: listener.counters as StreamCounters, listener };
}

t.test('TCP: the header says who the client is, whole, in pieces, with what follows', async (t) => {
  const { echo, dial, counters } = await plain(t);
  const together = await dial();
  together.socket.write(Buffer.concat([header(0x21, 0x11, V4), framed(query(1), query(2))]));
  t.equal(await together.nextId(), 1);
  t.equal(await together.nextId(), 2);
  const pieces = await dial();
  for (const octet of Buffer.concat([header(0x21, 0x21, V6), framed(query(3))])) {
    pieces.socket.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(await pieces.nextId(), 3);
  pieces.send(query(4));
  t.equal(await pieces.nextId(), 4);
  const local = await dial();
  local.socket.write(Buffer.concat([header(0x20, 0, Buffer.alloc(0)), framed(query(5))]));
  t.equal(await local.nextId(), 5);
  const other = await dial('127.0.0.3');
  other.send(query(6));
  t.equal(await other.nextId(), 6, 'who is no balancer is served without');
  t.same(
    echo.clients.map(({ words }) => words[0]!.toString(16)),
    ['c0000207', 'c0000207', '20010db8', '20010db8', '7f000002', '7f000003'],
  );
  t.match(counters, { accepted: 4, proxy: 0, received: 6, malformed: 0 });
});

t.test('TCP: no header, a bad one, half of one, and one from a stranger', async (t) => {
  const { echo, dial, counters, notices } = await plain(t);
  for (const octets of [
    framed(query(1)),
    Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n'),
    header(0x21, 0x12, V4),
  ]) {
    const one = await dial();
    one.socket.write(octets);
    await one.over;
  }
  const gone = await dial();
  gone.socket.end(header(0x21, 0x11, V4).subarray(0, 20));
  await gone.over;
  t.match(counters, { proxy: 4, late: 0 });
  t.same(
    notices,
    [
      'no PROXY v2 signature',
      'a family or protocol that is not TCP over IP',
      'a connection that ended within the header',
    ].map((reason) => ({ kind: 'proxy', client: BALANCER, reason, count: 1 })),
    'each reason once a minute',
  );
  const hasty = await plain(t, { limits: { handshakeMs: 100, messageMs: 200 } });
  const slow = await hasty.dial();
  slow.socket.write(header(0x21, 0x11, V4).subarray(0, 20));
  await slow.over;
  t.match(hasty.counters, { proxy: 0, late: 1 });
  const stranger = await dial('127.0.0.3');
  stranger.socket.write(Buffer.concat([header(0x21, 0x11, V4), framed(query(2))]));
  await stranger.over;
  t.equal(echo.clients.length, 0, 'nothing of all that was answered');
});

t.test('caps count by the client that the header names', async (t) => {
  const { dial, counters, notices } = await plain(t, { clients: 40, perClient: 2 });
  const open = async (source: number): Promise<StreamClient> => {
    const one = await dial();
    const addresses = Buffer.from(V4);
    addresses[3] = source;
    one.socket.write(Buffer.concat([header(0x21, 0x11, addresses), framed(query(source))]));
    return one;
  };
  for (const source of [1, 1, 2, 2, 3, 4, 5, 6]) t.equal(await (await open(source)).nextId(), source);
  const third = await open(1);
  await third.over;
  t.equal(counters.refusedClient, 1);
  t.match(notices, [{ kind: 'refused', cap: 'client', client: '192.0.2.1' }]);
});

t.test('sockets that wait for a header have a quarter of the places', async (t) => {
  const { dial, counters } = await plain(t, { clients: 16, perClient: 16 });
  const silent = await Promise.all(Array.from({ length: 12 }, () => dial()));
  await until(() => counters.evicted === 8);
  const one = await dial('127.0.0.3');
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  for (const { socket } of silent) socket.destroy();
});

t.test('TLS: the header stands in front of the handshake', async (t) => {
  const { dial, echo, counters, raw } = await rig(t, { proxyFrom: FROM, limits: { handshakeMs: 300 } });
  const one = await dial({ localAddress: BALANCER, before: header(0x21, 0x11, V4) });
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  const local = await dial({ localAddress: BALANCER, before: header(0x20, 0, Buffer.alloc(0)) });
  local.send(query(2));
  t.equal(await local.nextId(), 2);
  const other = await dial({ localAddress: '127.0.0.3' });
  other.send(query(3));
  t.equal(await other.nextId(), 3);
  t.same(
    echo.clients.map(({ words }) => words[0]),
    [0xc0000207, 0x7f000002, 0x7f000003],
  );
  await t.rejects(dial({ localAddress: BALANCER }), 'a balancer without a header');
  await t.rejects(
    dial({ localAddress: '127.0.0.3', before: header(0x21, 0x11, V4) }),
    'a header from a stranger',
  );
  const silent = await raw({ localAddress: BALANCER });
  silent.socket.write(header(0x21, 0x11, V4));
  await silent.over;
  t.match(counters, { proxy: 1, failed: 1, late: 1, handshakes: 3 });
});

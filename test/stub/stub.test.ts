import t from 'tap';
import { running } from '../clock.ts';
import { dot, ede, opt, pause, query, rcode, replyTo, type Seen, start, until } from './peers.ts';

const PADDING = 12;
const KEEPALIVE = 11;

/** Options of the OPT at the end of a query without other records, by code. */
function optionsOf({ octets, query }: Seen): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = query.questionEnd + 11; at < octets.length; ) {
    const end = at + 4 + octets.readUInt16BE(at + 2);
    options.set(octets.readUInt16BE(at), octets.subarray(at + 4, end));
    at = end;
  }
  return options;
}

t.test('answers over UDP and TCP, on one connection, under IDs of its own', async (t) => {
  const server = await dot(t);
  const { ask, dial, lines } = await start(t, [server.address]);
  const url = `tls://127.0.0.1:${server.port}#dns.example`;
  t.match(lines.at(-1), { level: 'info', event: 'ready', fields: { server: url } });
  for (let i = 0; i < 20; i++) {
    const asked = query(7, `N${i}.example`);
    const reply = await ask(asked);
    t.strictSame(reply, replyTo({ ...server.seen.at(-1)!, octets: asked }), 'the reply but for the ID');
    t.strictSame(server.seen.at(-1)?.octets.subarray(2), asked.subarray(2), 'the query but for the ID');
  }
  const client = await dial();
  client.send(query(1, 'a.example'), query(2, 'b.example'));
  const ids = [await client.next(), await client.next()].map((reply) => reply?.readUInt16BE(0));
  t.same(ids.sort(), [1, 2]);
  t.equal(server.connections(), 1);
  t.equal([...server.sockets][0]?.alpnProtocol, 'dot');
  t.ok(new Set(server.seen.map(({ id }) => id)).size > 18, 'IDs are drawn');
});

t.test('answers come back in any order', async (t) => {
  const held: (() => void)[] = [];
  const server = await dot(t, (seen, send) => {
    held.unshift(() => send(replyTo(seen)));
    if (held.length === 3) for (const release of held) release();
  });
  const { dial } = await start(t, [server.address]);
  const client = await dial();
  client.send(query(1, 'a.example'), query(2, 'b.example'), query(3, 'c.example'));
  for (const [id, name] of [
    [3, 'c'],
    [2, 'b'],
    [1, 'a'],
  ] as const) {
    const reply = await client.next();
    t.equal(reply?.readUInt16BE(0), id);
    t.equal(reply?.toString('latin1', 13, 14), name);
  }
});

t.test('questions with an OPT are padded to 128 octets', async (t) => {
  const server = await dot(t);
  const { ask } = await start(t, [server.address]);
  for (const name of ['a.example', `${'x'.repeat(60)}.${'y'.repeat(40)}.example`]) {
    await ask(query(1, name, opt()));
    const seen = server.seen.at(-1)!;
    t.equal(seen.octets.length % 128, 0);
    t.same([...optionsOf(seen).keys()], [KEEPALIVE, PADDING]);
    t.ok(
      optionsOf(seen)
        .get(PADDING)
        ?.every((octet) => octet === 0),
    );
    t.equal(optionsOf(seen).get(KEEPALIVE)?.length, 0, 'RFC 7828: without a time from a client');
  }
  const cookie = Buffer.from('0123456789abcdef', 'hex');
  await ask(
    query(
      2,
      'a.example',
      opt([
        [PADDING, Buffer.alloc(500)],
        [10, cookie],
        [KEEPALIVE, Buffer.alloc(0)],
      ]),
    ),
  );
  const seen = server.seen.at(-1)!;
  t.equal(seen.octets.length, 128, "the client's own padding is left out");
  t.strictSame(optionsOf(seen).get(10), cookie, 'other options pass');
  await ask(query(3, 'plain.example'));
  t.equal(server.seen.at(-1)?.octets.length, query(3, 'plain.example').length, 'no OPT is added');
});

t.test('padding and keepalive of the server stop here', async (t) => {
  const server = await dot(t, (seen, send) =>
    send(
      replyTo(seen, {
        options: [
          [KEEPALIVE, Buffer.from([0, 200])],
          [15, Buffer.from([0, 3])],
          [PADDING, Buffer.alloc(300)],
        ],
      }),
    ),
  );
  const { ask, dial } = await start(t, [server.address]);
  const expected = (id: number, options: Parameters<typeof opt>[0]): Buffer => {
    const octets = query(id, 'www.example', opt());
    return replyTo({ octets, query: server.seen[0]!.query }, { options: options ?? [] });
  };
  const code: [number, Buffer] = [15, Buffer.from([0, 3])];
  t.strictSame(await ask(query(1, 'www.example', opt())), expected(1, [code]));
  t.strictSame(await ask(query(2, 'www.example', opt([[KEEPALIVE, Buffer.alloc(0)]]))), expected(2, [code]));
  const client = await dial();
  client.send(query(3, 'www.example', opt()));
  t.strictSame(await client.next(), expected(3, [code]));
  client.send(query(4, 'www.example', opt([[KEEPALIVE, Buffer.alloc(0)]])));
  t.strictSame(
    await client.next(),
    expected(4, [code, [KEEPALIVE, Buffer.from([0, 100])]]),
    'the listener has its own',
  );
  const plain = await ask(query(5));
  t.equal(plain?.readUInt16BE(10), 0, 'no OPT for who sent none');
  t.equal(plain?.length, replyTo({ octets: query(5), query: server.seen.at(-1)!.query }).length);
});

t.test('what is too large for UDP is cut to nothing, with TC', async (t) => {
  const one = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
  const sized = (count: number) => ({ count, records: Buffer.concat(Array(count).fill(one)) });
  const server = await dot(t, (seen, send) => {
    const count = Number(/^n(\d+)/.exec(seen.octets.toString('latin1', 13))?.[1]);
    const edns = seen.query.edns
      ? { options: [[15, Buffer.from([0, 3])] as const, [PADDING, Buffer.alloc(64)] as const] }
      : {};
    send(replyTo(seen, { ...sized(count), ...edns }));
  });
  const { ask, dial } = await start(t, [server.address]);
  const [fits, small, large] = [
    await ask(query(1, 'n28.example')),
    await ask(query(2, 'n40.example')),
    await ask(query(3, 'n40.example', opt([], 1232))),
  ];
  t.equal(fits?.readUInt16BE(6), 28);
  t.equal(small?.readUInt16BE(2), 0x8380);
  t.equal(small?.length, query(2, 'n40.example').length, 'the question alone');
  t.equal(small?.readUInt16BE(6), 0);
  t.equal(large?.readUInt16BE(6), 40, '1232 octets are enough');
  const cut = await ask(query(4, 'n90.example', opt([], 1232)));
  t.equal(cut?.readUInt16BE(2), 0x8380);
  t.equal(cut?.readUInt16BE(10), 1, 'OPT stays');
  t.same(ede(cut!)?.code, 3);
  t.equal(
    (await ask(query(5, 'n90.example', opt([], 100))))?.readUInt16BE(2),
    0x8380,
    'less than 512 is 512',
  );
  t.equal((await ask(query(6, 'n250.example', opt([], 4096))))?.readUInt16BE(6), 250);
  t.equal(
    (await ask(query(7, 'n300.example', opt([], 65_535))))?.readUInt16BE(2),
    0x8380,
    'our most is 4096',
  );
  const client = await dial();
  client.send(query(8, 'n4000.example'));
  t.equal((await client.next())?.readUInt16BE(6), 4000, 'TCP takes all');
});

t.test('the largest reply there is', async (t) => {
  const server = await dot(t, (seen, send) => {
    const head = replyTo(seen, {
      records: Buffer.from([0xc0, 12, 0, 10, 0, 1, 0, 0, 0, 60, 0, 0]),
      count: 1,
    });
    const rest = 65_535 - head.length;
    head.writeUInt16BE(rest, head.length - 2);
    send(Buffer.concat([head, Buffer.alloc(rest)]));
  });
  const { ask, dial } = await start(t, [server.address]);
  t.equal((await ask(query(1)))?.readUInt16BE(2), 0x8380);
  const client = await dial();
  client.send(query(2));
  t.equal((await client.next())?.length, 65_535);
});

t.test('no question to ask', async (t) => {
  const server = await dot(t);
  const { ask, dial, stub } = await start(t, [server.address]);
  const changed = (id: number, change: (message: Buffer) => void): Buffer => {
    const message = query(id);
    change(message);
    return message;
  };
  t.equal(
    await ask(
      changed(1, (m) => m.writeUInt8(0x81, 2)),
      200,
    ),
    null,
    'QR=1 is dropped',
  );
  t.equal(await ask(Buffer.from('garbage'), 200), null, 'so is what has no header');
  for (const [what, message, expected] of [
    ['two questions', changed(2, (m) => m.writeUInt16BE(2, 4)), 1],
    ['none', changed(3, (m) => m.writeUInt16BE(0, 4)), 1],
    ['octets behind the question', Buffer.concat([query(4), Buffer.from([1])]), 1],
    ['two OPTs', changedOpts(5), 1],
    ['NOTIFY', changed(6, (m) => m.writeUInt8(0x20, 2)), 4],
    ['UPDATE', changed(7, (m) => m.writeUInt8(0x28, 2)), 4],
    ['DSO', changed(8, (m) => m.writeUInt8(0x30, 2)), 4],
  ] as const) {
    t.equal(rcode(await ask(message)), expected, what);
  }
  const client = await dial();
  client.send(
    changed(9, (m) => m.writeUInt16BE(2, 4)),
    query(10),
  );
  t.equal(rcode(await client.next()), 1);
  t.equal(rcode(await client.next()), 0, 'the connection goes on');
  t.equal(server.seen.length, 1, 'only the question was asked');
  t.match(stub.counters, { malformed: 8, dropped: 2, asked: 1 });
});

function changedOpts(id: number): Buffer {
  const message = query(id, 'www.example', Buffer.concat([opt(), opt()]));
  message.writeUInt16BE(2, 10);
  return message;
}

t.test('what it does not know passes: another EDNS version, a signature, classes and types', async (t) => {
  const server = await dot(t, (seen, send) => {
    const version = seen.query.ednsVersion;
    const reply = replyTo(seen, version === 0 ? {} : { count: 0, records: Buffer.alloc(0), options: [] });
    if (version !== 0) reply[reply.length - 6] = 1;
    send(reply);
  });
  const { ask } = await start(t, [server.address]);
  const versioned = query(1, 'www.example', opt([[PADDING, Buffer.alloc(3)]]));
  versioned[versioned.length - 12] = 1;
  const reply = await ask(versioned);
  t.strictSame(server.seen[0]?.octets.subarray(2), versioned.subarray(2));
  t.equal(reply?.[reply.length - 6], 1, 'BADVERS in its OPT');
  // TSIG (RFC 8945): owner, type 250, class ANY, TTL 0, RDATA.
  const tsig = Buffer.from([0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 2, 1, 2]);
  const signed = query(2, 'www.example', Buffer.concat([opt(), tsig]));
  signed.writeUInt16BE(2, 10);
  t.equal(rcode(await ask(signed)), 0);
  t.strictSame(
    server.seen[1]?.octets.subarray(2),
    signed.subarray(2),
    'not an octet of what is signed changes',
  );
  const chaos = query(3, 'version.bind');
  chaos.writeUInt16BE(3, chaos.length - 2);
  chaos.writeUInt16BE(16, chaos.length - 4);
  t.equal(rcode(await ask(chaos)), 0);
});

t.test("the server's case of the name does not reach the client", async (t) => {
  const server = await dot(t, (seen, send) => {
    const question = Buffer.from(
      seen.octets.subarray(12, seen.query.questionEnd).toString('latin1').toLowerCase(),
      'latin1',
    );
    send(replyTo(seen, { question }));
  });
  const { ask } = await start(t, [server.address]);
  const asked = query(1, 'wWw.eXamPle');
  t.strictSame((await ask(asked))?.subarray(12, asked.length), asked.subarray(12));
});

t.test('the server says how long a connection may be idle', async (t) => {
  let keepalive = Buffer.from([0, 3]);
  const server = await dot(t, (seen, send) =>
    send(replyTo(seen, seen.query.edns ? { options: [[KEEPALIVE, keepalive]] } : {})),
  );
  const { ask } = await start(t, [server.address]);
  await ask(query(1, 'www.example', opt()));
  t.equal(server.sockets.size, 1);
  const [asked, begun] = [performance.now(), running()];
  await until(() => server.sockets.size === 0);
  const [idle, ran] = [performance.now() - asked, running() - begun];
  t.ok(idle > 120 && ran < 400, `closed after ${idle} ms, before the server's 300 ms are over`);
  keepalive = Buffer.from([0, 0]);
  await ask(query(2, 'www.example', opt()));
  await until(() => server.sockets.size === 0);
  t.equal(server.connections(), 2);
  await ask(query(3));
  await pause(50);
  t.equal(server.sockets.size, 1, 'without a time it stays');
  t.same(server.resumed.slice(1), [true, true], 'sessions are resumed');
});

t.test('stopping answers what is in flight, and takes no more', async (t) => {
  const server = await dot(t, (seen, send) => void setTimeout(() => send(replyTo(seen)), 150));
  const { ask, stub, lines } = await start(t, [server.address]);
  const asked = ask(query(1));
  await until(() => server.seen.length === 1);
  const stopped = stub.stop('test');
  t.equal(rcode(await asked), 0);
  await stopped;
  t.equal(await ask(query(2), 100), null);
  t.equal(server.sockets.size, 0);
  t.match(lines.at(-1), { event: 'stopped', fields: { queries: { answered: 1 } } });
});

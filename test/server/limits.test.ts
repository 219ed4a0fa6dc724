import { connect } from 'node:net';
import t from 'tap';
import { running } from '../clock.ts';
import { Client, queryOctets } from './client.ts';
import { readMessage } from './message.ts';
import { namegate, pause, until } from './namegate.ts';
import { plain, silent, upstream } from './upstream.ts';

/** How much one client gets, and what others have of it. */

const identity = (name: string, address: string, limits: string, ...names: string[]): string => `
  - name: ${name}
    owner: team
    review_by: 2099-01-01
    from: { addresses: [${address}] }
${limits === '' ? '' : `    limits: ${limits}\n`}    allow: [${names.map((allowed) => `{ name: "${allowed}", reason: test }`).join(', ')}]`;

// They wait more than they work.
t.jobs = 3;

t.test(
  'a client that no identity claims: 20 answers a second over UDP, then TC or nothing; TCP is free',
  async (t) => {
    const server = await namegate(t, {
      policy: `identities:${identity('job', '127.0.0.1', '', 'a.example')}\n`,
    });
    const stranger = await Client.open(server, 'udp', '127.0.9.1');
    const neighbour = await Client.open(server, 'udp', '127.0.9.2');
    const elsewhere = await Client.open(server, 'udp', '127.0.8.1');
    // The answers of one second: those of its neighbours in the /24 too.
    await pause(1100);
    const from = performance.now();
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? stranger : neighbour).exchange(queryOctets(`n${i}.example`, { id: i + 1 }), 1500),
      ),
    );
    const quick = performance.now() - from < 1900;
    const given = replies.map((octets) =>
      octets === null ? 'nothing' : (octets.readUInt16BE(2) & 0x200) === 0 ? 'whole' : 'TC',
    );
    const count = (what: string): number => given.filter((one) => one === what).length;
    // A second may end between two of them.
    t.ok(count('whole') >= 20 && count('whole') <= (quick ? 40 : 60), `${count('whole')} answers`);
    t.ok(count('TC') >= 30 && count('TC') <= 40, `${count('TC')} with TC`);
    t.ok(count('nothing') >= 29 && count('nothing') <= 40, `${count('nothing')} without a reply`);
    for (const octets of replies) {
      if (octets === null || (octets.readUInt16BE(2) & 0x200) === 0) continue;
      const { answer, authority } = readMessage(octets);
      t.same([answer, authority], [[], []], 'TC comes with nothing');
    }
    t.equal((await elsewhere.ask('a.example', {}, 500)).rcode, 'NXDOMAIN', 'another /24 has its own');
    const job = await Client.open(server, 'udp');
    t.equal((await job.ask('denied.example', {}, 500)).rcode, 'NXDOMAIN', 'and identities are not counted');
    const tcp = await Client.open(server, 'tcp', '127.0.9.1');
    const overTcp = await Promise.all(
      Array.from({ length: 100 }, (_, i) => tcp.ask(`n${i}.example`, { id: i + 1 })),
    );
    t.ok(
      overTcp.every(({ rcode, flags }) => rcode === 'NXDOMAIN' && (flags & 0x200) === 0),
      'TCP answers all',
    );
    await pause(1100);
    t.equal((await stranger.ask('later.example', {}, 500)).rcode, 'NXDOMAIN', 'and a second later UDP again');
    for (const client of [stranger, neighbour, elsewhere, job, tcp]) client.close();
    const { queries } = (await server.stop(t)) as unknown as { queries: Record<string, number> };
    t.equal(queries['drop'], count('nothing'), 'what got nothing is counted');
    t.equal(queries['limited'], count('TC'));
  },
);

t.test(
  'limits of an identity: qps and burst, SERVFAIL with a text, over UDP and TCP together; others go on',
  async (t) => {
    const server = await namegate(t, {
      policy: `identities:${identity('greedy', '127.0.0.2', '{ qps: 10, burst: 30 }', 'a.example')}${identity('modest', '127.0.0.3', '', 'a.example')}
records: [{ name: a.example, type: A, data: 192.0.2.1 }]
`,
    });
    const [udp, tcp, modest] = await Promise.all([
      Client.open(server, 'udp', '127.0.0.2'),
      Client.open(server, 'tcp', '127.0.0.2'),
      Client.open(server, 'udp', '127.0.0.3'),
    ]);
    const from = performance.now();
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? udp : tcp).ask('a.example', { id: i + 1 })),
    );
    const more = Math.ceil((performance.now() - from) / 100) + 1;
    const good = replies.filter(({ rcode }) => rcode === 'NOERROR').length;
    t.ok(good >= 30 && good <= 30 + more, `${good} answers at once`);
    const over = replies.filter(({ rcode }) => rcode === 'SERVFAIL');
    t.equal(over.length, 100 - good);
    t.match(over[0]?.opt?.ede, [{ code: 0, text: /^greedy: over its queries a second; ask team$/ }]);
    const others = await Promise.all(
      Array.from({ length: 100 }, (_, i) => modest.ask('a.example', { id: i + 1 })),
    );
    t.ok(
      others.every(({ rcode }) => rcode === 'NOERROR'),
      'nobody else is limited',
    );
    await pause(1000);
    const later = await Promise.all(
      Array.from({ length: 30 }, (_, i) => udp.ask('a.example', { id: i + 1 })),
    );
    const goodLater = later.filter(({ rcode }) => rcode === 'NOERROR').length;
    t.ok(goodLater >= 9 && goodLater <= 16, `${goodLater} a second later`);
    // A reload is no way to new tokens.
    server.write(
      'policy/test.yaml',
      `identities:${identity('greedy', '127.0.0.2', '{ qps: 10, burst: 30 }', 'a.example', 'b.example')}
records: [{ name: a.example, type: A, data: 192.0.2.1 }]
`,
    );
    await server.logged('policy-loaded');
    const reloaded = await Promise.all(
      Array.from({ length: 30 }, (_, i) => udp.ask('a.example', { id: i + 1 })),
    );
    t.ok(reloaded.filter(({ rcode }) => rcode === 'NOERROR').length < 20, 'nor after a reload');
    for (const client of [udp, tcp, modest]) client.close();
    await server.stop(t);
  },
);

t.test(
  "a silent zone fills one identity's share of questions in flight, and nobody else waits",
  async (t) => {
    const dead = await upstream(t, silent);
    const good = await upstream(t, plain);
    const server = await namegate(t, {
      policy: `identities:${identity('attacker', '127.0.0.2', '', '**.silent.example', '*.good.example')}${identity('victim', '127.0.0.3', '', '*.good.example', '*.silent.example')}\n`,
      servers: `["${good.url}"]`,
      groups: `  dead: { servers: ["${dead.url}"], zones: [silent.example] }`,
      settings: 'limits: { in_flight: 400 }',
    });
    const attacker = await Client.open(server, 'udp', '127.0.0.2');
    const victim = await Client.open(server, 'udp', '127.0.0.3');
    const share = 400 / 8;
    const flood = Array.from({ length: 300 }, (_, i) => attacker.ask(`n${i}.silent.example`, { id: i + 1 }));
    await until(() => dead.seen.length >= share);
    const over = await Promise.race(flood);
    t.match(over, {
      rcode: 'SERVFAIL',
      opt: { ede: [{ code: 0, text: /^attacker: over its share of questions in flight; ask team *$/ }] },
    });
    const own = await attacker.ask('own.good.example', { id: 1000 }, 1000);
    t.equal(own.rcode, 'SERVFAIL', 'it has no share left for anything');
    let slowest = 0;
    for (let i = 0; i < 100; i++) {
      const from = running();
      const reply = await victim.ask(`n${i}.good.example`, {}, 1000);
      slowest = Math.max(slowest, running() - from);
      if (reply.rcode !== 'NOERROR') t.fail(`the victim got ${reply.rcode}`);
    }
    t.ok(slowest < 250, 'the victim does not wait', { slowest });
    t.equal(
      new Set(dead.seen.map(({ name }) => name)).size,
      share,
      'and the silent zone was asked no more than the share',
    );
    const replies = await Promise.all(flood);
    t.ok(replies.every(({ rcode }) => rcode === 'SERVFAIL'));
    t.equal(
      (await attacker.ask('after.good.example', { id: 1001 }, 1000)).rcode,
      'NOERROR',
      'its share comes back',
    );
    attacker.close();
    victim.close();
    await server.stop(t);
  },
);

t.test('limits: { in_flight } of an identity stands in place of the share', async (t) => {
  const dead = await upstream(t, silent);
  const server = await namegate(t, {
    policy: `identities:${identity('small', '127.0.0.2', '{ in_flight: 3 }', '*.silent.example')}\n`,
    servers: `["${dead.url}"]`,
  });
  const client = await Client.open(server, 'udp', '127.0.0.2');
  for (let i = 1; i <= 3; i++) client.send(queryOctets(`n${i}.silent.example`, { id: i }));
  await until(() => dead.seen.length === 3);
  const from = running();
  t.equal((await client.ask('n4.silent.example')).rcode, 'SERVFAIL', 'the fourth');
  t.ok(running() - from < 500, 'is not kept waiting');
  t.equal(new Set(dead.seen.map(({ name }) => name)).size, 3);
  client.close();
  server.kill('SIGKILL');
});

t.test('one question by many clients goes upstream once', async (t) => {
  const up = await upstream(
    t,
    ({ name }, to) => void setTimeout(() => to.reply({ answer: [`${name} 60 A 198.51.100.1`] }), 120),
  );
  const server = await namegate(t, {
    policy: `identities:${identity('job', '127.0.0.0/8', '', '*.test.example')}\n`,
    servers: `["${up.url}"]`,
  });
  const clients = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      Client.open(server, i % 2 === 0 ? 'udp' : 'tcp', `127.0.0.${i + 1}`),
    ),
  );
  const begun = performance.now();
  const replies = await Promise.all(
    clients.map((client, i) => client.ask(i % 3 === 0 ? 'SAME.test.example' : 'same.test.example')),
  );
  // Where this process stood still, the server has asked the upstream again in its time.
  const isLate = performance.now() - begun > 300;
  t.ok(replies.every(({ answer }) => answer[0]?.data === '198.51.100.1'));
  t.ok(up.seen.length === 1 || (isLate && up.seen.length < 5), `${up.seen.length} questions`);
  for (const client of clients) client.close();
  await server.stop(t);
});

t.test('TCP: a client has an eighth of the connections, and idle ones make room for others', async (t) => {
  const server = await namegate(t, {
    policy: `identities:${identity('job', '127.0.0.0/8', '', 'a.example')}\nrecords: [{ name: a.example, type: A, data: 192.0.2.1 }]\n`,
    settings: 'limits: { tcp_clients: 16 }',
  });
  const open = async (from: string): Promise<Client> => {
    const client = await Client.open(server, 'tcp', from);
    await pause(20);
    return client;
  };
  const mine = [await open('127.0.0.2'), await open('127.0.0.2'), await open('127.0.0.2')];
  await until(() => mine[2]!.ended);
  t.same(
    mine.map(({ ended }) => ended),
    [false, false, true],
    'the third of one address is closed',
  );
  const many: Client[] = [];
  for (let i = 10; i < 40; i++) many.push(await open(`127.0.0.${i}`));
  t.equal((await many.at(-1)!.ask('a.example', {}, 1000)).rcode, 'NOERROR', 'the last one is served');
  await until(() => mine[0]!.ended);
  t.ok(many.filter(({ ended }) => !ended).length <= 16, 'no more than there may be');
  for (const client of [...mine, ...many]) client.close();
  await server.logged('listener-refused');
  await server.stop(t);
});

t.test('TCP: a message that never comes to its end is cut off, others are served meanwhile', async (t) => {
  const server = await namegate(t, {
    policy: `identities:${identity('job', '127.0.0.1', '', 'a.example')}\nrecords: [{ name: a.example, type: A, data: 192.0.2.1 }]\n`,
  });
  const slow = connect({ host: server.host, port: server.tcp });
  let closed = 0;
  slow.on('error', () => {});
  slow.on('close', () => {
    closed = performance.now();
  });
  const query = queryOctets('a.example');
  const octets = Buffer.concat([Buffer.from([0, query.length]), query]);
  const [from, begun] = [performance.now(), running()];
  let at = 0;
  const drip = setInterval(() => {
    if (at < octets.length - 1 && slow.writable) slow.write(octets.subarray(at, ++at));
  }, 400);
  const client = await Client.open(server, 'tcp');
  // Split in two, and two in one.
  const socket = client.stream;
  socket.write(octets.subarray(0, 7));
  await pause(50);
  socket.write(octets.subarray(7));
  await until(() => client.strays.length === 1);
  socket.write(Buffer.concat([octets, octets]));
  await until(() => client.strays.length === 3);
  t.ok(client.strays.every((reply) => readMessage(reply).rcode === 'NOERROR'));
  await until(() => closed > 0, undefined, 30_000);
  clearInterval(drip);
  const [after, ran] = [closed - from, running() - begun];
  t.ok(after > 4000 && ran < 9000, 'after about 5 s', { after, ran });
  client.close();
  await server.stop(t);
});

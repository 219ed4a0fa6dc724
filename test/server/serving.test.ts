import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import t from 'tap';
import { running } from '../clock.ts';
import { message, question } from '../wire/build.ts';
import { policyOf } from './changes.ts';
import { ask, Client, framed, queryOctets } from './client.ts';
import { readMessage, wireName } from './message.ts';
import { house, Namegate, namegate, pause, until } from './namegate.ts';
import { plain, silent, upstream } from './upstream.ts';

/** What serving over time promises: expiry, TTLs, shared and separate caches, renewal, connections that come and go. */

// They wait more than they work.
t.jobs = 3;

/** An identity at 127.0.0.N that may resolve these patterns. */
const identity = (name: string, last: number, allow: string, more = ''): string => `
  - name: ${name}
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.${last}] }
${more}    allow: [${allow}]`;

const rule = (name: string, more = ''): string => `{ name: "${name}", reason: test${more} }`;

t.test(
  'a rule that ends while it serves: its TTLs end with it, and at that second it approves nothing, a cached answer neither',
  async (t) => {
    const up = await upstream(t);
    const policy = (more: string): string =>
      `identities:${identity('job', 1, `${rule('*.short.example', more)}, ${rule('*.long.example')}`)}\n`;
    const server = await namegate(t, { policy: policy(''), servers: `["${up.url}"]` });
    t.ok((await ask(server, 'a.short.example')).answer[0]!.ttl >= 59);
    t.ok((await ask(server, 'a.long.example')).answer[0]!.ttl >= 59);
    let end = 0;
    // A busy machine may take longer to put the rule in force than the rule lasts.
    for (let left = 4, loads = 1; ; left *= 2, loads++) {
      end = Math.ceil(Date.now() / 1000) + left;
      server.write('policy/test.yaml', policy(`, until: ${new Date(end * 1000).toISOString()}`));
      await server.logged('policy-loaded', loads);
      if (Date.now() < (end - 2) * 1000 || left > 32) break;
    }
    const { ttl } = (await ask(server, 'a.short.example')).answer[0]!;
    t.ok(ttl <= end - Date.now() / 1000 + 1 && ttl < 60, 'a cached answer ends with the rule', { ttl });
    await pause(end * 1000 - Date.now() - 150);
    const before = await ask(server, 'a.short.example');
    // On a busy machine the second may have ended meanwhile.
    if (Date.now() < end * 1000) t.match(before, { rcode: 'NOERROR', answer: [{ ttl: 0 }] }, 'just before');
    await pause(end * 1000 - Date.now() + 20);
    t.equal((await ask(server, 'a.short.example')).rcode, 'NXDOMAIN', 'at that second');
    t.equal((await ask(server, 'b.short.example')).rcode, 'NXDOMAIN');
    t.equal((await ask(server, 'a.long.example')).rcode, 'NOERROR', 'another rule goes on');
    t.equal(up.seen.length, 2, 'from the cache all the while');
    await server.stop(t);
  },
);

t.test('TTLs count down, and an answer is asked for again when it has ended', async (t) => {
  let serial = 0;
  const up = await upstream(t, ({ name }, to) =>
    to.reply({ answer: [`${name} 3 A 198.51.100.${++serial}`] }),
  );
  const server = await namegate(t, {
    policy: `identities:${identity('job', 1, rule('a.example'))}\n`,
    servers: `["${up.url}"]`,
  });
  const seen: string[] = [];
  await until(async () => {
    const { ttl, data } = (await ask(server, 'a.example')).answer[0]!;
    const line = `${data} ${ttl}`;
    if (seen.at(-1) !== line) seen.push(line);
    return data !== '198.51.100.1';
  });
  // A busy machine may skip one.
  // A written-out name is kept for five seconds at least; its TTL is over before.
  const all = ['198.51.100.1 3', '198.51.100.1 2', '198.51.100.1 1', '198.51.100.1 0'];
  t.same(
    seen.slice(0, -1),
    all.filter((line) => seen.includes(line)),
    'in this order',
  );
  t.equal(seen[0], all[0]);
  t.match(seen.at(-1), /^198\.51\.100\.2 [123]$/);
  await server.stop(t);
});

t.test(
  "the cache is shared, or is each identity's own, and a private address is decided for each",
  async (t) => {
    for (const [settings, asked] of [
      ['', 1],
      ['cache: { share: identity }', 2],
    ] as const) {
      const up = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 60 A 10.0.0.1`] }));
      const server = await namegate(t, {
        policy: `identities:${identity('granted', 2, rule('a.example', ', private: true'))}${identity('other', 3, rule('a.example'))}\n`,
        servers: `["${up.url}"]`,
        settings,
      });
      for (let i = 0; i < 2; i++) {
        t.match(await ask(server, 'a.example', { from: '127.0.0.2' }), { answer: [{ data: '10.0.0.1' }] });
        t.match(await ask(server, 'a.example', { from: '127.0.0.3' }), {
          rcode: 'NOERROR',
          answer: [],
          opt: { ede: [{ code: 15 }] },
        });
      }
      t.equal((await ask(server, 'a.example', { from: '127.0.0.4' })).rcode, 'NXDOMAIN');
      t.equal(up.seen.length, asked, settings);
      await server.stop(t);
    }
  },
);

t.test(
  'renewed names are asked for on our schedule, and nothing that clients do causes a question',
  async (t) => {
    const up = await upstream(t, ({ name, type }, to) =>
      to.reply(
        type === 'A'
          ? { answer: [`${name} 2 A 198.51.100.1`] }
          : { authority: [`${name} 2 SOA a. b. 1 2 3 4 2`] },
      ),
    );
    const server = await namegate(t, {
      policy: `identities:${identity('job', 1, `${rule('a.example')}, ${rule('n{1..3}.example', ', types: [A]')}, ${rule('*.wild.example')}`)}\n`,
      servers: `["${up.url}"]`,
      settings: 'renew: { names: all }',
    });
    const expected = [
      'a.example. A',
      'a.example. AAAA',
      'a.example. CNAME',
      'a.example. HTTPS',
      'n1.example. A',
      'n2.example. A',
      'n3.example. A',
    ];
    await until(() => up.seen.length >= expected.length);
    t.same(up.asked.toSorted(), expected, 'before anybody asks');
    for (const options of [
      {},
      { checkingDisabled: true },
      { dnssecOk: true },
      { size: null },
      { type: 'AAAA' },
    ] as const) {
      for (const name of ['a.example', 'A.EXAMPLE'])
        t.equal((await ask(server, name, options)).rcode, 'NOERROR');
    }
    await pause(2500);
    const { answer } = await ask(server, 'a.example');
    t.ok(
      answer[0]!.ttl >= 1 && answer[0]!.ttl <= 2,
      'its own TTL at most, at least 1, although it is older than that',
      answer[0]!,
    );
    t.same(up.asked.toSorted(), expected, 'and after many have asked');
    server.write(
      'policy/test.yaml',
      `identities:${identity('job', 1, `${rule('a.example')}, ${rule('later.example', ', types: [A]')}`)}\n`,
    );
    await server.logged('policy-loaded');
    await until(() => up.asked.includes('later.example. A'));
    t.equal((await ask(server, 'n1.example')).rcode, 'NXDOMAIN');
    t.equal(up.seen.length, expected.length + 1, 'a new policy: what is new alone');
    await server.stop(t);
  },
);

t.test('a listener on 0.0.0.0 answers from the address that was asked', async (t) => {
  const server = await namegate(t, {
    policy: policyOf('local.example'),
    listen: ['udp://0.0.0.0:0', 'tcp://0.0.0.0:0'],
  });
  if (server.events('listening')[0]?.['served_by'] !== 'recvmmsg') {
    t.comment('not here: node:dgram cannot say which address was asked');
    await server.stop(t);
    return;
  }
  const place = server.at('0.0.0.0');
  for (const host of ['127.0.0.1', '127.0.0.5', '127.5.6.7']) {
    const socket = createSocket('udp4');
    // A connected socket takes nothing from another address.
    await new Promise<void>((resolve) => socket.connect(place.udp, host, resolve));
    const replied = new Promise<Buffer>((resolve) => socket.once('message', resolve));
    socket.send(queryOctets('local.example'));
    const reply = await Promise.race([replied, pause(2000)]);
    t.ok(reply !== undefined, host);
    socket.close();
  }
  await server.stop(t);
});

t.test('TCP: 2,000 questions in one go, answered as they come; half-closed at once', async (t) => {
  const up = await upstream(
    t,
    (seen, to) => void setTimeout(() => plain(seen, to), seen.name.length % 2 === 0 ? 60 : 5),
  );
  const server = await namegate(t, {
    policy: `identities:${identity('job', 1, rule('*.test.example'))}\n`,
    servers: `["${up.url}"]`,
  });
  const client = await Client.open(server, 'tcp');
  const socket = client.stream;
  socket.end(
    Buffer.concat(
      Array.from({ length: 2000 }, (_, i) => framed(queryOctets(`n${i}.test.example`, { id: i }))),
    ),
  );
  await until(
    () => client.ended,
    () => `${client.strays.length} answers`,
    20_000,
  );
  const ids = client.strays
    .map((reply) => readMessage(reply))
    .filter(({ rcode }) => rcode === 'NOERROR')
    .map(({ id }) => id);
  t.equal(new Set(ids).size, 2000, 'every answer came before the end');
  t.notSame(
    ids,
    ids.toSorted((a, b) => a - b),
    'in the order in which they were ready',
  );
  await server.stop(t);
});

t.test(
  'clients that go away while their questions are in flight: no harm, and their share comes back',
  async (t) => {
    const dead = await upstream(t, silent);
    const server = await namegate(t, {
      policy: `identities:${identity('job', 1, `${rule('*.silent.example')}, ${rule('local.example')}`, '    limits: { in_flight: 20 }\n')}\nrecords: [{ name: local.example, type: A, data: 192.0.2.1 }]\n`,
      servers: `["${dead.url}"]`,
    });
    for (let i = 0; i < 20; i++) {
      const client = await Client.open(server, i % 2 === 0 ? 'tcp' : 'udp');
      client.send(queryOctets(`n${i}.silent.example`));
      await until(() => new Set(dead.seen.map(({ name }) => name)).size > i);
      if (i % 4 === 0) client.stream.resetAndDestroy();
      client.close();
    }
    t.match(
      await ask(server, 'more.silent.example'),
      { rcode: 'SERVFAIL', opt: { ede: [{ code: 0 }] } },
      'the share is used',
    );
    t.equal((await ask(server, 'local.example')).rcode, 'NOERROR', 'what is local needs none');
    dead.script = plain;
    const took = await until(
      async () =>
        (await ask(server, `again${performance.now().toFixed(0)}.silent.example`)).rcode === 'NOERROR',
    );
    t.ok(took < 5000, 'and comes back', { took });
    await server.stop(t);
  },
);

t.test('two servers that ask each other: SERVFAIL in time, and no storm', async (t) => {
  const policy = `identities:${identity('job', 1, rule('*.loop.example'))}\n`;
  const first = await namegate(t, { policy });
  const other = { policy, servers: `["udp://127.0.0.1:${first.udp}"]` };
  const second = await new Namegate(t, house(t, other, join(t.testdirName, 'second'))).started();
  house(t, { policy, servers: `["udp://127.0.0.1:${second.udp}"]` }, first.folder);
  await first.logged('policy-loaded');
  const from = running();
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, i) => ask(i % 2 === 0 ? first : second, `n${i}.loop.example`)),
  );
  t.ok(running() - from < 4200, 'in time');
  t.ok(replies.every(({ rcode }) => rcode === 'SERVFAIL'));
  const count = ({ queries }: { readonly [field: string]: unknown }): number =>
    Object.values(queries as Record<string, number>).reduce((sum, one) => sum + one);
  const all = count(await first.stop(t)) + count(await second.stop(t));
  t.ok(all < 20 * 12, `${all} questions for 20`);
});

t.test('names of any octets: logs stay lines of JSON, and `_why` prints what is printable', async (t) => {
  const up = await upstream(t);
  const server = await namegate(t, {
    policy: policyOf('local.example').replace(
      '    allow:',
      '    mode: audit\n    audit_until: 2099-01-01\n    allow:',
    ),
    servers: `["${up.url}"]`,
  });
  const client = await Client.open(server, 'udp');
  const labels = [
    '\\010{"level":"error"}',
    '\\027[31mred',
    '"quoted"',
    'back\\092slash',
    '\\000\\255\\192',
    '\\226\\128\\174rtl',
    'dot\\.in',
  ];
  for (const label of labels) {
    for (const suffix of ['example', '_why.namegate.internal']) {
      const name = wireName(`${label}.${suffix}`);
      const octets = message({ id: 7, questions: [question(name, suffix === 'example' ? 1 : 16)] });
      const reply = await client.exchange(octets);
      t.doesNotThrow(() => readMessage(reply!), `${label}.${suffix}`);
      if (suffix !== 'example')
        t.match(readMessage(reply!).answer[0]?.rdata.toString('latin1'), /^[ -~\s]?[ -~]+$/, 'printable');
    }
  }
  client.close();
  await server.logged('finding', labels.length);
  for (const line of server.stderr
    .trimEnd()
    .split('\n')
    .filter((line) => line.startsWith('{'))) {
    t.doesNotThrow(() => JSON.parse(line));
    t.match(line, /^[ -~]+$/, 'printable');
  }
  t.equal(server.events('finding').length, labels.length);
  await server.stop(t);
});

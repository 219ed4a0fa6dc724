import t from 'tap';
import { policyOf } from './changes.ts';
import { ask, Client } from './client.ts';
import { floodTcp, floodUdp, residentOctets } from './flood.ts';
import { namegate, pause } from './namegate.ts';
import { upstream } from './upstream.ts';

/** What a flood leaves behind: nothing. */

const POLICY = `${policyOf('local.example').replace(
  '    allow:',
  '    allow:\n      - { name: "*.test.example", reason: test }',
)}`;

t.test('200,000 random denied names: nothing grows, no name is logged, nobody is asked', async (t) => {
  const up = await upstream(t);
  const server = await namegate(t, {
    policy: POLICY,
    servers: `["${up.url}"]`,
    settings: 'limits: { unknown_qps: 100000 }',
  });
  // What the first ones bring along is no leak: compiled code, buffers of sockets.
  t.equal(await floodTcp(server, 40_000, 1), 40_000);
  t.ok((await floodUdp(server, 4_000, 2)) > 3_900);
  const pid = server.child.pid!;
  const before = residentOctets(pid);
  const lines = server.log.length;
  t.equal(await floodTcp(server, 70_000, 3), 70_000);
  const between = residentOctets(pid);
  t.equal(await floodTcp(server, 70_000, 6), 70_000);
  t.equal(await floodTcp(server, 40_000, 4, '127.0.0.99'), 40_000, 'of a client that no identity claims');
  t.ok((await floodUdp(server, 20_000, 5)) > 19_500);
  const after = residentOctets(pid);
  if (before !== null && between !== null && after !== null) {
    const grown = [between - before, after - between].map((octets) => Math.round(octets / 2 ** 20));
    // The tables of detectors have room for 20 MiB, and the worker's heap lets rubbish lie beside them.
    t.ok(after - before < 72 * 2 ** 20, `RSS: ${grown.join(' and ')} MiB more`);
  }
  await pause(300);
  // The detectors see the flood as a few patterns: a line for each of these, and none for a name.
  const said = server.log.slice(lines).map(({ event }) => event);
  t.ok(said.filter((event) => event !== 'finding').length <= 2 && said.length <= 10, said.join(' '));
  t.same(up.asked, [], 'nothing went upstream');
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
  const { queries } = await server.stop(t);
  t.match(queries, { forwarded: 0, hit: 0, servfail: 0 });
});

t.test('10,000 questions of every kind: a few lines of log', async (t) => {
  const up = await upstream(t);
  const server = await namegate(t, { policy: POLICY, servers: `["${up.url}"]` });
  const lines = server.log.length;
  const client = await Client.open(server, 'udp');
  const names = [
    'local.example',
    'cached.test.example',
    'denied.example',
    'x.localhost',
    'example',
    'a.b.c.d.example',
  ];
  for (let i = 0; i < 10_000; i += 200) {
    await Promise.all(
      Array.from({ length: 200 }, async (_, j) => {
        // One in twenty has to be asked upstream.
        const name = j % 20 === 0 ? `n${i + j}.test.example` : names[j % names.length]!;
        await client.ask(name, { type: ['A', 'AAAA', 'TXT', 'ANY', 'AXFR'][j % 5]! });
      }),
    );
  }
  client.close();
  await pause(300);
  t.ok(server.log.length - lines <= 5, `${server.log.length - lines} lines`);
  for (const line of server.stderr.trimEnd().split('\n')) {
    t.match(JSON.parse(line), { level: /^(info|warn)$/, time: /^\d{4}-.*Z$/, event: String, msg: String });
  }
  await server.stop(t);
});

t.test('a cache of 64 KiB and 5,000 names: it stays small and answers', async (t) => {
  const up = await upstream(t);
  const server = await namegate(t, {
    policy: POLICY,
    servers: `["${up.url}"]`,
    settings: 'cache: { size: 64KiB }',
  });
  const client = await Client.open(server, 'udp');
  const ask = async (from: number): Promise<void> => {
    for (let i = 0; i < 2500; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, j) => {
          const reply = await client.ask(`n${from + i + j}.test.example`);
          if (reply.answer.length !== 1) throw new Error(`n${from + i + j}: ${reply.rcode}`);
        }),
      );
    }
  };
  await ask(0);
  const before = residentOctets(server.child.pid!);
  await ask(2500);
  const after = residentOctets(server.child.pid!);
  // A busy machine's upstream may be asked a second time for a name.
  t.equal(new Set(up.seen.map(({ name }) => name)).size, 5000);
  if (before !== null && after !== null) {
    t.ok(after - before < 48 * 2 ** 20, 'RSS', { before, after });
  }
  client.close();
  await server.stop(t);
});

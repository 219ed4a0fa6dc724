import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Dialled } from './dialler.ts';
import {
  address,
  api,
  bridge,
  CLIENTS,
  DNS,
  enforce,
  JOB,
  lab,
  OTHER,
  policy,
  serve,
} from './enforce-lab.ts';
import { missingForRoot, must, start, until } from './process.ts';

/** Times that each side is killed. `NAMEGATE_KILLS=100` is the long run. */
const KILLS = Number(process.env['NAMEGATE_KILLS'] ?? 1);
const packets = fileURLToPath(new URL('./packets.py', import.meta.url));
const upstream = fileURLToPath(new URL('./enforce-upstream.mjs', import.meta.url));

/** Looks for one packet that passes and should not, and for one connection that fails and should not. */
t.test(
  'attacks on the firewall, and what must go on',
  { skip: missingForRoot('ip', 'nft', 'sysctl', 'setpriv', 'python3') },
  async (t) => {
    const outer = t;
    const here = await lab(t);
    const { job, folder, host } = here;
    const answering = start(t, [process.execPath, upstream], { namespace: host });
    await until(() => answering.log().includes('answering'), answering.log);
    const tcp = async (where: string, port = 443, from = JOB): Promise<string> =>
      (await job.do({ deed: 'tcp', host: where, port, from })).result;
    const dns = (name: string, type = 'A', from = JOB): Promise<Dialled> =>
      job.do({ deed: 'dns', name: `${name}.lab.example`, type, server: DNS, from });
    const lease = (addresses: readonly string[], some = {}): Promise<{ id: string }> =>
      api(folder, 'POST', '/v1/leases', { identity: 'job', addresses, ttl: 600, ...some });

    // The server was there first, and may have found nobody.
    await until(async () => (await dns('zero')).result === 'ok', here.server.log, 20_000);
    await t.test('answers of an upstream', async (t) => {
      for (let i = 0; i < 6; i++) {
        const [at] = (await dns('zero')).addresses;
        t.equal(await tcp(at!), 'ok', `TTL 0, ${at}`);
      }
      const { addresses } = await dns('thirteen');
      t.equal(addresses.length, 13);
      for (const at of addresses) t.equal(await tcp(at), 'ok', at);
      t.equal((await dns('chain')).result, 'ok');
      t.equal(await tcp('198.51.100.61'), 'ok', 'the end of a chain of CNAMEs');
      t.equal(await tcp('198.51.100.62'), 'ECONNREFUSED', 'a hint that nobody was given');
      const both = await Promise.all([dns('slow'), dns('slow', 'A', OTHER), dns('slow')]);
      t.same(
        both.map(({ result }) => result),
        ['ok', 'ok', 'ok'],
        'the same question of two clients at once',
      );
      t.equal(await tcp('198.51.100.63'), 'ok');
      t.equal(await tcp('198.51.100.63', 443, OTHER), 'ok');
      t.equal((await dns('short')).result, 'ok');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      t.equal(await tcp('198.51.100.64'), 'ok', 'longer than its TTL of a second');
      t.equal(
        await tcp('198.51.100.64', 443, OTHER),
        'ECONNREFUSED',
        'the answer is in the cache, and not his',
      );
      t.equal((await dns('short', 'A', OTHER)).result, 'ok');
      t.equal(await tcp('198.51.100.64', 443, OTHER), 'ok');
    });

    await t.test('a dead IPv6 beside a living IPv4', async (t) => {
      t.equal((await dns('dual', 'AAAA')).result, 'ok');
      t.equal((await dns('dual')).result, 'ok');
      const dialled = await job.do({
        deed: 'happy',
        host: '2001:db8:6::ee',
        other: '198.51.100.60',
        port: 443,
      });
      t.equal(dialled.result, 'ok');
      t.ok(dialled.ms < 200, `in ${dialled.ms.toFixed(0)} ms, without a timeout`);
    });

    await t.test('fragments, and protocols without ports', async (t) => {
      t.equal((await dns('ports')).result, 'ok');
      const udp = { deed: 'udp', port: 443, from: JOB, size: 3_000 } as const;
      t.equal((await job.do({ ...udp, host: '198.51.100.1' })).result, 'ok', 'in fragments');
      t.not((await job.do({ ...udp, host: '203.0.200.1' })).result, 'ok');
      const ping = await job.do({ deed: 'ping', host: '198.51.100.1', from: JOB });
      t.not(ping.result, 'ok', 'an echo request is no port');
    });

    await t.test('packets that no socket sends', async (t) => {
      const { inside, outside } = here;
      t.equal((await dns('ports')).result, 'ok');
      const six = { deed: 'dns', name: 'ports.lab.example', type: 'AAAA', server: '[fd00:77::1]' } as const;
      t.equal((await job.do({ ...six, from: 'fd00:77::2' })).result, 'ok');
      // Else the kernel drops them itself.
      await must(['sysctl', '-q', '-w', 'net.ipv4.conf.all.accept_source_route=1'], { namespace: host });
      const watch = start(t, ['python3', packets, 'watch', 'eth0', '3'], { namespace: outside });
      await until(() => watch.log().includes('watching'), watch.log);
      const link = JSON.parse(await must(['ip', '-j', 'link', 'show', 'job0'], { namespace: host }));
      const send = ['python3', packets, 'send', 'eth0', '198.51.100.1', link[0].address];
      await must(send, { namespace: inside });
      await until(() => watch.ended(), watch.log);
      const good = [
        'atomic-fragment',
        'destination-options',
        'hop-by-hop-options',
        'record-route',
        'six',
        'udp',
      ];
      t.same(
        watch.log().trim().split('\n').slice(1),
        good.map((mark) => `good-${mark}`),
      );
    });

    await t.test('an address that the machine translates', async (t) => {
      const script = `table ip published {
  chain in { type nat hook prerouting priority dstnat; ip daddr 203.0.202.1 tcp dport 443 dnat to 203.0.202.2:8001; }
}`;
      await must(['nft', script], { namespace: host });
      t.equal(await tcp('203.0.202.1'), 'ECONNREFUSED', 'not granted');
      t.equal((await dns('published')).result, 'ok');
      t.equal(await tcp('203.0.202.1'), 'ok', 'as the client wrote it');
      t.equal(await tcp('203.0.202.2', 8001), 'ECONNREFUSED', 'and not what is behind it');
      t.equal(await tcp('203.0.202.1', 443, OTHER), 'ECONNREFUSED');
    });

    await t.test(
      'two jobs at one bridge whose packets are judged',
      { skip: existsSync('/proc/sys/net/bridge') ? false : 'the kernel has no br_netfilter' },
      async (t) => {
        const dialler = await bridge(t, host);
        const dial = (where: string, port = 443) => dialler.do({ deed: 'tcp', host: where, port });
        const ask = (type: string, server: string) =>
          dialler.do({ deed: 'dns', name: 'neighbour.lab.example', type, server });
        t.equal((await dial('10.78.0.3')).result, 'ECONNREFUSED');
        t.equal((await dial('fd00:78::3')).result, 'ECONNREFUSED');
        t.equal((await ask('A', DNS)).result, 'ok');
        t.equal((await ask('AAAA', '[fd00:77::1]')).result, 'ok');
        t.equal((await dial('10.78.0.3')).result, 'ok');
        t.equal((await dial('fd00:78::3')).result, 'ok', 'neighbours find each other');
        t.equal((await dial('fd00:78::3', 80)).result, 'ECONNREFUSED');
      },
    );

    await t.test('a flood of refused packets hides nobody, and each is counted', async (t) => {
      const flood = job.do({ deed: 'flood', from: CLIENTS[3]!, ms: 1_000 });
      t.equal(await tcp('203.0.201.77', 443, OTHER), 'ECONNREFUSED');
      t.equal((await dns('n130')).result, 'ok', 'and others are answered meanwhile');
      t.equal(await tcp(address(130)), 'ok');
      await flood;
      const key = `${OTHER} to 203.0.201.77 tcp/443`;
      let keys: readonly string[] = [];
      await until(
        async () => {
          const list = await api(folder, 'GET', '/v1/findings?limit=1000');
          const { findings } = list as unknown as { findings: readonly { key: string }[] };
          keys = findings.map((finding) => finding.key);
          // Findings of one identity are singles up to 64, and of a client then.
          return keys.includes(key) || keys.includes(OTHER);
        },
        () => `nobody was told of ${key} but of ${keys.join(', ')}`,
        30_000,
      );
      let seen = '';
      await until(
        async () => {
          const counter = await must(['nft', 'list', 'counter', 'inet', 'namegate', 'refused'], {
            namespace: host,
          });
          const refused = Number(/packets (\d+)/.exec(counter)?.[1]);
          const ask = "fetch('http://127.0.0.1:9153/metrics').then((r) => r.text()).then(console.log)";
          const text = await must([process.execPath, '-e', ask], { namespace: host });
          const [yes = 0, no = 0] = ['yes', 'no'].map((told) =>
            Number(
              new RegExp(`^namegate_refused_packets_total\\{told="${told}"\\} (\\d+)$`, 'm').exec(text)?.[1],
            ),
          );
          seen = `${refused} refused, ${yes} told, ${no} counted`;
          return refused > 1_000 && yes + no === refused;
        },
        () => seen,
      );
      t.comment(seen);
    });

    await t.test('a UDP flow that was cut does not come back from outside', async (t) => {
      // Whoever has sent one datagram is sent datagrams all the time.
      const script = `for (const [type, address] of [['udp4', '198.51.100.2'], ['udp6', '2001:db8:6::2']]) {
  const socket = require('node:dgram').createSocket(type);
  const seen = new Set();
  socket.on('message', (m, { port, address }) => {
    const to = port + ' ' + address;
    if (!seen.has(to)) setInterval(() => socket.send('push', port, address), 5);
    seen.add(to);
    console.log(String(m));
  }).bind(444, address, () => console.log('pushing'));
}`;
      const alias = ['ip', '-6', 'address', 'add', '2001:db8:6::2/128', 'dev', 'eth0', 'nodad'];
      await must(alias, { namespace: here.outside });
      const pushing = start(t, [process.execPath, '-e', script], { namespace: here.outside });
      await until(() => pushing.log().split('pushing').length === 3, pushing.log);
      const text = policy(new Date(Date.now() + 86_400_000));
      const file = join(folder, 'policy.yaml');
      writeFileSync(
        file,
        text
          .replaceAll(
            /(ends\.lab\.example, type: A, data: 198\.51\.100\.2 \})/g,
            '$1\n  - { name: ends.lab.example, type: AAAA, data: "2001:db8:6::2" }',
          )
          .replace('{ name: ends.lab.example, owner', '{ name: ends.lab.example, ports: [udp/444], owner'),
      );
      here.server.kill('SIGHUP');
      const ends = (type: string, from: string) => ({
        deed: 'dns' as const,
        name: 'ends.lab.example',
        type,
        server: type === 'A' ? DNS : '[fd00:77::1]',
        from,
      });
      for (const [client, type, host] of [
        [CLIENTS[2]!, 'A', '198.51.100.2'],
        ['fd00:77::2', 'AAAA', '2001:db8:6::2'],
      ] as const) {
        const send = (text: string) =>
          job.do({ deed: 'datagrams', host, port: 444, from: client, hold: `push ${host}`, text, ms: 300 });
        const { id } = await lease([client]);
        await until(
          async () => {
            await job.do(ends(type, client));
            return (await send(`early-${type}`)).result === 'ok';
          },
          here.server.log,
          20_000,
        );
        await api(folder, 'DELETE', `/v1/leases/${id}`);
        t.equal((await send(`late-${type}`)).result, 'silence', 'nobody has the address');
        const next = await lease([client], { job: { run: 'next' } });
        t.equal((await send(`late-${type}`)).result, 'silence', 'the next job has it');
        t.match(pushing.log(), `early-${type}`);
        t.notMatch(pushing.log(), `late-${type}`);
        await job.do(ends(type, client));
        t.equal((await send(`again-${type}`)).result, 'ok', 'and begins it itself, once that is granted');
        await api(folder, 'DELETE', `/v1/leases/${next.id}`);
      }
      writeFileSync(file, text);
      here.server.kill('SIGHUP');
    });

    await t.test('an address that is leased again at once', async (t) => {
      for (let round = 0; round < 3; round++) {
        const { id } = await lease([JOB], { job: { run: `${round}` } });
        t.equal(await tcp(address(1)), 'ECONNREFUSED', 'nothing of who had it before');
        t.equal((await dns('n1')).result, 'ok');
        t.equal(await tcp(address(1)), 'ok');
        await api(folder, 'DELETE', `/v1/leases/${id}`);
      }
    });

    await t.test('a reload that changes ports', async (t) => {
      t.equal((await dns('n9')).result, 'ok');
      t.equal(await tcp(address(9), 443), 'ok');
      const before = here.server.log().split('"policy-loaded"').length;
      const text = policy(new Date(Date.now() + 86_400_000));
      writeFileSync(
        join(folder, 'policy.yaml'),
        text.replace(/(n\{0\.\.\d+\}\.lab\.example", owner: platform, reason: test)/, '$1, ports: [tcp/80]'),
      );
      here.server.kill('SIGHUP');
      await until(() => here.server.log().split('"policy-loaded"').length > before, here.server.log, 60_000);
      await until(async () => (await tcp(address(9), 443)) === 'ECONNREFUSED', here.server.log);
      t.equal(await tcp(address(9), 80), 'ok', 'the port of now, without another question');
      writeFileSync(join(folder, 'policy.yaml'), text);
      here.server.kill('SIGHUP');
      await until(async () => (await tcp(address(9), 443)) === 'ok', here.server.log, 60_000);
      t.equal(await tcp(address(9), 80), 'ECONNREFUSED');
    });

    await t.test('another program changes much', async (t) => {
      const elements = Array.from({ length: 20_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`).join(', ');
      const foreign = `table inet foreign {\n}\ndelete table inet foreign\ntable inet foreign {\n set s {\n type ipv4_addr\n elements = { ${elements} }\n }\n}\n`;
      const file = join(folder, 'foreign.nft');
      writeFileSync(file, foreign);
      let rounds = 0;
      let isOver = false;
      const loop = (async () => {
        while (!isOver) {
          await must(['nft', '-f', file], { namespace: host });
          rounds++;
        }
      })();
      const results = new Map<string, number>();
      for (let i = 20; i < 80; i++) {
        const asked = await dns(`n${i}`);
        const result = asked.result === 'ok' ? await tcp(address(i)) : asked.result;
        results.set(result, (results.get(result) ?? 0) + 1);
        if ((await tcp(`203.0.200.${i}`)) !== 'ECONNREFUSED') t.fail(`203.0.200.${i} was not refused`);
      }
      isOver = true;
      await loop;
      t.same([...results], [['ok', 60]], `beside ${rounds} commits of 20,000 elements`);
    });

    await t.test(`each side is killed ${KILLS} times`, async (t) => {
      const probes = Array.from({ length: 8 }, (_, i) => address(100 + i));
      let passed = 0;
      let failed = 0;
      let longest = 0;
      let isOver = false;
      for (let i = 0; i < 8; i++) t.equal((await dns(`n${100 + i}`)).result, 'ok');
      const load = (async () => {
        for (let i = 0; !isOver; i++) {
          if ((await tcp(probes[i % 8]!)) !== 'ok') failed++;
          if ((await tcp(`203.0.200.${i & 255}`)) !== 'ECONNREFUSED') passed++;
          if ((await tcp(probes[i % 8]!, 443, OTHER)) !== 'ECONNREFUSED') passed++;
        }
      })();
      for (let round = 0; round < KILLS; round++) {
        const first = round % 2 === 0;
        const kill = async (side: 'enforcer' | 'server'): Promise<void> => {
          here[side].kill('SIGKILL');
          await until(() => here[side].ended(), here[side].log);
          const killed = performance.now();
          here[side] = await (side === 'enforcer' ? enforce : serve)(outer, folder, host);
          longest = Math.max(longest, performance.now() - killed);
        };
        await kill(first ? 'enforcer' : 'server');
        await kill(first ? 'server' : 'enforcer');
        await until(async () => (await dns(`n${110 + (round % 100)}`)).result === 'ok', here.server.log);
        // A grant lives 90 seconds at least, and the long run is longer.
        for (let i = 0; i < 8; i++) await dns(`n${100 + i}`);
      }
      isOver = true;
      await load;
      t.comment(`the longest start took ${longest.toFixed(0)} ms`);
      t.equal(passed, 0, 'nobody reached what was not granted');
      t.equal(failed, 0, 'what was granted could be reached all the while');
    });

    await t.test('a question that waits over TCP while the enforcer is started anew', async (t) => {
      here.enforcer.kill('SIGKILL');
      await until(() => here.enforcer.ended(), here.enforcer.log);
      const asked = until(async () => (await dns('n240')).result === 'ok', here.server.log, 20_000);
      here.enforcer = await enforce(outer, folder, host);
      await asked;
      t.equal(await tcp(address(240)), 'ok');
    });
  },
);

import t from 'tap';
import { dnsdistConfig, dnsmasqConfig, namegateConfig, unboundConfig } from '../../bench/contestants.ts';
import { parseStat } from '../../bench/cpu.ts';
import { LOADS, questions } from '../../bench/loads.ts';
import { APPROVED } from '../../bench/names.ts';

const certificates = {
  server: { certificate: '/c/server.pem', key: '/c/server.key' },
  client: { certificate: '/c/client.pem', key: '/c/client.key' },
  clientCa: '/c/ca.pem',
};
const plain = { folder: '/f', port: 5301, upstream: { port: 5302, ca: null }, tls: null };
const dot = { ...plain, tls: { port: 8531, mutualPort: 8532, certificates } };

t.test(
  'namegate runs with its shipped configuration: where it listens and whom it asks alone is ours',
  async (t) => {
    const config = namegateConfig(plain);
    t.match(config, '  - udp://127.0.0.1:5301\n  - tcp://127.0.0.1:5301\n');
    t.match(config, 'servers: [udp://127.0.0.1:5302]');
    for (const line of ['policy: policy/', '  size: 64MiB', '  ede_text: true', 'state: state/'])
      t.match(config, line);
    for (const gone of ['5300', '9153', 'system']) t.notMatch(config, gone);
    t.match(namegateConfig(dot), 'on: "tls://127.0.0.1:8531", certificate: /c/server.pem');
    t.match(namegateConfig(dot), 'clients: required, client_ca: /c/ca.pem');
  },
);

t.test('every server has the same buffers where it can, one thread, and no query log', async (t) => {
  const unbound = unboundConfig(plain, APPROVED);
  for (const line of ['num-threads: 1', 'so-rcvbuf: 4194304', 'log-queries: no']) t.match(unbound, line);
  const dnsdist = dnsdistConfig(plain, APPROVED);
  t.match(dnsdist, 'setUDPSocketBufferSizes(4194304, 4194304)');
  t.match(dnsdist, 'setMaxTCPClientThreads(1)');
  t.notMatch(dnsmasqConfig(plain, APPROVED), 'log-queries');
  for (const config of [unbound, dnsdist, dnsmasqConfig(plain, APPROVED)])
    t.equal(
      APPROVED.filter((name) => config.includes(name)).length,
      APPROVED.length,
      'every approved name is in it',
    );
});

t.test('a line of /proc/PID/stat, with spaces and brackets in the command', async (t) => {
  const line = '42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 5 0 9 1 1';
  t.same(parseStat(line), { parent: 7, user: 440_000, system: 660_000 });
});

t.test('the loads ask what they say', async (t) => {
  const share = (name: (typeof LOADS)[number]['name']): number => {
    const asked = questions(LOADS.find((load) => load.name === name)!, 1, 0.1);
    const approved = new Set(APPROVED.map((one) => `${one} A`));
    return asked.filter((line) => approved.has(line)).length / asked.length;
  };
  t.ok(Math.abs(share('mixed') - 0.8) < 0.01, '80 % approved');
  t.equal(share('denied'), 0);
  const misses = LOADS.find((load) => load.name === 'misses')!;
  const [first, second] = [questions(misses, 1, 0.1), questions(misses, 2, 0.1)];
  t.equal(new Set([...first, ...second]).size, first.length + second.length, 'no name twice, in any round');
});

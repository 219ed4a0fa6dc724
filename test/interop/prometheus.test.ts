import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { namegate } from './peers.ts';
import { freePort, missing, must, run, start, until } from './process.ts';

/** promtool reads the metrics and the rules, and a real Prometheus gives back what it scraped. */

t.test('the alert rules', { skip: missing('promtool') }, async (t) => {
  const folder = t.testdir();
  copyFileSync('packaging/prometheus/namegate.rules.yml', join(folder, 'namegate.rules.yml'));
  copyFileSync('test/packaging/namegate.rules.test.yml', join(folder, 'rules.test.yml'));
  await must(['promtool', 'test', 'rules', 'rules.test.yml'], { cwd: folder });
  t.pass('promtool test rules');
});

t.test('a scrape', { skip: missing('promtool', 'prometheus', 'dig') }, async (t) => {
  const policy = 'identities: [{ name: one, owner: o, from: { addresses: [127.0.0.0/8] }, allow: [] }]';
  const server = await namegate(t, { policy, upstream: '[udp://127.0.0.1:9]' });
  for (let i = 0; i < 3; i++)
    await run(['dig', `@${server.host}`, '-p', String(server.port), `n${i}.example`]);
  const folder = t.testdir();
  const text = await (await fetch(`${server.health}/metrics`)).text();
  writeFileSync(join(folder, 'metrics.txt'), text);
  const { stdout, stderr } = await run(['sh', '-c', 'promtool check metrics <metrics.txt'], { cwd: folder });
  t.equal(`${stdout}${stderr}`, '', 'promtool check metrics is clean');
  const port = await freePort();
  const target = new URL(server.health).host;
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `scrape_configs: [{ job_name: namegate, scrape_interval: 1s, static_configs: [{ targets: ["${target}"] }] }]\n`,
  );
  const options = ['--config.file=prometheus.yml', `--web.listen-address=127.0.0.1:${port}`];
  const peer = start(t, ['prometheus', ...options, `--storage.tsdb.path=${folder}/data`], { cwd: folder });
  const query = encodeURIComponent('namegate_identity_denied_total{identity="one"}');
  let answer = '';
  const found = async (): Promise<boolean> => {
    try {
      answer = await (await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${query}`)).text();
    } catch {
      // It does not listen yet.
    }
    return answer.includes('"3"');
  };
  await until(found, () => `${answer}\n${peer.log()}`, 20_000);
  t.pass('three denials');
});

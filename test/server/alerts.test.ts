import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Collector } from '../outbox/sinks/collector.ts';
import { until } from '../outbox/sinks/rig.ts';
import { ask } from './client.ts';
import { fetchText, namegate } from './namegate.ts';

const POLICY = `identities:
  - name: me
    owner: team
    review_by: 2027-03-31
    from: { addresses: [127.0.0.1] }
`;

function events(path: string): Record<string, unknown>[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

t.test('alerts: {} writes denials to the state folder, and goes on in a new file after SIGHUP', async (t) => {
  const server = await namegate(t, { policy: POLICY, settings: 'alerts: {}' });
  const path = join(server.folder, 'state/alerts.jsonl');
  await ask(server, 'evil.example');
  await until('the denial is written', () => events(path).length > 0);
  t.match(events(path), [
    { kind: 'deny', seq: 1, identity: 'me', name: 'evil.example', type: 'A', count: 1 },
  ]);
  renameSync(path, `${path}.moved`);
  server.child.kill('SIGHUP');
  await server.logged('reload-unchanged');
  await ask(server, 'other.example');
  await until('the next is in a new file', () => events(path).length > 0);
  t.match(events(path), [{ seq: 2, name: 'other.example' }]);
  await server.stop(t);
});

t.test(
  'a refused sink is a reason in /ready that keeps no client away, and a finding for the others',
  async (t) => {
    const collector = new Collector();
    collector.script = [['401'], ['401'], ['401']];
    await collector.listen(t);
    const server = await namegate(t, {
      policy: POLICY,
      settings: `alerts:
  sinks:
    - { name: siem, type: otlp, to: "http://127.0.0.1:${collector.port}" }
    - { name: local, type: file, to: out.jsonl }
`,
    });
    await ask(server, 'evil.example');
    const path = join(server.folder, 'out.jsonl');
    await until('the finding is written', () =>
      events(path).some(({ finding }) => finding === 'sink-refused'),
    );
    const { status, ready, reasons } = await server.ready();
    t.strictSame([status, ready], [200, true], 'a token of the SIEM takes no server out of rotation');
    t.match(reasons, [
      { code: 'sink-siem', text: /siem is refused, and has stopped: .* answers 401/, blocks: false },
    ]);
    const { body } = await fetchText(`${server.status}/metrics`);
    t.match(body, /^namegate_feed_sink_refused\{sink="siem"\} 1$/m);
    t.match(body, /^namegate_feed_sink_refused\{sink="local"\} 0$/m);
    await server.stop(t);
  },
);

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { FeedEvent } from '../../src/outbox/event.ts';
import { CONNECTED } from '../outbox/sinks/receivers.ts';
import { ask } from '../server/client.ts';
import { keptEvents } from '../server/feed.ts';
import { fetchText, house, Namegate, until } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { FAKETIME, FakedClock } from './faked-clock.ts';

/** The clock jumps by weeks either way: the feed loses no event, forgets no finding, and its sinks go on. */

const skip = FAKETIME === '' && !process.env['CI'] ? 'not installed: libfaketime' : false;

const POLICY = `identities:
  - { name: job, owner: team, review_by: 2099-01-01, from: { addresses: [127.0.0.1] }, allow: [{ name: inner.example, types: [A], reason: test }] }
`;

t.test('the clock jumps by weeks', { skip }, async (t) => {
  t.not(FAKETIME, '', 'libfaketime is installed');
  const up = await upstream(t, ({ name }, to) => to.reply({ answer: [`${name} 60 A 10.0.0.1`] }));
  const [otlp, syslog] = (['otlp over http', 'syslog over tcp'] as const).map((type) =>
    CONNECTED[type].make(null),
  );
  for (const receiver of [otlp!, syslog!]) await receiver.up(t);
  const settings = `alerts:
  sinks:
    - { name: local, type: file, to: local.jsonl, kinds: [finding, deny, heartbeat] }
    - { name: otlp, type: otlp, to: "http://127.0.0.1:${otlp!.port}", kinds: [deny] }
    - { name: syslog, type: syslog, to: "tcp://127.0.0.1:${syslog!.port}", kinds: [deny] }
`;
  const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings });
  const clock = new FakedClock(folder);
  const start = (): Promise<Namegate> => new Namegate(t, folder, { under: clock.under }).started();
  let server = await start();
  let asked = 0;
  /** What was asked is with every receiver that there is. */
  const arrived = async (what: string): Promise<void> => {
    for (let i = 0; i < 3; i++) await ask(server, `n${asked++}.evil.example`);
    await until(
      async () => {
        const { body } = await fetchText(`${server.status}/metrics`);
        const events = Number(/^namegate_feed_events_total\{kind="deny"\} (\d+)$/m.exec(body)?.[1]);
        return events >= asked && [...body.matchAll(/^namegate_feed_sink_events\{.*\} 0$/gm)].length === 3;
      },
      () => `${what}: ${server.stderr}`,
      30_000,
    );
  };
  await ask(server, 'inner.example');
  await arrived('before');
  for (const offset of ['+40d', '-40d', '+0']) {
    clock.jump(offset);
    await arrived(`at ${offset}`);
  }
  clock.jump('+40d');
  await arrived('once more');
  await server.stop(t);
  server = await start();
  await arrived('a restart under the wrong time');
  await server.stop(t);

  const kept = keptEvents(folder);
  t.match(
    kept.find(({ kind }) => kind === 'finding'),
    { finding: 'private-address', activity: 'create' },
    'what was seen before all that is kept',
  );
  hold(t, kept, asked);
  const lines = readFileSync(join(folder, 'local.jsonl'), 'utf8').split('\n').slice(0, -1);
  hold(
    t,
    lines.map((line) => JSON.parse(line) as FeedEvent),
    asked,
  );
  for (const receiver of [otlp!, syslog!])
    t.strictSame(
      [...new Set(receiver.seqs())],
      Array.from({ length: asked }, (_, i) => i + 1),
    );
});

/** Each denial is there in order, nothing was dropped, and each finding that was closed had begun. */
function hold(t: Test, events: readonly FeedEvent[], asked: number): void {
  const of = (wanted: string): FeedEvent[] => events.filter(({ kind }) => kind === wanted);
  t.strictSame(
    of('deny').map(({ seq }) => seq),
    Array.from({ length: asked }, (_, i) => i + 1),
  );
  t.strictSame(of('dropped'), [], 'nothing was dropped');
  t.equal(of('heartbeat').length, 2, 'one heartbeat a start: it beats by the other clock');
  for (const { first = '', last = '', id } of events) t.ok(first <= last, id);
  const findings = of('finding');
  const ended = findings.filter(({ activity }) => activity === 'close').map(({ uid }) => uid);
  t.ok(ended.length > 0, 'a finding was closed');
  t.strictSame(
    ended.filter((uid) => findings.find((event) => event.uid === uid)?.activity !== 'create'),
    [],
  );
}

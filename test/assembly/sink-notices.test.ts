import t from 'tap';
import { SinkNotices } from '../../src/assembly/feed/sink-notices.ts';
import type { DeliveryState } from '../../src/outbox/sinks/sink.ts';
import { createLog } from '../../src/report/log.ts';

/** What the log, `/ready` and the feed say of sinks that come and go. */
function rig() {
  const lines: Record<string, unknown>[] = [];
  const reasons = new Map<string, string>();
  const notes: unknown[] = [];
  const clock = { now: 0 };
  const log = createLog('silent');
  const say = (level: string) => (event: string, msg: string, more: object) =>
    void lines.push({ level, event, msg, ...more });
  Object.assign(log, { info: say('info'), warn: say('warn'), error: say('error') });
  const readiness = {
    warn: (code: string, text: string) => void reasons.set(code, text),
    clear: (code: string) => void reasons.delete(code),
  };
  const notices = new SinkNotices(
    log,
    readiness as never,
    (note) => void notes.push(note),
    () => clock.now,
  );
  const take = (status: DeliveryState['status'], reason = '') =>
    notices.take({ name: 'siem', status, reason, since: 0 });
  return { lines, reasons, notes, clock, notices, take };
}

t.test('a sink that comes and goes has a line a minute, and the last word is true', async (t) => {
  const { lines, clock, notices, take } = rig();
  for (let i = 0; i < 1000; i++) {
    clock.now += 100;
    take(i % 2 === 0 ? 'waiting' : 'ok', i % 2 === 0 ? 'ECONNRESET' : '');
    if (i % 50 === 0) notices.tend();
  }
  t.ok(lines.length <= 3, `${lines.length} lines in 100 s`);
  t.match(lines[0], { level: 'warn', msg: 'events wait for a sink', reason: 'ECONNRESET' });
  t.ok(Number(lines[1]!['changes']) > 500, 'how often it changed is said');
  clock.now += 60_000;
  notices.tend();
  t.match(lines.at(-1), { level: 'info', msg: 'events are delivered again' });
  const told = lines.length;
  clock.now += 600_000;
  notices.tend();
  t.equal(lines.length, told, 'and then there is nothing to say');
  take('waiting', 'down');
  t.equal(lines.length, told + 1, 'what is new is told at once');
});

t.test('a refused sink is told at once, however often', async (t) => {
  const { lines, reasons, notes, take, notices } = rig();
  take('waiting', 'down');
  take('refused', 'answers 401');
  t.match(lines.at(-1), { level: 'error' });
  t.strictSame([...reasons.keys()], ['sink-siem']);
  t.equal(notes.length, 1);
  take('ok');
  t.equal(reasons.size, 0);
  take('refused', 'answers 403');
  notices.keep([]);
  t.equal(reasons.size, 0, 'a sink that is gone is no reason');
});

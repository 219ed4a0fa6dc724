import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLog, type Log } from '../../src/report/log.ts';
import type { LogLevel } from '../../src/settings/settings.ts';
import { child, ended, parseLines } from './lines.ts';

function rig(t: Test, level: LogLevel): { log: Log; lines: () => Record<string, unknown>[] } {
  const file = join(t.testdir(), 'log');
  const fd = openSync(file, 'a');
  const log = createLog(level, fd);
  t.teardown(() => {
    log.close();
    closeSync(fd);
  });
  return {
    log,
    lines: () => {
      log.flush();
      return parseLines(readFileSync(file, 'utf8'));
    },
  };
}

t.test('one JSON line an event', async (t) => {
  const { log, lines } = rig(t, 'info');
  log.info('listening', 'listening on udp://127.0.0.1:53', {
    url: 'udp://127.0.0.1:53',
    receive_buffer: 4096,
  });
  log.warn('reload-failed', 'two problems');
  log.error('fault', 'a bug', { error: new TypeError('no such thing'), count: 3 });
  const [first, second, third] = lines();
  t.match(first!['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  delete first!['time'];
  t.strictSame(first, {
    level: 'info',
    event: 'listening',
    url: 'udp://127.0.0.1:53',
    receive_buffer: 4096,
    msg: 'listening on udp://127.0.0.1:53',
  });
  t.match(second, { level: 'warn', event: 'reload-failed', msg: 'two problems' });
  t.match(third, {
    level: 'error',
    count: 3,
    error: { type: 'TypeError', message: 'no such thing', stack: /log\.test\.ts/ },
  });
});

t.test('what is below the level is not written', async (t) => {
  for (const [level, count] of [
    ['trace', 4],
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const) {
    const { log, lines } = rig(t, level);
    log.debug('starting', 'd');
    log.info('starting', 'i');
    log.warn('starting', 'w');
    log.error('starting', 'e');
    t.equal(lines().length, count, level);
    log.close();
  }
});

t.test('what clients send stays inside its line', async (t) => {
  const { log, lines } = rig(t, 'info');
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  log.info('fault', 'a\nb"}\u0007\u2028', { name: 'x\n{"level":"error"}', circular, big: 10n });
  const all = lines();
  t.equal(all.length, 1);
  t.match(all[0], { name: 'x\n{"level":"error"}', msg: 'a\nb"}\u0007\u2028' });
});

t.test('lines are there soon without a flush', async (t) => {
  const file = join(t.testdir(), 'log');
  const fd = openSync(file, 'a');
  const log = createLog('info', fd);
  log.info('ready', 'soon');
  // The timer of the log does not keep a process alive; this one does.
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.equal(parseLines(readFileSync(file, 'utf8')).length, 1);
  log.close();
  closeSync(fd);
  log.info('ready', 'too late');
  t.equal(log.dropped, 1);
});

t.test('process.exit right after a line, on the first tick and in a burst', async (t) => {
  const script = `
    const log = createLog('info');
    for (let i = 0; i < COUNT; i++) log.info('starting', 'x'.repeat(100), { i });
    process.exit(3);
  `;
  for (const count of [1, 2000]) {
    const { code, text } = await ended(child(script.replace('COUNT', String(count)), 'log.ts'));
    t.equal(code, 3);
    t.same(
      parseLines(text).map(({ i }) => i),
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

t.test('a process that just ends, and one that dies of an exception', async (t) => {
  const natural = await ended(child(`createLog('info').info('stopped', 'bye');`, 'log.ts'));
  t.equal(natural.code, 0);
  t.equal(parseLines(natural.text).length, 1);
  const thrown = await ended(
    child(`createLog('info').info('stopped', 'bye'); throw new Error('a bug');`, 'log.ts'),
  );
  t.equal(thrown.code, 1);
  t.match(thrown.text, /"msg":"bye"/);
});

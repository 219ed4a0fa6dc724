import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Sink } from '../../src/report/log-sink.ts';
import { child, ended } from './lines.ts';

t.test('lines reach a file whole and in order, in few writes', async (t) => {
  const file = join(t.testdir(), 'log');
  const fd = openSync(file, 'a');
  const sink = new Sink(fd);
  const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${'é'.repeat(i % 50)}\n`);
  for (const line of lines) sink.write(line);
  const before = readFileSync(file, 'utf8');
  t.ok(before.length > 0 && before.length < lines.join('').length, 'written as it fills');
  t.equal(sink.flush(), true);
  t.equal(readFileSync(file, 'utf8'), lines.join(''));
  sink.close();
  sink.close();
  closeSync(fd);
  t.equal(sink.dropped, 0);
});

t.test('a full disk costs lines, and ends nothing', { skip: process.platform !== 'linux' }, async (t) => {
  const fd = openSync('/dev/full', 'w');
  const sink = new Sink(fd);
  for (let i = 0; i < 10; i++) sink.write('a line\n');
  t.equal(sink.flush(), true, 'nothing waits any more');
  t.equal(sink.dropped, 10);
  sink.write('another\n');
  sink.close();
  t.equal(sink.dropped, 11);
  closeSync(fd);
});

t.test('a full disk does not hold up process.exit', { skip: process.platform !== 'linux' }, async (t) => {
  const fd = openSync('/dev/full', 'w');
  const script = `new Sink(2).write('x\\n'); process.exit(4);`;
  t.match(await ended(child(script, 'log-sink.ts', fd)), { code: 4, signal: null });
  closeSync(fd);
});

t.test('a reader that went away does not hold up process.exit', async (t) => {
  const script = `
    const sink = new Sink(2);
    setTimeout(() => {
      sink.write('x\\n');
      process.exit(5);
    }, 200);
  `;
  const gone = child(script, 'log-sink.ts');
  gone.stderr!.destroy();
  t.match(await ended(gone), { code: 5, signal: null });
});

/** Logs far more than a pipe holds to one that nobody reads, and says how that went in the file `facts`. */
const flood = (facts: string): string => `
  const sink = new Sink(2);
  for (let i = 0; i < 20000; i++) sink.write('x'.repeat(400) + '\\n');
  fs.writeFileSync(${JSON.stringify(facts)}, JSON.stringify({ dropped: sink.dropped }));
  process.exit(6);
`;

interface Facts {
  readonly dropped: number;
}

t.test(
  'a pipe whose reader stands still costs lines, not time',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const dir = t.testdir();
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = spawn('sh', ['-c', 'exec sleep 30 < "$0"', pipe], { stdio: 'ignore' });
    t.teardown(() => reader.kill());
    const fd = openSync(pipe, 'w');
    const { code, signal } = await ended(child(flood(join(dir, 'facts')), 'log-sink.ts', fd));
    closeSync(fd);
    t.match({ code, signal }, { code: 6, signal: null }, 'it came to its end, though nobody reads');
    const facts = JSON.parse(readFileSync(join(dir, 'facts'), 'utf8')) as Facts;
    t.ok(facts.dropped > 10_000, `${facts.dropped} of 20,000 lines were dropped`);
  },
);

t.test('a socket whose reader stands still, as journald has one', async (t) => {
  const facts = join(t.testdir(), 'facts');
  // Node gives a child one end of a socket pair. It is not read until the child is over.
  const writer = child(flood(facts), 'log-sink.ts');
  const over = once(writer, 'exit');
  const timer = setTimeout(() => writer.kill('SIGKILL'), 60_000);
  t.same(await over, [6, null]);
  clearTimeout(timer);
  writer.stderr!.destroy();
  t.ok((JSON.parse(readFileSync(facts, 'utf8')) as Facts).dropped > 10_000);
});

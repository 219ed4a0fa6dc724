import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import {
  allArrived,
  type Cells,
  NO_CERTIFICATE,
  NO_LIMIT,
  NO_TOKEN,
  READS_NOTHING,
  trouble,
} from './cells.ts';
import type { Receiver } from './receivers.ts';
import { NO_TLS, once, Rig, TERMS, until, upTo } from './rig.ts';
import { StdoutReader } from './stdout-reader.ts';

/** How what a sink writes to fails where there is no connection: a file, the standard output, datagrams. */

/** Lines of JSON in a file. */
function linesOf(path: string): Pick<Receiver, 'seqs'> {
  const seqs = (): number[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
  return { seqs };
}

async function fileSink(t: Test, path: string): Promise<Rig> {
  const rig = new Rig(t);
  await rig.use({ ...TERMS, type: 'file', path, size: 1e6, keep: 1 });
  return rig;
}

export const FILE: Cells = {
  'down at the start': async (t) => {
    const folder = join(t.testdir(), 'later');
    writeFileSync(folder, '');
    const rig = await fileSink(t, join(folder, 'alerts.jsonl'));
    rig.deny(3);
    t.match(await trouble(rig, 'it waits'), /^waiting .*(ENOTDIR|EEXIST)/);
    rmSync(folder);
    mkdirSync(folder);
    await allArrived(t, rig, linesOf(join(folder, 'alerts.jsonl')), 3);
  },
  'down later': async (t) => {
    const folder = join(t.testdir(), 'now');
    const path = join(folder, 'alerts.jsonl');
    const rig = await fileSink(t, path);
    rig.deny(3);
    await allArrived(t, rig, linesOf(path), 3);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
    rig.deny(3);
    t.match(await trouble(rig, 'it waits'), /^waiting /);
    rmSync(folder);
    await until('all is acknowledged', () => rig.acknowledged());
    t.strictSame(once(linesOf(path).seqs()), [4, 5, 6], 'what was in the folder went with it');
  },
  slow: 'the system writes at once, or says that it cannot',
  // What a run that was killed left of its last line.
  garbage: async (t) => {
    const path = join(t.testdir(), 'alerts.jsonl');
    writeFileSync(path, '{"seq":9');
    const rig = await fileSink(t, path);
    rig.deny(3);
    await allArrived(t, rig, linesOf(path), 3);
  },
  'half-open': 'it has no other end',
  reset: 'it has no other end',
  'refused token': NO_TOKEN,
  'certificate ended': NO_CERTIFICATE,
  'disk full': 'file.test.ts has a disk of its own for it',
  'too large': 'a line may be as long as the disk is large',
};

export const STDOUT: Cells = {
  'down at the start': async (t) => {
    const reader = new StdoutReader(t, 3);
    reader.leave();
    reader.deny();
    await reader.says(/^waiting standard output: EPIPE/m);
    reader.come();
    await reader.says(/^done 3$/m);
    t.strictSame(once(await reader.seqs(3)), upTo(3));
  },
  'down later': async (t) => {
    const reader = new StdoutReader(t, 3);
    reader.deny();
    await reader.says(/^done 3$/m);
    t.strictSame(once(await reader.seqs(3)), upTo(3));
    reader.leave();
    reader.deny();
    await reader.says(/^waiting standard output: EPIPE/m);
    reader.come();
    await reader.says(/^done 6$/m);
    t.strictSame(once(await reader.seqs(6)), upTo(6));
  },
  slow: async (t) => {
    const reader = new StdoutReader(t, 500);
    reader.deny();
    await reader.says(/^waiting standard output: its reader is slow/m);
    t.strictSame(await reader.seqs(500), upTo(500), 'what was written in part goes on where it stopped');
    await reader.says(/^done 500$/m);
  },
  garbage: READS_NOTHING,
  // journald's, say: a stream socket, whose other end is there and reads nothing.
  'half-open': async (t) => {
    const reader = new StdoutReader(t, 2_000, 'socket');
    reader.deny();
    await reader.says(/^waiting standard output: its reader is slow/m);
    t.strictSame(await reader.seqs(2_000), upTo(2_000));
    await reader.says(/^done 2000$/m);
  },
  reset: 'a pipe has no reset',
  'refused token': NO_TOKEN,
  'certificate ended': NO_CERTIFICATE,
  'disk full': async (t) => {
    const reader = new StdoutReader(t, 3, '/dev/full');
    reader.deny();
    await reader.says(/^waiting standard output: ENOSPC/m);
  },
  'too large': 'a line may be as long as its reader reads',
};

/** A receiver of datagrams; nobody is told what it does not take. */
async function datagrams(t: Test, port = 0, answer: string | null = null) {
  const socket = createSocket('udp4');
  const found: number[] = [];
  socket.on('message', (message, from) => {
    const text = message.toString();
    found.push((JSON.parse(text.slice(text.indexOf('{'))) as { seq: number }).seq);
    if (answer !== null) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  let isOpen = true;
  const close = (): void => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  t.teardown(close);
  return { port: socket.address().port, seqs: () => found, close };
}

async function udpSink(t: Test, port: number): Promise<Rig> {
  const rig = new Rig(t);
  const where = { protocol: 'udp', host: '127.0.0.1', port, tls: NO_TLS } as const;
  await rig.use({ ...TERMS, type: 'syslog', ...where });
  return rig;
}

export const UDP: Cells = {
  // At most once: what is sent to nobody is gone, and the next is sent all the same.
  'down at the start': async (t) => {
    const first = await datagrams(t);
    first.close();
    const rig = await udpSink(t, first.port);
    rig.deny(3);
    await until('they count', () => rig.acknowledged());
    const receiver = await datagrams(t, first.port);
    rig.deny(3);
    await until('the next arrive', () => receiver.seqs().length === 3);
    t.strictSame(receiver.seqs(), [4, 5, 6]);
    t.equal(rig.sinks.states[0]?.status, 'ok');
  },
  'down later': async (t) => {
    const first = await datagrams(t);
    const rig = await udpSink(t, first.port);
    rig.deny(2);
    await until('they arrive', () => first.seqs().length === 2);
    first.close();
    rig.deny(2);
    await until('they count', () => rig.acknowledged());
    const receiver = await datagrams(t, first.port);
    rig.deny(2);
    await until('the next arrive', () => receiver.seqs().length === 2);
    t.strictSame(receiver.seqs(), [5, 6]);
  },
  slow: 'a datagram waits for nobody',
  garbage: async (t) => {
    const receiver = await datagrams(t, 0, '<html>Welcome to the hotel</html>');
    const rig = await udpSink(t, receiver.port);
    rig.deny(3);
    await until('they arrive', () => receiver.seqs().length === 3);
    rig.deny(3);
    await until('the next arrive', () => receiver.seqs().length === 6);
    t.equal(rig.sinks.states[0]?.status, 'ok');
  },
  'half-open': 'there is no connection',
  reset: 'there is no connection',
  'refused token': NO_TOKEN,
  'certificate ended': NO_CERTIFICATE,
  'disk full': NO_LIMIT,
  'too large': async (t) => {
    const receiver = await datagrams(t);
    const rig = await udpSink(t, receiver.port);
    rig.deny(3, (n) => (n === 2 ? { text: 'x'.repeat(70_000) } : {}));
    await until('the others arrive', () => rig.acknowledged() && receiver.seqs().length === 2);
    t.match(rig.store.dead('siem', 9), [{ event: { seq: 2 }, reason: /more than a datagram holds/ }]);
  },
};

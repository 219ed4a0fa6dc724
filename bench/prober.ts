/**
 * A client that keeps one question in flight: it sends, waits in the kernel for the answer, and notes how long that took.
 * Blocking calls, so that no event loop of ours is in the figures. A program of its own, since it blocks:
 *
 *     node bench/prober.ts [ADDRESS:]PORT SECONDS PACE NAME…
 *
 * asks 127.0.0.1, or the address, for the names in turn, a question each PACE microseconds (0: as soon as the last is answered), and prints
 * {"latencies": […], "gap": …}: milliseconds ascending, and the longest time between two answers in a row. Ends with an
 * error when an answer takes a second.
 */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { printHelp } from './help.ts';
import { question } from './messages.ts';

export interface Probed {
  /** Milliseconds of each answer, ascending. */
  readonly latencies: Float64Array;
  /** Milliseconds. */
  readonly gap: number;
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

interface Library {
  func(prototype: string): (...args: unknown[]) => unknown;
}

function probe(host: string, port: number, seconds: number, pace: number, names: readonly string[]): Probed {
  const koffi = createRequire(import.meta.url)('koffi') as { load(path: null): Library };
  const lib = koffi.load(null);
  const socket = lib.func('int socket(int, int, int)');
  const connect = lib.func('int connect(int, void *, uint32_t)');
  const setsockopt = lib.func('int setsockopt(int, int, int, void *, uint32_t)');
  const send = lib.func('long send(int, void *, size_t, int)');
  const receive = lib.func('long recv(int, void *, size_t, int)');
  const usleep = lib.func('int usleep(uint32_t)');
  const close = lib.func('int close(int)');

  const fd = Number(socket(AF_INET, SOCK_DGRAM, 0));
  const second = Buffer.alloc(16);
  second.writeBigInt64LE(1n);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, second, 16);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET);
  address.writeUInt16BE(port, 2);
  address.set(host.split('.').map(Number), 4);
  if (Number(connect(fd, address, 16)) < 0) throw new Error('connect failed');

  const queries = names.map((name) => question(name));
  const reply = Buffer.alloc(4096);
  const found: number[] = [];
  const started = performance.now();
  const end = started + seconds * 1000;
  let answered = started;
  let gap = 0;
  for (let id = 0; ; id++) {
    const due = started + (id * pace) / 1000;
    const early = Math.floor((due - performance.now()) * 1000);
    if (early > 0) usleep(early);
    const query = queries[id % queries.length]!;
    query.writeUInt16BE(id & 0xffff);
    const sent = performance.now();
    if (sent >= end) break;
    send(fd, query, query.length, 0);
    const length = Number(receive(fd, reply, reply.length, 0));
    if (length < 12 || reply.readUInt16BE() !== (id & 0xffff)) throw new Error(`no answer to question ${id}`);
    const now = performance.now();
    found.push(now - sent);
    if (id > 0) gap = Math.max(gap, now - answered);
    answered = now;
  }
  close(fd);
  return { latencies: Float64Array.from(found).sort(), gap };
}

if (import.meta.main && isMainThread && !printHelp(import.meta.url)) {
  const [place = '', seconds = '', pace = '', ...names] = process.argv.slice(2);
  const [port = '', host = '127.0.0.1'] = place.split(':').reverse();
  const { latencies, gap } = probe(host, Number(port), Number(seconds), Number(pace), names);
  const told = [...latencies].map((ms) => Number(ms.toFixed(5)));
  process.stdout.write(JSON.stringify({ latencies: told, gap: Number(gap.toFixed(5)) }));
}

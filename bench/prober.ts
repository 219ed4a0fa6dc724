/**
 * A client that keeps one question in flight: it sends, waits in the kernel for the answer, and notes how long that took.
 * Blocking calls, so that no event loop of ours is in the figures. A program of its own, since it blocks:
 *
 *     node bench/prober.ts [--server PID] [ADDRESS:]PORT SECONDS PACE NAME…
 *
 * asks 127.0.0.1, or the address, for the names in turn, a question each PACE microseconds (0: as soon as the last is answered), and prints
 * {"latencies": […], "codes": {…}, "gap": …, "slow": […]}: milliseconds ascending, what was answered how often, and the longest time
 * between two answers in a row. Where the server's process is given, its slow answers follow. Ends with an error when an answer takes a second.
 */
import { openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { printHelp } from './help.ts';
import { codeOf, question } from './messages.ts';

export interface Probed {
  /** Milliseconds of each answer, ascending. */
  readonly latencies: Float64Array;
  readonly codes: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly gap: number;
  /** Answers that took the server `SLOW_MS` or more by its own doing, in the order in which they came. */
  readonly slow: readonly SlowAnswer[];
}

/** What a slow answer's time was. All are milliseconds. */
export interface SlowAnswer {
  /** When the question went out, on the system's monotonic clock. */
  readonly at: number;
  readonly took: number;
  /** That without the waits of the server's main thread and of this client for a processor: what another machine would not mend. */
  readonly own: number;
  /** For how long of it the server's main thread ran. In the rest it slept, or the kernel held it. */
  readonly ran: number;
}

/** Of `SlowAnswer.own`: others are not told. */
const SLOW_MS = 1;

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

interface Library {
  func(prototype: string): (...args: unknown[]) => unknown;
}

/** What the scheduler has counted of a process's main thread, in /proc/PID/schedstat. */
class Scheduled {
  /** Milliseconds for which it ran, and for which it could run and had no processor. */
  ran = 0;
  waited = 0;
  readonly #file: number;
  readonly #text = Buffer.alloc(64);

  constructor(pid: number) {
    this.#file = openSync(`/proc/${pid}/schedstat`, 'r');
  }

  read(): void {
    readSync(this.#file, this.#text, 0, 64, 0);
    const end = this.#text.indexOf(0x20);
    this.ran = Number(this.#text.toString('latin1', 0, end)) / 1e6;
    this.waited = Number(this.#text.toString('latin1', end + 1, this.#text.indexOf(0x20, end + 1))) / 1e6;
  }
}

function probe(
  host: string,
  port: number,
  seconds: number,
  pace: number,
  names: readonly string[],
  pid: number | null,
): Probed {
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
  // Of the header's last four bits: texts are made when the time is over.
  const counts = new Uint32Array(16);
  const slow: SlowAnswer[] = [];
  const server = pid === null ? null : new Scheduled(pid);
  const self = new Scheduled(process.pid);
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
    server?.read();
    if (server !== null) self.read();
    const waits = server === null ? 0 : server.waited + self.waited;
    const ran = server?.ran ?? 0;
    const sent = performance.now();
    if (sent >= end) break;
    send(fd, query, query.length, 0);
    const length = Number(receive(fd, reply, reply.length, 0));
    if (length < 12 || reply.readUInt16BE() !== (id & 0xffff)) throw new Error(`no answer to question ${id}`);
    const now = performance.now();
    const took = now - sent;
    found.push(took);
    counts[reply[3]! & 15]!++;
    if (server !== null && took >= SLOW_MS) {
      server.read();
      self.read();
      const own = took - (server.waited + self.waited - waits);
      if (own >= SLOW_MS)
        slow.push({ at: Number(process.hrtime.bigint()) / 1e6 - took, took, own, ran: server.ran - ran });
    }
    if (id > 0) gap = Math.max(gap, now - answered);
    answered = now;
  }
  close(fd);
  const codes: Record<string, number> = {};
  for (const [code, count] of counts.entries()) if (count > 0) codes[codeOf([0, 0, 0, code])] = count;
  return { latencies: Float64Array.from(found).sort(), codes, gap, slow };
}

if (import.meta.main && isMainThread && !printHelp(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { server: { type: 'string' } },
  });
  const [place = '', seconds = '', pace = '', ...names] = positionals;
  const [port = '', host = '127.0.0.1'] = place.split(':').reverse();
  const pid = values.server === undefined ? null : Number(values.server);
  const probed = probe(host, Number(port), Number(seconds), Number(pace), names, pid);
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toFixed(5)) : value;
  process.stdout.write(JSON.stringify({ ...probed, latencies: [...probed.latencies] }, short));
}

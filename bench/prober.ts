/**
 * A client that keeps one question in flight: it sends, waits in the kernel for the answer, and notes how long that took.
 * Blocking calls, so that no event loop of ours is in the figures. A program of its own, since it blocks:
 *
 *     node bench/prober.ts PORT SECONDS NAME
 *
 * prints {"latencies": […]} in milliseconds, ascending. Ends with an error when an answer takes a second.
 */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { nameFromText } from '../src/wire/name.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

interface Library {
  func(prototype: string): (...args: unknown[]) => unknown;
}

/** Asks 127.0.0.1 for `name` again and again. Returns the milliseconds of each answer, ascending. */
export function probe(port: number, seconds: number, name: string): Float64Array {
  const koffi = createRequire(import.meta.url)('koffi') as { load(path: null): Library };
  const lib = koffi.load(null);
  const socket = lib.func('int socket(int, int, int)');
  const connect = lib.func('int connect(int, void *, uint32_t)');
  const setsockopt = lib.func('int setsockopt(int, int, int, void *, uint32_t)');
  const send = lib.func('long send(int, void *, size_t, int)');
  const receive = lib.func('long recv(int, void *, size_t, int)');
  const close = lib.func('int close(int)');

  const fd = Number(socket(AF_INET, SOCK_DGRAM, 0));
  const second = Buffer.alloc(16);
  second.writeBigInt64LE(1n);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, second, 16);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  if (Number(connect(fd, address, 16)) < 0) throw new Error('connect failed');

  const query = question(name);
  const reply = Buffer.alloc(4096);
  const found: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let id = 0; ; id++) {
    query.writeUInt16BE(id & 0xffff);
    const sent = performance.now();
    if (sent >= end) break;
    send(fd, query, query.length, 0);
    const length = Number(receive(fd, reply, reply.length, 0));
    if (length < 12 || reply.readUInt16BE() !== (id & 0xffff)) throw new Error(`no answer to question ${id}`);
    found.push(performance.now() - sent);
  }
  close(fd);
  return Float64Array.from(found).sort();
}

/** A question for an A record with RD and OPT, ID 0. */
function question(name: string): Buffer {
  const wire = nameFromText(name);
  if (!(wire instanceof Uint8Array)) throw new Error(`${name} is not a name`);
  const header = Buffer.from('000001000001000000000001', 'hex');
  return Buffer.concat([header, wire, Buffer.from('0001000100002904d0000000000000', 'hex')]);
}

if (import.meta.main && isMainThread) {
  const [port = '', seconds = '', name = ''] = process.argv.slice(2);
  const latencies = probe(Number(port), Number(seconds), name);
  process.stdout.write(JSON.stringify({ latencies: [...latencies].map((ms) => Number(ms.toFixed(5))) }));
}

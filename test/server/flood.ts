import { readFileSync } from 'node:fs';
import { Client, framed, type Place } from './client.ts';
import { Random } from './random.ts';

/** Many questions in little time, about names that nobody approved. */

/** Octets of a query for a random name of `labels` below `zone`, without EDNS. */
function deniedQuery(random: Random, id: number, zone: Buffer): Buffer {
  const size = 8 + random.below(24);
  const query = Buffer.alloc(12 + 1 + size + zone.length + 4);
  query.writeUInt16BE(id, 0);
  query.writeUInt16BE(0x0100, 2);
  query.writeUInt16BE(1, 4);
  query[12] = size;
  for (let i = 0; i < size; i++) query[13 + i] = 97 + random.below(26);
  zone.copy(query, 13 + size);
  query.writeUInt16BE(random.once(2) ? 1 : 28, query.length - 4);
  query.writeUInt16BE(1, query.length - 2);
  return query;
}

/** `evil.example` */
const ZONE = Buffer.from('\u0004evil\u0007example\u0000', 'latin1');

/** Sends `count` questions over one connection and waits for as many answers; returns how many of them were NXDOMAIN. */
export async function floodTcp(place: Place, count: number, seed: number, from?: string): Promise<number> {
  const client = await Client.open(place, 'tcp', from);
  const socket = client.stream;
  const random = new Random(seed);
  const batch = 1000;
  let denied = 0;
  for (let sent = 0; sent < count; sent += batch) {
    const queries = Array.from({ length: batch }, (_, i) => framed(deniedQuery(random, i, ZONE)));
    socket.write(Buffer.concat(queries));
    while (client.strays.length < batch && !client.ended) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const reply of client.strays.splice(0)) if ((reply[3]! & 15) === 3) denied++;
    if (client.ended) break;
  }
  client.close();
  return denied;
}

/** Sends `count` questions as datagrams, a few hundred at a time, and returns how many replies came. */
export async function floodUdp(place: Place, count: number, seed: number, from?: string): Promise<number> {
  const client = await Client.open(place, 'udp', from);
  const random = new Random(seed);
  let replies = 0;
  for (let sent = 0; sent < count; sent += 200) {
    for (let i = 0; i < 200; i++) client.send(deniedQuery(random, i, ZONE));
    const until = performance.now() + 200;
    while (client.strays.length < 200 && performance.now() < until) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    replies += client.strays.splice(0).length;
  }
  client.close();
  return replies;
}

/** Octets of memory that are a process's own (Linux), without pages of files; null where that cannot be read. */
export function residentOctets(pid: number): number | null {
  try {
    const [, kibibytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kibibytes === undefined ? null : Number(kibibytes) * 1024;
  } catch {
    return null;
  }
}

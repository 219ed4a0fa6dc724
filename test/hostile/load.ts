import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Place } from '../server/client.ts';
import { Random } from '../server/random.ts';
import { REAL_TIME } from './latency.ts';

/** Load that a test process could not make itself, and what a server's process uses under it. */

/** Writes a file of questions for dnsperf: random names that no policy approves. Returns its path. */
export function deniedNames(folder: string, count: number, seed: number): string {
  const random = new Random(seed);
  const label = (): string => random.next().toString(36) + random.next().toString(36);
  let text = '';
  for (let i = 0; i < count; i++) text += `${label()}.${label()}.evil.test A\n`;
  const file = join(folder, `denied-${seed}`);
  writeFileSync(file, text);
  return file;
}

export interface Flood {
  /** Questions sent and answered; it ends by itself. */
  readonly done: Promise<{ readonly sent: number; readonly answered: number; readonly seconds: number }>;
}

export interface FloodOptions {
  readonly place: Place;
  /** The client's address. */
  readonly from: string;
  /** A file from `deniedNames`. */
  readonly names: string;
  readonly seconds: number;
  /** Questions in flight at once: as fast as they are answered. */
  readonly inFlight: number;
}

/** dnsperf, as fast as the server answers. It gives way to the server and to the process that takes the times. */
export function flood(t: Test, { place, from, names, seconds, inFlight }: FloodOptions): Flood {
  const where = ['-s', place.host, '-p', String(place.udp), '-a', from, '-d', names];
  const shape = ['-l', String(seconds), '-c', '8', '-q', String(inFlight), '-T', '1'];
  const scheduled = REAL_TIME ? ['chrt', '--fifo', '5'] : ['nice', '-n', '5'];
  const child = spawn('env', ['-u', 'NODE_OPTIONS', ...scheduled, 'dnsperf', ...where, ...shape], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const number = (label: string): number => {
    const found = new RegExp(`^\\s*${label}:\\s+([\\d.]+)`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`dnsperf printed no "${label}":\n${text}`);
    return Number(found);
  };
  t.teardown(() => child.kill('SIGKILL'));
  return {
    done: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => {
        try {
          resolve({
            sent: number('Queries sent'),
            answered: number('Queries completed'),
            seconds: number('Run time \\(s\\)'),
          });
        } catch (error) {
          reject(error);
        }
      });
    }),
  };
}

/** Octets of memory that are a process's own (Linux). Pages of files, such as the program's, come and go as the system likes. */
export function residentOctets(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib) * 1024;
}

/** Descriptors that a process has open. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Seconds of processor time that a process has used. Linux counts 100 a second. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export const MIB = 1024 * 1024;

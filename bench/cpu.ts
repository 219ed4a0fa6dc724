import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that a process spent, in microseconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/** Linux counts in /proc by USER_HZ, which is 100 on every platform that Node runs on. */
const TICK = 10_000;

/**
 * What a process has spent with all its threads, those that have ended too, and with its children, those that it has
 * waited for too. The scheduler's exact sum stands behind utime + stime; the resolution is 10 ms. Zero for a process that
 * is gone.
 */
export function cpuOf(pid: number): CpuTime {
  let user = 0;
  let system = 0;
  for (const member of withDescendants(pid)) {
    const stat = readStat(member);
    if (stat === null) continue;
    user += stat.user;
    system += stat.system;
  }
  return { user, system };
}

export function cpuBetween(before: CpuTime, after: CpuTime): CpuTime {
  return { user: after.user - before.user, system: after.system - before.system };
}

/** Resident memory of a process in octets (VmRSS). */
export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Milliseconds that a process's main thread has waited for a processor although it could run (/proc/PID/schedstat). */
export function waitedOf(pid: number): number {
  const [, waited = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ');
  return Number(waited) / 1e6;
}

export interface Stat extends CpuTime {
  readonly parent: number;
}

/** Reads a line of /proc/PID/stat (proc(5)): fields 4, 14 to 17. The command in field 2 may hold anything. */
export function parseStat(line: string): Stat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), user: (field(14) + field(16)) * TICK, system: (field(15) + field(17)) * TICK };
}

function readStat(pid: number): Stat | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

function withDescendants(pid: number): Set<number> {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readStat(Number(entry));
    if (stat !== null) parents.set(Number(entry), stat.parent);
  }
  const members = new Set([pid]);
  for (let before = 0; before !== members.size; ) {
    before = members.size;
    for (const [child, parent] of parents) if (members.has(parent)) members.add(child);
  }
  return members;
}

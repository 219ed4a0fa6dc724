/** One case of a fuzz run, and the file that lets it be run again. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../server/random.ts';

export type Driver = 'wire' | 'server' | 'upstream';

export const DRIVERS: readonly Driver[] = ['wire', 'server', 'upstream'];

export interface Case {
  readonly octets: Buffer;
  /** How it travels; the wire driver has no transport. */
  readonly over: 'udp' | 'tcp';
  /** Upstream: the name whose question it is sent as an answer to. */
  readonly ask: string | null;
}

export interface RunOptions {
  readonly cases: number;
  readonly seed: number;
  readonly progress?: (done: number) => void;
}

export interface RunResult {
  readonly cases: number;
  /** What went wrong, with how to see it again, or null. */
  readonly failure: string | null;
  /** What happened, for people. */
  readonly told: string;
}

/** A sequence of its own for each case, so that one can be made without those before it. */
export function randomOf(seed: number, index: number): Random {
  const mixed = new Random(seed ^ Math.imul(index + 1, 0x9e3779b1));
  return new Random(mixed.next() ^ Math.imul(mixed.next(), 0x85ebca6b));
}

/** A case as a file in the form of `test/vectors/`, with `over:` and `ask:` lines where they matter. */
export function caseText(driver: Driver, { octets, over, ask }: Case, comment: string): string {
  const lines = comment.split('\n').map((line) => `# ${line}`);
  const hex = octets.toString('hex').replace(/.{1,96}/g, (part) => `${part}\n`);
  const head = [...lines, `driver: ${driver}`, `over: ${over}`, ...(ask === null ? [] : [`ask: ${ask}`])];
  return `${head.join('\n')}\n${hex}`;
}

/** Writes the case into a new folder of the system's temporary one; returns the path. */
export function keepCase(driver: Driver, each: Case, comment: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'namegate-fuzz-')), `${driver}.txt`);
  writeFileSync(path, caseText(driver, each, comment));
  return path;
}

/** Reads such a file, or a vector; `driver` is null where it is for all. */
export function readCase(path: string): { readonly driver: Driver | null; readonly each: Case } {
  let driver: Driver | null = null;
  let over: Case['over'] = 'udp';
  let ask: string | null = null;
  let hex = '';
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const bare = line.split('#', 1)[0]!.trim();
    const [, key, value] = /^(driver|over|ask|expect): (.*)$/.exec(bare) ?? [];
    if (key === 'driver') driver = DRIVERS.find((known) => known === value) ?? null;
    else if (key === 'over') over = value === 'tcp' ? 'tcp' : 'udp';
    else if (key === 'ask') ask = value ?? null;
    else if (key === undefined) hex += bare.replaceAll(/\s/g, '');
  }
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new Error(`${path} holds what is not hexadecimal`);
  return { driver, each: { octets: Buffer.from(hex, 'hex'), over, ask } };
}

/** Takes octets away, then sets them to zero, as long as `fails` says that it still fails; at most `tries` times. */
export async function minimise(
  octets: Buffer,
  fails: (octets: Buffer) => boolean | Promise<boolean>,
  tries: number,
): Promise<Buffer> {
  let best = octets;
  let left = tries;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && left > 0; left--) {
      const fewer = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await fails(fewer)) best = fewer;
      else at += size;
    }
  }
  for (let at = 0; at < best.length && left > 0; at++) {
    if (best[at] === 0) continue;
    const plainer = Buffer.from(best);
    plainer[at] = 0;
    left--;
    if (await fails(plainer)) best = plainer;
  }
  return best;
}

import { globSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** libfaketime, for programs with threads; empty where it is not installed. */
export const FAKETIME = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0] ?? '';

/**
 * A wall clock of a process that a test sets. libfaketime stands before the C library and moves that clock alone: the clock that
 * timers run on goes on, as it does when an administrator or NTP sets the time.
 */
export class FakedClock {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = join(folder, 'clock');
    this.jump('+0');
  }

  /** From now on the process is so far from the real time: `+1d`, `-1d`, `+0`. */
  jump(offset: string): void {
    writeFileSync(`${this.#file}.new`, offset);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** The program with its arguments that runs another under this clock. */
  get under(): string[] {
    const variables = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    return ['env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  }
}

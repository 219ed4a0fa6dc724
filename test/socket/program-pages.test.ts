import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadNative } from '../../src/socket/linux-native.ts';
import { unchangedRanges } from '../../src/socket/program-pages.ts';

const PROGRAM = '/opt/node 26/bin/node';
const MIB = 1_048_576;
const native = loadNative();

/** A mapping as proc_pid_smaps(5) shows it. */
function mapping(range: string, rights: string, file: string, anonymous: number): string {
  const head = `${range} ${rights} 00000000 fe:00 123                        ${file}`;
  return `${head}\nSize:   64 kB\nRss:    64 kB\nAnonymous:  ${String(anonymous).padStart(6)} kB\nVmFlags: rd ex mr mw me\n`;
}

t.test('code and constants of the program alone, and only where nobody wrote', async (t) => {
  const cases: [what: string, rights: string, file: string, anonymous: number, isTaken: boolean][] = [
    ['code', 'r-xp', PROGRAM, 0, true],
    ['constants', 'r--p', PROGRAM, 0, true],
    ['constants that the loader wrote', 'r--p', PROGRAM, 4, false],
    ['variables', 'rw-p', PROGRAM, 0, false],
    ['code that may be written', 'rwxp', PROGRAM, 0, false],
    ['shared with others', 'r--s', PROGRAM, 0, false],
    ['another file', 'r-xp', '/usr/lib/libc.so.6', 0, false],
    ['a file whose name begins so', 'r-xp', `${PROGRAM}.so`, 0, false],
    ['a program that was replaced', 'r-xp', `${PROGRAM} (deleted)`, 0, false],
    ['memory without a file', 'r-xp', '', 0, false],
  ];
  for (const [what, rights, file, anonymous, isTaken] of cases) {
    const next = mapping('7f0000000000-7f0000001000', 'rw-p', '', 0);
    const smaps = mapping('55d0a0000000-55d0a0010000', rights, file, anonymous) + next;
    const wanted = isTaken ? [{ from: 0x55d0a0000000n, octets: 0x10000 }] : [];
    t.strictSame(unchangedRanges(smaps, PROGRAM), wanted, what);
  }
});

t.test('memory is given back, and the program goes on', async (t) => {
  if (typeof native === 'string') {
    t.comment(`no native calls: ${native}`);
    return;
  }
  const ranges = unchangedRanges(readFileSync('/proc/self/smaps', 'latin1'), process.execPath);
  t.ok(ranges.length > 0, 'this program has pages to give back');
  const before = process.resourceUsage().minorPageFault;
  for (let round = 0; round < 3; round++) {
    native.giveBackMemory();
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(JSON.parse(JSON.stringify([/b+/.exec('abb')?.[0], 'ß'.normalize('NFD')]))[0], 'bb');
  }
  t.ok(process.resourceUsage().minorPageFault > before + 20, 'pages came back as they were touched');
});

t.test('the pages of an array are given back, and nothing beside them', async (t) => {
  if (typeof native === 'string') {
    t.comment(`no native calls: ${native}`);
    return;
  }
  const buffer = new SharedArrayBuffer(40 * MIB);
  const octets = new Uint8Array(buffer).fill(7);
  const middle = new Uint32Array(buffer, 12 * MIB, 4 * MIB);
  const before = process.memoryUsage.rss();
  native.emptyArray(middle);
  native.emptyArray(new Uint8Array(new SharedArrayBuffer(100)));
  while (middle[2 * MIB] !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(before - process.memoryUsage.rss() > 12 * MIB, 'the system has them');
  t.equal(octets.subarray(0, 12 * MIB).indexOf(0), -1, 'what stands in front is as it was');
  t.equal(octets.subarray(28 * MIB).indexOf(0), -1, 'and what stands behind');
});

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { explainSystemError } from '../../src/cli/process/system-error.ts';
import { openDatabase } from '../../src/database/database.ts';
import { DISK } from '../../src/journal/disk.ts';

/** A pipe or a folder in the place of a file of the state folder: nobody waits for its other end. */

const folder = t.testdir();
const pipe = join(folder, 'pipe');
const inside = join(folder, 'inside');
execFileSync('mkfifo', [pipe]);
mkdirSync(inside);

t.test('a journal', async (t) => {
  await t.rejects(DISK.read(pipe), /no regular file: move it away/);
  await t.rejects(DISK.read(inside), /no regular file: move it away/);
  t.equal(await DISK.read(join(folder, 'nothing')), null);
});

t.test('a database', async (t) => {
  for (const path of [pipe, inside])
    t.throws(() => openDatabase(path, { steps: [], pragmas: '', cache: 1024 }), {
      name: 'Error',
      message: /ENXIO|EISDIR/,
    });
});

t.test('a socket that cannot be made is not told of as a port', async (t) => {
  const error = Object.assign(new Error('x'), { code: 'EACCES', address: '/proc/a.sock', port: -1 });
  t.match(explainSystemError(error), /^\/proc\/a\.sock: no socket can be made there/);
});

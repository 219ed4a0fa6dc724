import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  constants,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { DISK, type Disk, type DiskFile } from '../../src/journal/disk.ts';
import { Journal, type Replay } from '../../src/journal/journal.ts';
import { decodeLines, encodeLine } from '../../src/journal/lines.ts';
import { FolderLock } from '../../src/journal/lock.ts';

interface Opened {
  readonly journal: Journal;
  readonly found: Replay;
  /** What has been applied: what a compaction writes. */
  readonly applied: object[];
  readonly path: string;
}

async function open(path: string): Promise<Opened> {
  let found: Replay | null = null;
  const applied: object[] = [];
  const journal = await Journal.open(
    path,
    (replay) => {
      found = replay;
      applied.push(...replay.records);
    },
    { state: () => applied },
  );
  return { journal, found: found!, applied, path };
}

async function write({ journal, applied }: Opened, ...records: object[]): Promise<void> {
  await Promise.all(records.map((record) => journal.append(record, () => void applied.push(record))));
}

function fresh(t: Test): string {
  return join(t.testdir({}), 'leases.journal');
}

t.test('what was written is there again, in order', async (t) => {
  const first = await open(fresh(t));
  t.same(first.found, { records: [], damaged: [], torn: false, copy: null });
  t.equal(statSync(first.path).mode & 0o777, 0o600);
  await write(first, { n: 1 }, { n: 2 }, { n: 3, text: 'ä\n\u2028' });
  await first.journal.close();
  const second = await open(first.path);
  t.same(second.found.records, [{ n: 1 }, { n: 2 }, { n: 3, text: 'ä\n\u2028' }]);
  await second.journal.close();
});

t.test('a record counts once it is written: what a crash cut off is dropped, and nothing else', async (t) => {
  const first = await open(fresh(t));
  await write(first, { n: 1 }, { n: 2 });
  await first.journal.close();
  const whole = readFileSync(first.path);
  for (
    let length = whole.length - 2;
    length > whole.length - encodeLine({ n: 2 }, '00000000').octets.length;
    length--
  ) {
    writeFileSync(first.path, whole.subarray(0, length));
    const again = await open(first.path);
    t.same(again.found.records, [{ n: 1 }], `${length} octets`);
    t.equal(again.found.torn, true);
    t.same(again.found.damaged, []);
    await write(again, { n: 3 });
    await again.journal.close();
    const third = await open(first.path);
    t.same(third.found.records, [{ n: 1 }, { n: 3 }]);
    t.equal(third.found.torn, false);
    await third.journal.close();
  }
});

t.test('damage in the middle is told and kept apart; what is before and behind it stays', async (t) => {
  const first = await open(fresh(t));
  await write(first, { n: 1 }, { n: 2 }, { n: 3 });
  await first.journal.close();
  const octets = readFileSync(first.path);
  octets[octets.indexOf('"n":2') + 4] = 0x39;
  writeFileSync(first.path, octets);
  const second = await open(first.path);
  t.same(second.found.records, [{ n: 1 }, { n: 3 }]);
  t.match(second.found.damaged, [{ line: 3 }]);
  t.equal(second.found.copy, `${first.path}.damaged`);
  t.same(readFileSync(second.found.copy!), octets);
  await second.journal.close();
});

t.test('any octets at all are read without a throw, and sound lines among them are found', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), (before, behind) => {
      const octets = Buffer.concat([before, Buffer.from('\n'), encodeLine({ n: 1 }).octets, behind]);
      const { records } = decodeLines(octets);
      return records.some((record) => (record as { n?: number }).n === 1);
    }),
  );
});

t.test('it is written anew from what is in force when it has grown', async (t) => {
  const opened = await open(fresh(t));
  const { journal, path } = opened;
  const text = 'x'.repeat(100_000);
  for (let i = 0; i < 30; i++) {
    await journal.append({ i, text }, () => {
      opened.applied.length = 0;
      opened.applied.push({ i });
    });
  }
  t.ok(statSync(path).size < 2_000_000, `${statSync(path).size}`);
  await journal.close();
  const again = await open(path);
  t.same(again.found.records.at(-1), { i: 29, ...(again.found.records.length === 1 ? {} : { text }) });
  t.same(await readdir(join(path, '..')), ['leases.journal'], 'no temporary file is left');
  await again.journal.close();
});

t.test('a file that somebody moved away is made again, with everything in it', async (t) => {
  const opened = await open(fresh(t));
  await write(opened, { n: 1 });
  renameSync(opened.path, `${opened.path}.away`);
  await write(opened, { n: 2 });
  await opened.journal.close();
  const again = await open(opened.path);
  t.same(again.found.records, [{ n: 1 }, { n: 2 }]);
  await again.journal.close();
});

t.test('a file that is moved away while the disk is full: what is refused is in neither', async (t) => {
  const { path, disk, journal, append } = await traced(t);
  await append({ n: 1 });
  renameSync(path, `${path}.away`);
  disk.failing.set('rename', 1);
  t.match(await append({ n: 2 }), { code: 'ENOSPC' });
  renameSync(`${path}.away`, path);
  const between = await open(path);
  t.same(between.found.records, [{ n: 1 }]);
  await between.journal.close();
  t.equal(await append({ n: 3 }), null);
  await journal.close();
  const again = await open(path);
  t.same(again.found.records, [{ n: 1 }, { n: 3 }]);
  await again.journal.close();
});

t.test('a later version is refused', async (t) => {
  const path = fresh(t);
  writeFileSync(path, encodeLine({ journal: 3 }).octets);
  await t.rejects(open(path), { message: /later version/ });
  t.same(readFileSync(path), encodeLine({ journal: 3 }).octets, 'and left as it is');
});

t.test(
  'a disk that takes no more gives a fault, and nothing of it stays',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const opened = await open(fresh(t));
    await write(opened, { n: 1 });
    const size = statSync(opened.path).size;
    // The limit on the size of a file gives EFBIG as a full disk gives ENOSPC: in the middle of a line.
    const child = spawn(
      'sh',
      [
        '-c',
        `ulimit -f ${Math.ceil(size / 512) + 1}; exec "$0" "$1" "$2"`,
        process.execPath,
        fileURLToPath(new URL('fill.ts', import.meta.url)),
        `${opened.path}.full`,
      ],
      // Without what the runner preloads, and without a cache of compiled code: both write files and meet the limit too.
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: '' },
      },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, 'exit');
    t.equal(code, 0);
    t.match(output, /^fault EFBIG after [1-9]\d*, then null, kept [1-9]\d*\n$/);
    await opened.journal.close();
  },
);

t.test('one process has a state folder, for as long as it lives', async (t) => {
  const folder = join(t.testdir({}), 'state');
  const lock = FolderLock.take(folder);
  if (typeof lock === 'string') throw new Error(lock);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.match(FolderLock.take(folder), /another process uses the state folder/, 'nor twice in one');
  const holder = `import { FolderLock } from ${JSON.stringify(new URL('../../src/journal/lock.ts', import.meta.url).href)};
    const lock = FolderLock.take(${JSON.stringify(folder)});
    console.log(typeof lock === 'string' ? lock : 'mine');
    if (typeof lock !== 'string') setInterval(() => {}, 1000);`;
  const run = async (): Promise<{ child: ReturnType<typeof spawn>; line: string }> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', holder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const [line] = await once(child.stdout!, 'data');
    return { child, line: String(line) };
  };
  t.match((await run()).line, /another process/);
  lock.release();
  const { child, line } = await run();
  t.match(line, /mine/);
  t.match(FolderLock.take(folder), /another process/);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const again = FolderLock.take(folder);
  if (typeof again === 'string') throw new Error(again);
  again.release();
});

t.test('a state folder that is no folder is said to be none', async (t) => {
  const path = join(t.testdir({ state: 'text' }), 'state');
  t.match(FolderLock.take(path), /cannot be used/);
  await mkdir(join(path, '..', 'odd', 'lock'), { recursive: true });
  t.match(FolderLock.take(join(path, '..', 'odd')), /cannot be locked/);
  truncateSync(path, 0);
});

/** The real disk, which tells what it was asked for, and fails where a test says so. */
class TestDisk implements Disk {
  readonly calls: string[] = [];
  /** By call: how often it fails from now on. */
  readonly failing = new Map<string, number>();
  /** How it fails. */
  code = 'ENOSPC';

  async #do<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.calls.push(what);
    const left = this.failing.get(what) ?? 0;
    if (left > 0) {
      this.failing.set(what, left - 1);
      throw Object.assign(new Error('it failed'), { code: this.code });
    }
    // Another turn of the loop: what is not waited for shows.
    await new Promise((done) => setImmediate(done));
    const result = await work();
    this.calls.push(`${what} done`);
    return result;
  }

  read = DISK.read;
  inode = DISK.inode;
  keepAside = DISK.keepAside;
  rename = (from: string, to: string): Promise<void> => this.#do('rename', () => DISK.rename(from, to));
  unlink = DISK.unlink;
  syncFolder = (path: string): Promise<void> => this.#do('folder', () => DISK.syncFolder(path));

  async open(path: string, fresh: boolean): Promise<DiskFile> {
    const file = await DISK.open(path, fresh);
    return {
      write: async (octets, at) => {
        // Five octets of it, as a disk that fills up does.
        if (this.failing.get('write')) await file.write(octets.subarray(0, at + 5), at);
        return await this.#do('write', () => file.write(octets, at));
      },
      sync: () => this.#do('sync', () => file.sync()),
      truncate: (length) => this.#do('truncate', () => file.truncate(length)),
      inode: file.inode,
      close: file.close,
    };
  }
}

async function traced(t: Test) {
  const path = fresh(t);
  const disk = new TestDisk();
  const applied: object[] = [];
  const told: (string | null)[] = [];
  const journal = await Journal.open(path, () => {}, {
    state: () => applied,
    told: (fault) => told.push(fault?.code ?? null),
    disk,
  });
  const opening = disk.calls.splice(0);
  const append = (record: object) =>
    journal.append(record, () => {
      disk.calls.push('applied');
      applied.push(record);
    });
  return { path, disk, applied, told, journal, opening, append };
}

t.test('a record is in force when it is on disk, and not before', async (t) => {
  const { disk, journal, opening, append } = await traced(t);
  t.same(
    opening.filter((call) => call.endsWith('done')),
    ['write done', 'sync done', 'rename done', 'folder done'],
    'a new file is on disk before it has its name, and its name before anything else',
  );
  t.equal(await append({ n: 1 }), null);
  t.same(disk.calls, ['write', 'write done', 'applied']);
  await journal.close();
});

t.test(
  'a write is durable when it returns: the file is open with O_DSYNC',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const path = fresh(t);
    const opened = await open(path);
    await write(opened, { n: 1 });
    const mine = readdirSync('/proc/self/fd').filter((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`) === realpathSync(path);
      } catch {
        return false;
      }
    });
    t.equal(mine.length, 1);
    const [, flags] = /^flags:\s+0(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${mine[0]}`, 'utf8'))!;
    t.equal(Number.parseInt(flags!, 8) & constants.O_DSYNC, constants.O_DSYNC);
    t.equal(Number.parseInt(flags!, 8) & constants.O_APPEND, constants.O_APPEND);
    await opened.journal.close();
  },
);

t.test('a batch that was half written is cut off before anything else is written', async (t) => {
  const { path, disk, told, journal, append } = await traced(t);
  await append({ n: 1 });
  const size = statSync(path).size;
  disk.failing.set('write', 1);
  const both = await Promise.all([append({ n: 2 }), append({ n: 3 })]);
  t.same(
    both.map((fault) => fault?.code),
    ['ENOSPC', 'ENOSPC'],
  );
  t.equal(statSync(path).size, size, 'nothing of it stays');
  t.same(told, ['ENOSPC']);
  t.equal(journal.behind, true);
  t.equal(await append({ n: 4 }), null);
  t.same(told, ['ENOSPC', null], 'and it is told when it is well again');
  await journal.close();
  const again = await open(path);
  t.same(again.found, { records: [{ n: 1 }, { n: 4 }], damaged: [], torn: false, copy: null });
  await again.journal.close();
});

t.test('what the kernel may have dropped is written anew', async (t) => {
  const { path, disk, journal, append } = await traced(t);
  await append({ n: 1 });
  disk.failing.set('write', 1);
  disk.code = 'EIO';
  t.match(await append({ n: 2 }), { code: 'EIO' });
  t.equal(journal.behind, true);
  disk.calls.length = 0;
  t.equal(await append({ n: 3 }), null);
  t.ok(disk.calls.includes('rename done') && disk.calls.includes('folder done'), 'another file');
  t.ok(disk.calls.indexOf('folder done') < disk.calls.indexOf('applied'));
  await journal.close();
  const again = await open(path);
  t.same(again.found.records, [{ n: 1 }, { n: 3 }]);
  await again.journal.close();
});

t.test(
  'an end that could not be written keeps later records back until the file is written anew',
  async (t) => {
    const { path, disk, journal, append, applied } = await traced(t);
    await append({ n: 1 });
    disk.failing.set('write', 2);
    applied.length = 0;
    t.match(await journal.record({ end: 1 }), { code: 'ENOSPC' });
    t.match(await append({ n: 2 }), { code: 'ENOSPC' }, 'the first try to write it anew fails too');
    t.equal(await append({ n: 3 }), null);
    await journal.close();
    const again = await open(path);
    t.same(again.found.records, [{ n: 3 }], 'neither what has ended nor what was refused');
    await again.journal.close();
  },
);

t.test('a fault while it is written anew leaves the old file as it was', async (t) => {
  for (const call of ['write', 'sync', 'rename', 'folder']) {
    const { path, disk, journal, append } = await traced(t);
    await append({ n: 1 });
    disk.failing.set(call, 1);
    t.match(await journal.rewrite(), { code: 'ENOSPC' }, call);
    t.equal(await append({ n: 2 }), null, call);
    await journal.close();
    const again = await open(path);
    t.same(again.found.records, [{ n: 1 }, { n: 2 }], call);
    await again.journal.close();
  }
});

t.test('a file of the first version is read, and is of the present one from then on', async (t) => {
  const path = fresh(t);
  writeFileSync(
    path,
    Buffer.concat([{ journal: 1 }, { n: 1 }, { n: 2 }].map((one) => encodeLine(one).octets)),
  );
  const first = await open(path);
  t.same(first.found, { records: [{ n: 1 }, { n: 2 }], damaged: [], torn: false, copy: null });
  await write(first, { n: 3 });
  await first.journal.close();
  t.match(readFileSync(path, 'utf8'), /"journal":2/);
  const second = await open(path);
  t.same(second.found.records, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  await second.journal.close();
});

t.test('every octet that is changed, lost or added is seen', async (t) => {
  let octets = Buffer.alloc(0);
  let chain = '';
  for (const record of [{ journal: 2 }, { n: 1 }, { n: 2 }]) {
    const line = encodeLine(record, chain);
    octets = Buffer.concat([octets, line.octets]);
    chain = line.chain;
  }
  t.same(decodeLines(octets).damaged, []);
  const seen = (changed: Buffer): boolean => {
    const { damaged, torn, records } = decodeLines(changed);
    return damaged.length > 0 || torn || records.length < 3;
  };
  for (let at = 0; at < octets.length - 1; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Buffer.from(octets);
      changed[at]! ^= 1 << bit;
      if (!seen(changed)) t.fail(`bit ${bit} of octet ${at}`);
    }
    if (!seen(Buffer.concat([octets.subarray(0, at), octets.subarray(at + 1)])))
      t.fail(`without octet ${at}`);
    if (!seen(Buffer.concat([octets.subarray(0, at), Buffer.from('x'), octets.subarray(at)])))
      t.fail(`with an octet at ${at}`);
  }
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Boot } from '../../../src/assembly/ledger/ledger-clock.ts';
import { LedgerKeeper } from '../../../src/assembly/ledger/ledger-keeper.ts';
import { HOLDER, SLICES, TICKS_A_SLICE } from '../../../src/detect/holder.ts';
import { RESERVATION } from '../../../src/detect/ledger.ts';
import { DISK, type Disk } from '../../../src/journal/disk.ts';
import type { JournalFault, Replay } from '../../../src/journal/journal.ts';
import { decodeLines } from '../../../src/journal/lines.ts';
import { billOf } from '../../detect/build.ts';

/** A machine whose clock the test turns, and which can be started anew. */
class Machine {
  now = 1_000;
  id = 'boot-1';
  uptimeBegan = 0;
  readonly timers: { at: number; work: () => void }[] = [];
  readonly faults: (JournalFault | null)[] = [];
  readonly found: Replay[] = [];
  readonly bugs: unknown[] = [];
  synced = 0;

  get boot(): Boot {
    return { id: this.id, uptime: () => (this.now - this.uptimeBegan) / 1000 };
  }

  keeper(disk?: Disk): LedgerKeeper {
    return new LedgerKeeper({
      monotonic: () => this.now,
      boot: this.boot,
      timers: {
        once: (ms, work) => {
          this.timers.push({ at: this.now + ms, work });
          return () => {};
        },
      },
      notices: {
        notWritten: (fault) => void this.faults.push(fault),
        found: (replay) => void this.found.push(replay),
        bug: (error) => void this.bugs.push(error),
      },
      ...(disk === undefined ? {} : { disk }),
    });
  }

  skip(ms: number): void {
    this.now += ms;
  }

  restartUptime(): void {
    this.uptimeBegan = this.now;
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.work();
    }
    this.now = end;
  }

  /** Until what was asked of the disk is done. */
  async settle(until: () => boolean): Promise<void> {
    for (let i = 0; i < 2_000 && !until(); i++) await sleep(5);
    if (!until()) throw new Error('it never came');
    for (let i = 0; i < 5; i++) await turn();
  }

  /** The real disk, which counts what it has made durable of what came later. */
  get disk(): Disk {
    return {
      ...DISK,
      open: async (path, fresh) => {
        const file = await DISK.open(path, fresh);
        // Each file begins with all that is in force.
        let isAll = fresh;
        return {
          ...file,
          write: async (octets, at) => {
            const written = await file.write(octets, at);
            if (!isAll) this.synced++;
            isAll = false;
            return written;
          },
        };
      },
    };
  }
}

const LEASE = [[HOLDER.LEASE, 'l1', 512, 1_000_000]] as const;

function charge(keeper: LedgerKeeper, name: string, accounts: typeof LEASE = LEASE): boolean {
  return keeper.ledger.charge(billOf({ name: `${name}.t.example`, accounts }), keeper.tick);
}

function balance(keeper: LedgerKeeper): number {
  return [...keeper.ledger.holders.all()][0]?.balance(keeper.tick) ?? 0;
}

t.test('questions leave at their tick, in the order of their hash, once they are written', async (t) => {
  const machine = new Machine();
  const keeper = machine.keeper(machine.disk);
  await keeper.open(t.testdir({}));
  machine.now += 3;
  const left: string[] = [];
  charge(keeper, 'a');
  keeper.leave(7, () => left.push('a'));
  charge(keeper, 'b');
  keeper.leave(-7, () => left.push('b'));
  machine.pass(6);
  t.same(left, [], 'not before the tick');
  machine.pass(1);
  t.same(left, [], 'not before it is on disk');
  t.equal(machine.timers.length, 1);
  await machine.settle(() => machine.synced === 1);
  machine.pass(9);
  t.same(left, [], 'not between two ticks');
  machine.pass(1);
  t.same(left, ['b', 'a']);
  t.equal(machine.timers.length, 0, 'no timer runs while nothing waits');
  // What was reserved is there already.
  keeper.ledger.unwritten.clear();
  keeper.leave(1, () => left.push('c'));
  machine.pass(10);
  t.same(left, ['b', 'a', 'c']);
  keeper.leave(2, () => {
    throw new Error('a bug');
  });
  keeper.leave(3, () => left.push('d'));
  machine.pass(10);
  t.same(left.at(-1), 'd', 'a bug in one keeps no other');
  t.equal(machine.bugs.length, 1);
  await keeper.close();
});

t.test('of one tick none leaves before one that waits for the disk', async (t) => {
  for (const order of [
    ['paid', 'unpaid'],
    ['unpaid', 'paid'],
  ]) {
    const machine = new Machine();
    const keeper = machine.keeper(machine.disk);
    await keeper.open(t.testdir({}));
    const left: string[] = [];
    for (const what of order) {
      // Only what draws another reservation has to be written.
      if (what === 'unpaid') charge(keeper, 'a');
      keeper.leave(what === 'paid' ? -1 : 1, () => left.push(what));
    }
    machine.pass(10);
    t.same(left, [], `${order.join(' before ')}: the disk has not said yes`);
    await machine.settle(() => machine.synced > 0);
    machine.pass(20);
    t.same(left, ['paid', 'unpaid'], `${order.join(' before ')}: their own order`);
    await keeper.close();
  }
});

t.test('an orderly stop writes exact balances; a crash counts what was reserved', async (t) => {
  const machine = new Machine();
  const folder = t.testdir({});
  const first = machine.keeper(machine.disk);
  await first.open(folder);
  charge(first, 'one');
  const exact = balance(first);
  const { key } = first;
  first.leave(0, () => {});
  await machine.settle(() => machine.synced === 1);
  t.equal(statSync(join(folder, 'ledger.journal')).mode & 0o777, 0o600);
  const crashed = readFileSync(join(folder, 'ledger.journal'));
  await first.close();
  const second = machine.keeper();
  await second.open(folder);
  t.equal(balance(second), exact);
  t.same(second.key, key, 'the hashes stay');
  charge(second, 'one');
  t.ok(balance(second) - exact < 40 * 1024, 'the name is known');
  await second.close();

  const other = t.testdir({ 'ledger.journal': crashed });
  const third = machine.keeper();
  await third.open(other);
  t.equal(balance(third), RESERVATION, 'all that had been reserved');
  await third.close();
});

t.test('time goes on over restarts by the monotonic clock of one boot alone', async (t) => {
  const window = SLICES * TICKS_A_SLICE * 10;
  for (const [what, restart, freed] of [
    ['at once', () => {}, false],
    ['a day and a half later', (machine: Machine) => machine.skip(window), true],
    [
      'after another boot, however late',
      (machine: Machine) => {
        machine.now += 10 * window;
        machine.id = 'boot-2';
      },
      false,
    ],
    [
      'when the system does not say which boot it is',
      (machine: Machine) => {
        machine.now += window;
        machine.id = '';
      },
      false,
    ],
    ['when the uptime goes back', (machine: Machine) => machine.restartUptime(), false],
  ] as const) {
    const machine = new Machine();
    const folder = t.testdir({});
    const first = machine.keeper();
    await first.open(folder);
    charge(first, 'one');
    const before = first.tick;
    const spent = balance(first);
    await first.close();
    restart(machine);
    const second = machine.keeper();
    await second.open(folder);
    t.ok(second.tick >= before, `${what}: ticks never go back`);
    t.equal(balance(second), freed ? 0 : spent, what);
    await second.close();
  }
});

t.test('a disk that is full or does not answer holds nothing back, and is told', async (t) => {
  const machine = new Machine();
  let fails: 'no' | 'full' | 'hangs' = 'no';
  // Whose write never ends must be closed by somebody.
  const files: { close(): Promise<void> }[] = [];
  t.teardown(() => Promise.allSettled(files.map((file) => file.close())));
  const disk: Disk = {
    ...DISK,
    async open(path, fresh) {
      const file = await DISK.open(path, fresh);
      files.push(file);
      return {
        ...file,
        write: async (octets, at) => {
          if (fails === 'full') throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          return fails === 'hangs' ? new Promise(() => {}) : file.write(octets, at);
        },
      };
    },
  };
  const folder = t.testdir({});
  const keeper = machine.keeper(disk);
  await keeper.open(folder);
  let left = 0;
  fails = 'full';
  charge(keeper, 'one');
  keeper.leave(0, () => left++);
  await machine.settle(() => machine.faults.length > 0);
  await turn();
  machine.pass(20);
  t.equal(left, 1, 'it has left');
  t.match(machine.faults, [{ code: 'ENOSPC' }]);
  fails = 'no';
  keeper.tend();
  await machine.settle(() => machine.faults.length > 1);
  t.same(machine.faults[1], null, 'it is well again');
  const { records } = decodeLines(readFileSync(join(folder, 'ledger.journal')));
  t.match(records.at(-1), { subject: 'l1' }, 'and all is written');

  fails = 'hangs';
  charge(keeper, `${'two'.repeat(20)}`);
  keeper.leave(0, () => left++);
  await turn();
  await turn();
  machine.pass(500);
  t.equal(left, 1);
  machine.pass(600);
  t.equal(left, 2, 'after a second it leaves all the same');
  t.match(machine.faults[2], { code: 'ETIMEDOUT' });
});

t.test('a damaged journal is kept aside, and what can be read counts', async (t) => {
  const machine = new Machine();
  const folder = t.testdir({});
  const first = machine.keeper(machine.disk);
  await first.open(folder);
  for (let i = 0; i < 4; i++) {
    charge(first, `name${i}`, [[HOLDER.LEASE, `l${i}`, 512, 1_000_000]] as never);
    first.leave(0, () => {});
    await machine.settle(() => machine.synced === i + 1);
  }
  const path = join(folder, 'ledger.journal');
  const octets = readFileSync(path);
  await first.close();
  const lines = octets.toString('latin1').split('\n');
  t.ok(lines.length >= 5);
  lines[2] = lines[2]!.replace('name', 'nome').replace('"slice"', '"slyce"');
  writeFileSync(path, lines.join('\n'), 'latin1');
  const second = machine.keeper();
  await second.open(folder);
  t.match(machine.found.at(-1), { damaged: [{ line: 3 }], copy: `${path}.damaged` });
  t.equal(second.ledger.holders.count, 3);
  t.same(second.key, first.key);
  await second.close();

  for (const junk of ['', '\0\0\0', '{}\n', `${'x'.repeat(9000)}\n`]) {
    writeFileSync(path, junk);
    const third = machine.keeper();
    await third.open(folder);
    t.equal(third.ledger.holders.count, 0);
    charge(third, 'again');
    await third.close();
  }
});

t.test('in memory alone it works the same, and writes nothing', async (t) => {
  const machine = new Machine();
  const keeper = machine.keeper();
  let left = 0;
  charge(keeper, 'one');
  keeper.leave(0, () => left++);
  await turn();
  await turn();
  machine.pass(20);
  t.equal(left, 1);
  t.equal(await keeper.writeAll(), null);
  await keeper.close();
});

t.test('kill -9 at any moment: what had left is never more than what counts afterwards', async (t) => {
  const folder = t.testdir({});
  let counted = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('ledger-spender.ts', import.meta.url)), folder, String(round)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let told = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      told += text;
    });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 30 + 37 * round));
    child.kill('SIGKILL');
    await once(child, 'close');
    const left = Number(told.trimEnd().split('\n').at(-1));
    const machine = new Machine();
    const keeper = machine.keeper();
    await keeper.open(folder);
    const now = balance(keeper);
    t.ok(left > counted, `round ${round}: some had left`);
    t.ok(now >= left, `${now} counts, ${left} had left`);
    counted = now;
    await keeper.close();
  }
});

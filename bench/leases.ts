/**
 * What leases cost: how long a start with many takes, and how long opening one keeps the query thread.
 *
 *     node bench/leases.ts [--leases N] [--opens N]
 *
 * N is 100,000 leases and 2,000 opens by default. One process without sockets: the journal in a folder of its own, which is
 * removed afterwards, the book and the table as the server has them. The CPU of an open is
 * that of the main thread: other threads write and sync. Opens come one after another, so that none shares its write.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LeaseBook } from '../src/admin/leases/lease-book.ts';
import type { LeaseEntry } from '../src/admin/leases/lease-record.ts';
import { load } from '../src/config/load.ts';
import { Journal, journalPath } from '../src/journal/journal.ts';
import { LeaseTable } from '../src/policy/lease/lease.ts';
import type { Identity, Snapshot } from '../src/policy/snapshot.ts';
import type { Log } from '../src/report/log.ts';
import type { Prefix } from '../src/wire/prefix.ts';

const HELP = `Usage: node bench/leases.ts [--leases N] [--opens N]
What leases cost: a start with N of them (default 100000), and opening more (default 2000).`;

const POLICY = `identities:
  - name: build
    owner: team-build
    review_by: 2090-01-01
    max_lease: 6h
    from: { addresses: [192.0.2.1] }
    stages: { fetch: { allow: [{ name: a.example, reason: bench }] } }
`;

const QUIET: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  dropped: 0,
  flush() {},
  close() {},
};

const CLOCK = { monotonic: () => performance.now(), epoch: () => Date.now() / 1000 };

interface Open {
  readonly book: LeaseBook;
  readonly journal: Journal;
  readonly seconds: number;
}

async function open(folder: string, snapshot: Snapshot): Promise<Open> {
  const begun = performance.now();
  const table = new LeaseTable();
  const book = new LeaseBook(
    { table, clock: CLOCK, log: QUIET, countsOf: () => ({}), ended: () => {} },
    snapshot,
  );
  const journal = await Journal.open(
    journalPath(folder),
    ({ records }) => book.replay(records as LeaseEntry[], 0, new Set()),
    { state: () => book.state() },
  );
  book.use(journal);
  return { book, journal, seconds: (performance.now() - begun) / 1000 };
}

function address(index: number): Prefix {
  return { family: 4, words: [0x0a00_0000 + index], length: 32 };
}

function openOne(book: LeaseBook, identity: Identity, index: number) {
  return book.open({
    identity,
    stage: 'fetch',
    addresses: [address(index)],
    certificate: null,
    client: null,
    sourceEnforced: false,
    ttl: 3600 + (index % 10_000),
    job: { run_id: String(index) },
    by: 'admin-socket',
    owner: { kind: 'socket' },
    used: [],
  });
}

async function main(leases: number, opens: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-leases-'));
  try {
    writeFileSync(
      join(folder, 'namegate.yaml'),
      'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n',
    );
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    const { snapshot } = load(join(folder, 'namegate.yaml'), { env: {}, now: CLOCK.epoch(), salt: 1 });
    if (snapshot === null) throw new Error('the policy has problems');
    const [identity] = snapshot.identities;
    const first = await open(folder, snapshot);
    for (let at = 0; at < leases; at += 1000) {
      const count = Math.min(1000, leases - at);
      await Promise.all(Array.from({ length: count }, (_, i) => openOne(first.book, identity!, at + i)));
    }
    await first.journal.close();
    const second = await open(folder, snapshot);
    if (second.book.size !== leases) throw new Error(`${second.book.size} leases are back`);
    console.log(`start with ${leases} leases   ${second.seconds.toFixed(2)} s`);
    // The book has room for 100,000: as many are ended as will be opened.
    const ids = second.book.ids().slice(0, opens);
    await Promise.all(ids.map((id) => second.book.end(id, 'bench')));
    const calls: number[] = [];
    const cpu = process.threadCpuUsage();
    for (let i = 0; i < opens; i++) {
      const begun = performance.now();
      const opened = openOne(second.book, identity!, leases + i);
      calls.push(performance.now() - begun);
      await opened;
    }
    const { user, system } = process.threadCpuUsage(cpu);
    calls.sort((one, other) => one - other);
    const micro = (index: number): string => (1000 * calls[index]!).toFixed(1);
    console.log(`open, CPU of the thread    ${((user + system) / opens).toFixed(0)} µs`);
    console.log(
      `open, call                 ${micro(opens >> 1)} µs median, ${micro(Math.floor(opens * 0.99))} µs p99`,
    );
    await second.journal.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    leases: { type: 'string', default: '100000' },
    opens: { type: 'string', default: '2000' },
  },
});
if (values.help === true) console.log(HELP);
else await main(Number(values.leases), Number(values.opens));

/**
 * What leases cost: how long a start with many takes, and how long opening one keeps the query thread.
 *
 *     node bench/leases.ts [--leases N] [--opens N]
 *
 * N is 100,000 leases and 2,000 opens by default. One process without sockets: the journal in a folder of its own, which is
 * removed afterwards, the book and the table as the server has them. The CPU of an open is
 * that of the main thread: other threads write and sync. Opens come one after another, so that none shares its write, and then
 * eight at once, which share one.
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
import { quantile } from './figures.ts';

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

/** Callers that open a lease at the same moment. */
const AT_ONCE = 8;

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
    const calls = new Float64Array(opens);
    const cpu = new Float64Array(opens);
    const before = process.threadCpuUsage();
    let spent = 0;
    for (let i = 0; i < opens; i++) {
      const begun = performance.now();
      const opened = openOne(second.book, identity!, leases + i);
      calls[i] = 1000 * (performance.now() - begun);
      await opened;
      const { user, system } = process.threadCpuUsage(before);
      cpu[i] = user + system - spent;
      spent = user + system;
    }
    tell('open, CPU of the thread   ', cpu);
    const together = await openTogether(second.book, identity!, leases, opens);
    console.log(`open, CPU with ${AT_ONCE} at once    ${together.toFixed(1)} µs mean`);
    tell('open, call                ', calls);
    await second.journal.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ends as many as it opens. Microseconds of the thread for each open. */
async function openTogether(
  book: LeaseBook,
  identity: Identity,
  from: number,
  opens: number,
): Promise<number> {
  const ids = book.ids();
  let spent = 0;
  for (let at = from + opens; at < from + 2 * opens; at += AT_ONCE) {
    await Promise.all(ids.splice(-AT_ONCE).map((id) => book.end(id, 'bench')));
    const before = process.threadCpuUsage();
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => openOne(book, identity, at + i)));
    const { user, system } = process.threadCpuUsage(before);
    spent += user + system;
  }
  return spent / opens;
}

function tell(what: string, microseconds: Float64Array): void {
  const mean = microseconds.reduce((sum, each) => sum + each, 0) / microseconds.length;
  const [median, p99] = [0.5, 0.99].map((q) => quantile(microseconds.sort(), q).toFixed(1));
  console.log(`${what} ${median} µs median, ${mean.toFixed(1)} µs mean, ${p99} µs p99`);
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

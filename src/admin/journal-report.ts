import type { JournalFault, Replay } from '../journal/journal.ts';
import type { Log } from '../report/log.ts';
import type { LeaseRecord } from './leases/lease-record.ts';

/** Names of leases and lines that one line of the log holds. */
const MAX_TOLD = 20;

/** What the rest of the server hears of the journal, for `/ready`. */
export interface JournalPorts {
  /** Why nothing can be written down, or null when it can again. */
  journalTrouble(text: string | null): void;
  /** The file was damaged when it was opened: what was made of it. */
  journalDamaged(text: string): void;
}

/** Tells when writing begins to fail and when it is well again. */
export function tellFault(fault: JournalFault | null, log: Log, ports: JournalPorts): void {
  if (fault === null) {
    log.info('journal-trouble', 'the journal can be written again', {});
    ports.journalTrouble(null);
    return;
  }
  const text = 'the journal cannot be written: no lease or exception is made before it can';
  log.error('journal-trouble', text, { code: fault.code, error: fault.message });
  ports.journalTrouble(`${text} (${fault.code})`);
}

/**
 * Ids of leases whose end or change a damaged line may hold: what was acknowledged must not be undone. A line that still names
 * its lease speaks of that one.
 */
export function doubtfulLeases({ records, damaged }: Replay): ReadonlySet<string> {
  const opened = new Map<string, number>();
  for (const [index, record] of records.entries()) {
    const { t, lease } = record as { readonly t?: string; readonly lease?: LeaseRecord };
    if (t === 'open' && lease !== undefined) opened.set(lease.id, index);
  }
  const named = new Set<string>();
  for (const { what, text, behind } of damaged) {
    if (what !== 'changed') continue;
    for (const [id] of text.matchAll(/le-[0-9a-f]{24}/g)) {
      if ((opened.get(id) ?? behind) < behind) named.add(id);
    }
  }
  return named;
}

/** Tells what a journal was found to be: torn is usual after a crash, damage is not. */
export function tellReplay(
  replay: Replay,
  doubtful: ReadonlySet<string>,
  log: Log,
  ports: JournalPorts,
): void {
  const { damaged, torn, copy, records } = replay;
  if (torn) log.warn('journal-torn', 'the last record of the journal was cut off, and never in force', {});
  if (damaged.length === 0) return;
  const kept = copy === null ? 'it could not be kept aside' : `it is kept as ${copy}`;
  const text = `the journal of leases was damaged: ${kept}; what can be read of it is in force`;
  log.error('journal-damaged', text, {
    damaged: damaged.slice(0, MAX_TOLD).map(({ line, length, what }) => ({ line, length, what })),
    count: damaged.length,
    records: records.length,
    copy,
    // They may have been ended: whom they bind is unknown until they would have ended.
    doubtful: [...doubtful].slice(0, MAX_TOLD),
    // A line that names no lease may have been the end of one that is in force again: look at `namegate lease list`.
    nameless: damaged.filter((one) => isNameless(one)).length,
  });
  ports.journalDamaged(text);
}

function isNameless({ what, text }: Replay['damaged'][number]): boolean {
  return what === 'missing' || (what === 'changed' && !/(?:le|ex)-[0-9a-f]{20,24}/.test(text));
}

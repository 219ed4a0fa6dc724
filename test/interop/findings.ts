import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FeedEvent } from '../../src/outbox/event.ts';

/** What a server with `alerts: {}` has told so far of findings, as `KIND SEVERITY`. */
export function findingsOf(folder: string): ReadonlySet<string> {
  const path = join(folder, 'state', 'alerts.jsonl');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const events = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as FeedEvent);
  return new Set(
    events.filter(({ kind }) => kind === 'finding').map(({ finding, severity }) => `${finding} ${severity}`),
  );
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FeedEvent } from '../../src/outbox/event.ts';
import type { FindingList } from '../../src/outbox/kept-findings.ts';
import { must } from './process.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** What a server with `alerts: {}` has told so far of findings, as `KIND SEVERITY`. */
export function findingsOf(folder: string): ReadonlySet<string> {
  const path = join(folder, 'state', 'alerts.jsonl');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const events = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as FeedEvent);
  return new Set(
    events.filter(({ kind }) => kind === 'finding').map(({ finding, severity }) => `${finding} ${severity}`),
  );
}

/** What `namegate findings --json` lists of a server with `admin: unix:admin.sock`, as `KIND SEVERITY`. */
export async function listedFindings(folder: string): Promise<ReadonlySet<string>> {
  const config = join(folder, 'namegate.yaml');
  const text = await must([process.execPath, main, 'findings', '--json', '--config', config]);
  const { findings } = JSON.parse(text) as FindingList;
  return new Set(findings.map(({ kind, severity }) => `${kind} ${severity}`));
}

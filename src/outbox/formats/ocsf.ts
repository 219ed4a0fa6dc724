import type { FeedEvent } from '../event.ts';
import { COMMON_ROWS, DNS_ROWS } from './ocsf-dns.ts';
import { FINDING_ROWS } from './ocsf-finding.ts';
import type { Row } from './row.ts';

interface Placing {
  readonly path: readonly string[];
  readonly give: Row['give'];
}

const placings = (rows: readonly Row[]): readonly Placing[] =>
  rows.map(({ to, give }) => ({ path: to.split('.'), give }));

const DNS = placings([...COMMON_ROWS, ...DNS_ROWS]);
const FINDING = placings([...COMMON_ROWS, ...FINDING_ROWS]);

/** Whether an event is a Detection Finding (2004); each other is a DNS Activity (4003). */
function isFinding({ kind }: FeedEvent): boolean {
  return kind === 'finding' || kind === 'dropped';
}

/** An event in format `ocsf`: valid by https://schema.ocsf.io/1.8.0, unknown attributes none. */
export function ocsfObject(event: FeedEvent, sent: number): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {};
  for (const { path, give } of isFinding(event) ? FINDING : DNS) {
    const value = give(event, sent);
    if (value !== undefined) place(object, path, value);
  }
  return object;
}

function place(object: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = object;
  for (let i = 0; i < path.length - 1; i++) {
    const key = path[i]!;
    let next = at[key] as Record<string, unknown> | undefined;
    if (next === undefined) {
      next = {};
      at[key] = next;
    }
    at = next;
  }
  at[path.at(-1)!] = value;
}

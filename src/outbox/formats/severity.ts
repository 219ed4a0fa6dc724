import type { FeedEvent, Kind, Severity } from '../event.ts';

/** Of a kind whose events say none themselves. What is told of each contained question is less than the finding about them. */
const OF_KIND: Readonly<Partial<Record<Kind, Severity>>> = {
  finding: 'medium',
  contain: 'medium',
  deny: 'low',
  would_deny: 'low',
  would_contain: 'low',
};

/** How severe an event is: every format and sink writes it in words of its own. */
export function severityOf({ severity, kind }: Pick<FeedEvent, 'severity' | 'kind'>): Severity {
  return severity ?? OF_KIND[kind] ?? 'operations';
}

import type { AccountFacts } from '../../history/questions.ts';
import type { FailedDependency } from '../../history/report.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { AlertDesk } from '../alerts/alert-routes.ts';

/** An outage is told at its beginning and its end: it may have begun so long before a job. */
const LONGEST_MS: Milliseconds = 7 * 86_400_000;
const MOST = 100;

/** Approved names that failed upstream while the accounts' jobs ran, by what the detectors found. None where nobody knows. */
export async function failedDependencies(
  alerts: Pick<AlertDesk, 'request'>,
  accounts: readonly AccountFacts[],
): Promise<FailedDependency[]> {
  const byUid = new Map<string, FailedDependency>();
  for (const identity of new Set(accounts.map((account) => account.identity))) {
    const own = accounts.filter((account) => account.identity === identity);
    const since = Math.min(...own.map(({ opened }) => opened)) - LONGEST_MS;
    const answer = await alerts.request({
      ask: 'findings',
      identity,
      since,
      limit: MOST,
      kind: 'dependency',
    });
    if (answer === null || typeof answer !== 'object' || !('findings' in answer)) continue;
    for (const { uid, key, first, last, state, next } of answer.findings) {
      const isOver = state === 'closed';
      const isDuring = own.some(
        ({ opened, ended }) =>
          (ended === null || Date.parse(first) <= ended) && (!isOver || Date.parse(last) >= opened),
      );
      if (isDuring && key !== null)
        byUid.set(uid, { name: key, since: first, until: isOver ? last : null, next });
    }
  }
  return [...byUid.values()];
}

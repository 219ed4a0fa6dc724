import { HOLDER } from '../../detect/holder.ts';
import type { AccountFacts } from '../../history/questions.ts';
import type { NearBudget } from '../../history/report.ts';
import type { Clock } from '../../resolve/ports.ts';
import { balanceView, type LedgerDesk } from '../ledger/ledger-view.ts';

/** Who knows the balances of a job. */
export interface BudgetSources {
  readonly desk: LedgerDesk;
  readonly clock: Clock;
}

/** Of its budget, from which on a job is near its end. */
const NEAR = 0.8;
const MOST_NEAR = 20;

/** Wildcards of which some accounts have spent most of their budget and not all. */
export function nearBudgets(accounts: readonly AccountFacts[], { desk, clock }: BudgetSources): NearBudget[] {
  const leases = new Set(accounts.flatMap(({ id }) => id ?? []));
  const clients = new Set(
    accounts.flatMap(({ id, identity, client }) => (id === null ? [`${identity} ${client}`] : [])),
  );
  const near: NearBudget[] = [];
  for (const holder of desk.ledger.holders.all()) {
    const { kind, subject, identity } = holder;
    const isOfLease = kind === HOLDER.LEASE && leases.has(subject);
    if (!isOfLease && !(kind === HOLDER.CLIENT && clients.has(`${identity} ${subject}`))) continue;
    const {
      wildcard,
      spent,
      contain,
      contained,
      names_left: left,
    } = balanceView(holder, desk.tick, clock.epoch());
    if (wildcard === null || contain === null || contained !== null || spent < NEAR * contain) continue;
    near.push({ wildcard, subject, spent, contain, names_left: left ?? 0 });
  }
  return near.sort((a, b) => b.spent / b.contain - a.spent / a.contain).slice(0, MOST_NEAR);
}

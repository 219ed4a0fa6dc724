import type { BudgetSetting } from '../settings/settings.ts';
import type { Marks } from './files/marks.ts';
import { type Problems, TextFault } from './problems.ts';
import type { WrittenBudget } from './schema/budget-schema.ts';
import { parseSize } from './units.ts';

/** Nothing alerts and nothing is refused; charges go on. */
const NO_BUDGET: BudgetSetting = { alert: 0, contain: 0 };

/** The most octets that a budget may have, so that sums of charges stay exact. */
const MOST = 2 ** 30;

/**
 * The budget that is the value of `key`, or null where none is written. What is left out of it is as in `defaults`; an alert
 * that is left out is half of `contain` at most.
 */
export function readBudget<Key extends string>(
  holder: { readonly [name in Key]?: WrittenBudget | undefined } | undefined,
  key: Key,
  defaults: BudgetSetting,
  context: { readonly marks: Marks; readonly problems: Problems },
): BudgetSetting | null {
  const written = holder?.[key];
  if (written === undefined) return null;
  if (written === 'off') return NO_BUDGET;
  const contain = readOctets(written, 'contain', context) ?? defaults.contain;
  const alert = readOctets(written, 'alert', context);
  const rest = { contain, ...(written.contain === undefined ? {} : { containsShared: contain > 0 }) };
  if (alert === null)
    return {
      alert: contain === 0 ? defaults.alert : Math.min(defaults.alert, Math.max(1, contain >>> 1)),
      ...rest,
    };
  if (contain === 0 || alert <= contain) return { alert, ...rest };
  const bound = written.contain ?? `${contain}B, the default`;
  context.problems.error(
    'budget-order',
    context.marks.value(written, 'alert'),
    `alert (${written.alert}) is above contain (${bound}): nothing would ever alert`,
    written.contain === undefined
      ? 'write contain too: a size of at least alert, or off'
      : 'write an alert that is at most contain',
  );
  return null;
}

/** Octets; 0 for `off`; null where nothing is written or it was refused. */
function readOctets(
  budget: Exclude<WrittenBudget, 'off'>,
  key: 'alert' | 'contain',
  { marks, problems }: { readonly marks: Marks; readonly problems: Problems },
): number | null {
  const text = budget[key];
  if (text === undefined) return null;
  if (text === 'off' && key === 'contain') return 0;
  const size = parseSize(text);
  if (size instanceof TextFault) problems.fault(size, marks.inside(budget, key, size.offset));
  else if (size < 1 || size > MOST) {
    const fix = key === 'contain' ? 'write 1B to 1GiB, or off' : 'write 1B to 1GiB';
    problems.error('value-range', marks.value(budget, key), `${text} is no budget`, fix);
  } else return size;
  return null;
}

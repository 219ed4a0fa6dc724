import type { Seconds } from '../../wire/quantity.ts';
import type { Marks } from '../files/marks.ts';
import { type Problems, TextFault } from '../problems.ts';
import { parseDuration } from '../units.ts';

/** Whole seconds of a duration, or null where none is written or it was refused. */
export function readSeconds<Key extends string>(
  holder: { readonly [name in Key]?: string | undefined } | undefined,
  key: Key,
  least: Seconds,
  { marks, problems }: { readonly marks: Marks; readonly problems: Problems },
): Seconds | null {
  const text = holder?.[key];
  if (holder === undefined || text === undefined) return null;
  const duration = parseDuration(text);
  if (duration instanceof TextFault) problems.fault(duration, marks.inside(holder, key, duration.offset));
  else if (duration % 1000 !== 0)
    problems.error(
      'value-range',
      marks.value(holder, key),
      `${text} is not whole seconds`,
      'write whole seconds',
    );
  else if (duration / 1000 < least)
    problems.error(
      'value-range',
      marks.value(holder, key),
      `${text} is too short`,
      `write at least ${least}s`,
    );
  else return duration / 1000;
  return null;
}

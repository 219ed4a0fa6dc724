import type { z } from 'zod';
import { DEFAULT_HISTORY, type HistorySettings } from '../../settings/history.ts';
import { TextFault } from '../problems.ts';
import type { history as schema } from '../schema/history-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { parseDuration, parseSize } from '../units.ts';
import type { ServerContext } from './server-context.ts';

const LEAST_KEEP = 3_600_000;
const LEAST_SIZE = 8 * 2 ** 20;

/** Null where it is off. What is wrong stands in the problems. */
export function readHistory(
  written: Repaired<z.infer<typeof schema>>,
  { marks, problems }: ServerContext,
): HistorySettings | null {
  if (written === undefined) return DEFAULT_HISTORY;
  if (written === 'off') return null;
  let { keep, size } = DEFAULT_HISTORY;
  if (written.keep !== undefined) {
    const duration = parseDuration(written.keep);
    if (duration instanceof TextFault)
      problems.fault(duration, marks.inside(written, 'keep', duration.offset));
    else if (duration < LEAST_KEEP)
      problems.error(
        'value-range',
        marks.value(written, 'keep'),
        `${written.keep} is too short`,
        'write at least 1h, or history: off',
      );
    else keep = duration;
  }
  if (written.size !== undefined) {
    const octets = parseSize(written.size);
    if (octets instanceof TextFault) problems.fault(octets, marks.inside(written, 'size', octets.offset));
    else if (octets < LEAST_SIZE)
      problems.error(
        'value-range',
        marks.value(written, 'size'),
        `${written.size} is too small`,
        'write at least 8MiB, or history: off',
      );
    else size = octets;
  }
  return { keep, size };
}

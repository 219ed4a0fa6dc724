import type { z } from 'zod';
import { DEFAULT_HISTORY, type HistorySettings } from '../../settings/history-settings.ts';
import type { history as schema } from '../schema/history-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { readDuration, readSize } from './amounts.ts';
import type { ServerContext } from './server-context.ts';

const LEAST_KEEP = { amount: 3_600_000, fix: 'write at least 1h, or history: off' };
const LEAST_SIZE = { amount: 8 * 2 ** 20, fix: 'write at least 8MiB, or history: off' };

/** Null where it is off. What is wrong stands in the problems. */
export function readHistory(
  written: Repaired<z.infer<typeof schema>>,
  context: ServerContext,
): HistorySettings | null {
  if (written === undefined) return DEFAULT_HISTORY;
  if (written === 'off') return null;
  return {
    keep: readDuration(written, 'keep', LEAST_KEEP, context) ?? DEFAULT_HISTORY.keep,
    size: readSize(written, 'size', LEAST_SIZE, context) ?? DEFAULT_HISTORY.size,
  };
}

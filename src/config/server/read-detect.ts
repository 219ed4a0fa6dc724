import {
  DEFAULT_THRESHOLDS,
  DETECTED_KINDS,
  type Detected,
  keyOfKind,
  thresholdsOf,
} from '../../detect/patterns/kinds.ts';
import type { DetectSettings } from '../../settings/detect-settings.ts';
import { TextFault } from '../problems.ts';
import type { WrittenDetect } from '../schema/detect-schema.ts';
import { parseDuration, parseSize, secondsToText } from '../units.ts';
import type { ServerContext } from './server-context.ts';

/** What `detect:` has beside the budgets: its keys are made from the table of kinds. */
export type WrittenKinds = Readonly<Record<string, WrittenDetect | undefined>> | undefined;

/** Thresholds of all kinds, defaults filled in. */
export function readDetect(written: WrittenKinds, context: ServerContext): DetectSettings {
  return Object.fromEntries(
    DETECTED_KINDS.map((kind) => [kind, readKind(kind, written?.[keyOfKind(kind)], context)]),
  );
}

function readKind(
  kind: Detected,
  written: WrittenDetect | undefined,
  { marks, problems }: ServerContext,
): Readonly<Record<string, number>> | null {
  if (written === 'off') return null;
  const limits: Record<string, number> = { ...DEFAULT_THRESHOLDS[kind] };
  if (written === undefined) return limits;
  for (const [name, { form, least, most = Number.POSITIVE_INFINITY }] of thresholdsOf(kind)) {
    const value = written[name];
    if (value === undefined) continue;
    if (typeof value === 'number') {
      limits[name] = value;
      continue;
    }
    const read = form === 'size' ? parseSize(value) : parseDuration(value);
    if (read instanceof TextFault) problems.fault(read, marks.inside(written, name, read.offset));
    else if (read < least || read > most) {
      const bound = (size: number): string => (form === 'size' ? `${size}B` : secondsToText(size / 1000));
      const isSmall = read < least;
      problems.error(
        'value-range',
        marks.value(written, name),
        `${value} is too ${isSmall ? 'small' : 'large'}`,
        isSmall ? `write at least ${bound(least)}` : `write at most ${bound(most)}`,
      );
    } else limits[name] = read;
  }
  return limits;
}

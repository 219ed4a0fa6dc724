import { z } from 'zod';
import {
  DETECTED_KINDS,
  type Detected,
  keyOfKind,
  type Threshold,
  thresholdsOf,
} from '../../detect/patterns/kinds.ts';
import { unreachable } from '../../wire/quantity.ts';
import { FORM } from '../units.ts';
import { count, duration, MOST, text } from './schema-parts.ts';

/** What is written of one kind: `off`, or its thresholds. */
export type WrittenDetect = 'off' | Readonly<Record<string, string | number | undefined>>;

/** The keys of `detect:` in the server file, one for each kind of the table. */
export const detectKeys: Readonly<Record<string, z.ZodOptional<z.ZodType<WrittenDetect>>>> =
  Object.fromEntries(DETECTED_KINDS.map((kind) => [keyOfKind(kind), kindSchema(kind).optional()]));

/** The same keys of an identity: it may turn a kind off. */
export const detectOffKeys: Readonly<Record<string, z.ZodOptional<z.ZodLiteral<'off'>>>> = Object.fromEntries(
  DETECTED_KINDS.map((kind) => [
    keyOfKind(kind),
    z
      .literal('off')
      .meta({ title: 'off', description: `Findings \`${kind}\` are not made of this identity.` })
      .optional(),
  ]),
);

function kindSchema(kind: Detected): z.ZodType<WrittenDetect> {
  const thresholds = thresholdsOf(kind);
  const off = z.literal('off');
  const description = `Findings \`${kind}\`; \`off\` makes none.`;
  if (thresholds.length === 0) return off.meta({ title: 'off', description });
  const map = z.strictObject(
    Object.fromEntries(thresholds.map(([name, threshold]) => [name, thresholdSchema(threshold).optional()])),
  );
  const names = thresholds.map(([name]) => name);
  return z
    .union([off, map])
    .meta({ title: `a map { ${names.join(', ')} } or off`, description }) as z.ZodType<WrittenDetect>;
}

function thresholdSchema({ form, value, least, most = MOST, says }: Threshold) {
  switch (form) {
    case 'duration':
      return duration(says, `${value / 1000}s`);
    case 'size':
      return text('a size', says, FORM.size, `${value}B`);
    case 'count':
      return count(says, least, Math.min(most, MOST), value);
    default:
      unreachable(form);
  }
}

import { z } from 'zod';
import { FORM } from '../units.ts';
import { text } from './schema-parts.ts';

/** `off`, or a map of two sizes, the second of which may be off. `whose` says what it is a budget of. */
export function budget(whose: string, example: string): z.ZodType<WrittenBudget> {
  return z
    .union([
      z.literal('off'),
      z.strictObject({
        alert: text('a size', 'From here a finding tells of it.', FORM.size, '2KiB').optional(),
        contain: z
          .union([z.literal('off'), text('a size', 'Nothing is sent beyond it.', FORM.size, '8KiB')])
          .meta({
            title: 'a size or off',
            description: 'The question that would cross it is not sent; `off` sends it.',
            examples: ['8KiB', 'off'],
          })
          .optional(),
      }),
    ])
    .meta({ title: 'a map { alert, contain } or off', description: whose, examples: [example, 'off'] });
}

export type WrittenBudget =
  | 'off'
  | { readonly alert?: string | undefined; readonly contain?: string | undefined };

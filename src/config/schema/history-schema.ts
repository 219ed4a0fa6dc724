import { z } from 'zod';
import { FORM } from '../units.ts';
import { text } from './schema-parts.ts';

/** `history` in the server file. */
export const history = z
  .union([
    z.literal('off'),
    z.strictObject({
      keep: text(
        'a duration',
        'How long an account is kept after its last question (default 30d).',
        FORM.duration,
        '30d',
      ).optional(),
      size: text(
        'a size',
        'What the history may take; the oldest goes first (default 1GiB).',
        FORM.size,
        '1GiB',
      ).optional(),
    }),
  ])
  .meta({
    title: 'a map { keep, size } or off',
    description: 'What each job asked and was refused; on wherever there is a state folder.',
    examples: ['{ keep: 30d, size: 1GiB }', 'off'],
  })
  .optional();

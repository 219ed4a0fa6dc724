import { z } from 'zod';
import { policySchema } from './policy-schema.ts';
import { serverSchema } from './server-schema.ts';

/**
 * JSON Schema draft-7 of a file, for editors. It says more than validation does: what a text holds (a duration, a
 * pattern, an address) is read by the function of its kind, so that a problem can name the very character.
 */
export function jsonSchema(kind: 'server' | 'policy'): object {
  return z.toJSONSchema(kind === 'server' ? serverSchema : policySchema, { target: 'draft-7', io: 'input' });
}

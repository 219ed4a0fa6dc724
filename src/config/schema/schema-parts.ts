import { z } from 'zod';
import { FORM } from '../units.ts';

/** Texts for people: at least one character that shows, no control characters, no direction overrides. */
export function prose(description: string, ...examples: string[]): z.ZodString {
  return z.string().min(1).refine(isProse, 'prose').meta({ title: 'text', description, examples });
}

/** An empty text has its own check. */
function isProse(text: string): boolean {
  if (text === '') return true;
  return (
    text.isWellFormed() && /\S/.test(text) && !/(?![\t\n\r])\p{Cc}|[\u2028-\u202e\u2066-\u2069]/u.test(text)
  );
}

export function text(
  title: string,
  description: string,
  pattern: string | null,
  ...examples: string[]
): z.ZodString {
  return z.string().meta({ title, description, examples, ...(pattern === null ? {} : { pattern }) });
}

export function duration(description: string, example: string): z.ZodString {
  return text('a duration', description, FORM.duration, example);
}

export function time(description: string): z.ZodString {
  const form = 'ISO 8601 with a zone; a bare date is the start of that day in UTC.';
  return text('a time', `${description} ${form}`, FORM.time, '2027-03-31T18:00:00Z', '2027-03-31');
}

export function count(description: string, least: number, most: number, example: number): z.ZodInt {
  return z
    .int()
    .min(least)
    .max(most)
    .meta({ title: 'a whole number', description, examples: [example] });
}

export function list<T extends z.ZodType>(of: T, title: string, description: string): z.ZodArray<T> {
  return z.array(of).meta({ title, description });
}

/** Names of destinations and identities. */
export const NAMES = '^[A-Za-z0-9][A-Za-z0-9_-]*$';
/** The largest number that a bound may be. */
export const MOST = 10_000_000;

import type { Milliseconds } from '../../wire/quantity.ts';
import { TextFault } from '../problems.ts';
import { parseDuration, parseSize } from '../units.ts';
import type { ServerContext } from './server-context.ts';

/** The least that a key may say, and what to write instead of less. */
export interface Least {
  readonly amount: number;
  readonly fix: string;
}

type Written<K extends string> = { readonly [key in K]?: string | undefined };

/** Octets that a key says; null where it is not written, or is wrong and stands in the problems. */
export function readSize<K extends string>(
  written: Written<K>,
  key: K,
  least: Least,
  context: ServerContext,
): number | null {
  return readAmount(parseSize, 'too small', written, key, least, context);
}

/** The same in milliseconds. */
export function readDuration<K extends string>(
  written: Written<K>,
  key: K,
  least: Least,
  context: ServerContext,
): Milliseconds | null {
  return readAmount(parseDuration, 'too short', written, key, least, context);
}

function readAmount<K extends string>(
  parse: (text: string) => number | TextFault,
  tooLittle: string,
  written: Written<K>,
  key: K,
  { amount, fix }: Least,
  { marks, problems }: ServerContext,
): number | null {
  const text = written[key];
  if (text === undefined) return null;
  const read = parse(text);
  if (read instanceof TextFault) problems.fault(read, marks.inside(written, key, read.offset));
  else if (read < amount)
    problems.error('value-range', marks.value(written, key), `${text} is ${tooLittle}`, fix);
  else return read;
  return null;
}

import type { Prefix } from '../../wire/prefix.ts';
import { parsePrefix } from '../addresses.ts';
import { TextFault } from '../problems.ts';
import type { ServerContext } from './server-context.ts';

/** The prefixes of a list; what is none is told. */
export function readPrefixes(
  written: readonly (string | undefined)[],
  { marks, problems }: Pick<ServerContext, 'marks' | 'problems'>,
): Prefix[] {
  return written.flatMap((text, index) => {
    if (text === undefined) return [];
    const prefix = parsePrefix(text);
    if (!(prefix instanceof TextFault)) return [prefix];
    problems.fault(prefix, marks.inside(written, index, prefix.offset));
    return [];
  });
}

import type { Position } from '../../policy/problem.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { FileReader } from '../files/files.ts';
import type { Marks } from '../files/marks.ts';
import type { Problems } from '../problems.ts';

/** What the reading of a server file needs beside its data. */
export interface ServerContext {
  readonly marks: Marks;
  readonly problems: Problems;
  readonly reader: FileReader;
  /** The value of NAMEGATE_UPSTREAM, or undefined. */
  readonly override: string | undefined;
  /** Seconds since 1970. */
  readonly now: EpochSeconds;
  /** The environment: variables that other programs share. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Addresses of this machine's interfaces: a wildcard listener listens on them too. */
  readonly ownAddresses: readonly string[];
  /** Filled while the file is read: identities that it names, to be looked for in the policy. */
  readonly identitiesNamed: { readonly name: string; readonly at: Position }[];
}

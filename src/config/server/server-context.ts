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
  /** Addresses of this machine's interfaces: a wildcard listener listens on them too. */
  readonly ownAddresses: readonly string[];
}

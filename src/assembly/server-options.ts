import type { Log } from '../report/log.ts';
import type { TrustBuilder } from './trust/trusts.ts';

/** What a server is made from, beside its first load. */
export interface ServerOptions {
  readonly serverFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** What made the trust of the first load. */
  readonly trust: TrustBuilder;
  /** 32 random bits for hash tables, the same for every load. */
  readonly salt: number;
  /** Of namegate. */
  readonly version: string;
}

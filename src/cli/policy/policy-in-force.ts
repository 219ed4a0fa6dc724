import { load } from '../../config/load.ts';
import type { DynamicException } from '../../config/policy/exceptions.ts';
import { isError } from '../../policy/problem.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Settings } from '../../settings/settings.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { EXIT_USAGE, missingServerFile, serverFile, type Terminal } from '../terminal.ts';
import { complainProblems } from './print-problems.ts';

/** What the server file and its policy say, for a verb that only reads them. */
export interface PolicyInForce {
  readonly snapshot: Snapshot;
  /** Null where the server file has problems of its own. */
  readonly settings: Settings | null;
}

/**
 * Reads the config as the server would; a number is the exit code where it cannot, and the terminal has why. `now`: milliseconds
 * since 1970. `exceptions`: those of a running server.
 */
export function policyInForce(
  terminal: Terminal,
  verb: string,
  config: string | undefined,
  now: EpochMilliseconds,
  exceptions: readonly DynamicException[] = [],
): PolicyInForce | number {
  const missing = missingServerFile(config);
  if (missing !== null) return terminal.usage(verb, missing);
  const loading = { env: process.env, now: now / 1000, salt: 0, exceptions };
  const { snapshot, settings, problems, sources } = load(serverFile(config), loading);
  if (snapshot !== null) return { snapshot, settings };
  complainProblems(terminal, problems.filter(isError), sources);
  return EXIT_USAGE;
}

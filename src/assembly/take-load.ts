import { isLoaded, type LoadResult } from '../config/loaded.ts';
import { isError, type Problem } from '../policy/problem.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Log } from '../report/log.ts';
import type { Readiness } from '../report/readiness.ts';
import { RestartNeeds } from '../report/restart.ts';
import { knownWarnings, tellProblems } from '../report/tell-problems.ts';
import type { EpochSeconds, Milliseconds } from '../wire/quantity.ts';
import type { Swap } from './swap.ts';
import type { TrustBuilder } from './trust/trusts.ts';

export interface LoadTakerOptions {
  readonly swap: Swap;
  readonly trust: TrustBuilder;
  readonly readiness: Readiness;
  readonly log: Log;
  /** Seconds since 1970. */
  readonly epoch: () => EpochSeconds;
  /** A load has come in force, and nobody will read the snapshot of the one before again. */
  readonly taken: (before: Snapshot) => void;
}

/** Takes what was read: it comes into force whole and is told, or what is in force stays and the problems are told. */
export class LoadTaker {
  readonly #options: LoadTakerOptions;
  readonly #restart: RestartNeeds;
  /** Warnings that were told. */
  readonly #warned: Set<string>;

  constructor(options: LoadTakerOptions) {
    const { present } = options.swap;
    this.#options = options;
    this.#restart = new RestartNeeds(present.settings);
    this.#warned = knownWarnings(present.problems);
  }

  /** Returns whether it is in force now. Throws where a room met a bug; then all of what was in force before still is. */
  take(read: LoadResult, why: string, ms: Milliseconds): boolean {
    const { swap, trust, readiness, log, epoch, taken } = this.#options;
    const result = trust.vet(read, epoch());
    tellProblems(log, result.problems, this.#warned);
    if (!isLoaded(result)) return this.#refuse(result.problems, why);
    const before = swap.present.snapshot;
    try {
      swap.take(result);
    } catch (error) {
      readiness.reloadFailed(epoch(), []);
      throw error;
    }
    for (const key of this.#restart.changed(result.settings)) {
      log.warn('restart-needed', `the change of ${key} needs a restart; the old value stays`, { key });
    }
    taken(before);
    readiness.reloadDone();
    log.info('policy-loaded', 'a new policy is in force', {
      why,
      identities: result.snapshot.identities.length,
      rules: result.snapshot.rules.count,
      views: result.snapshot.views.length,
      ms,
    });
    return true;
  }

  /** What was read is not for use: it is told, and the last good one stays. */
  #refuse(problems: readonly Problem[], why: string): false {
    const { readiness, log, epoch } = this.#options;
    const errors = problems.filter(isError);
    readiness.reloadFailed(epoch(), errors);
    const message = 'the change is not in force: the last good policy stays';
    log.error('reload-failed', message, { why, problems: errors.length });
    return false;
  }
}

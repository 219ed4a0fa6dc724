import type { Identity } from '../../policy/snapshot.ts';
import type { EpochSeconds, Milliseconds } from '../../wire/quantity.ts';
import type { UsedMark } from '../leases/lease-record.ts';
import type { JobOwner } from './owner.ts';
import { markKey } from './used-marks.ts';

/** Milliseconds for which a job is remembered: no runner's job lasts longer, so that nobody issues tokens for it any more. */
const REMEMBER_MS: Milliseconds = 7 * 86_400_000;
/** Claims that a lease's `job` shows, as far as a token has them. */
const SHOWN = [
  'repository',
  'repository_id',
  'workflow_ref',
  'job_workflow_ref',
  'ref',
  'sha',
  'environment',
  'actor',
  'run_id',
  'run_attempt',
  'check_run_id',
  'runner_environment',
  'project_path',
  'project_id',
  'pipeline_id',
  'job_id',
  'runner_id',
  'ref_protected',
  'pipeline_slug',
  'build_number',
  'agent_id',
];
const MAX_SHOWN = 256;

/** Whether a lease shows this only where a job's own token says it. */
export function isClaim(name: string): boolean {
  return SHOWN.includes(name);
}

/** A job, as its own token (OIDC) says, whose signature, issuer, audience and dates are good. */
export class Job {
  readonly #issuer: string;
  readonly #claims: Readonly<Record<string, unknown>>;

  constructor(issuer: string, claims: Readonly<Record<string, unknown>>) {
    this.#issuer = issuer;
    this.#claims = claims;
  }

  /**
   * What names the job among all of its issuer: `run_id`, `run_attempt` and `check_run_id` (GitHub), else `job_id` (GitLab,
   * Buildkite). Null where the token names none: then it is nobody's, and opens, sees and ends nothing.
   */
  get owner(): JobOwner | null {
    const parts = this.#texts(['run_id', 'run_attempt', 'check_run_id']) ?? this.#texts(['job_id']);
    return parts === null ? null : { kind: 'job', key: markKey('job', this.#issuer, ...parts) };
  }

  /** For people. */
  get label(): string {
    const where = ['repository', 'project_path', 'pipeline_slug']
      .map((name) => this.#text(name))
      .find((text) => text !== null);
    const which = ['check_run_id', 'job_id'].map((name) => this.#text(name)).find((text) => text !== null);
    return `${where ?? this.#issuer}${which === undefined ? '' : `#${which}`}`.slice(0, MAX_SHOWN);
  }

  /** Whether the token has all claims of one of the identity's entries. */
  isOf({ claims }: Identity): boolean {
    return claims.some(
      ({ issuer, values }) =>
        issuer === this.#issuer &&
        Object.entries(values).every(([name, value]) => this.#text(name) === value),
    );
  }

  /** What must not have been used before: the job, and the token (`jti`) where it has a name. `now`: seconds since 1970. */
  marks(now: EpochSeconds): UsedMark[] {
    const { owner } = this;
    const marks = owner === null ? [] : [{ key: owner.key, until: now * 1000 + REMEMBER_MS }];
    const jti = this.#text('jti');
    const ends = Number(this.#claims['exp']) * 1000;
    if (jti !== null) marks.push({ key: markKey('jti', this.#issuer, jti), until: ends });
    return marks;
  }

  /** What a lease shows of the job. */
  get facts(): Record<string, string> {
    return Object.fromEntries(
      SHOWN.flatMap((name) => {
        const text = this.#text(name);
        return text === null ? [] : [[name, text.slice(0, MAX_SHOWN)]];
      }),
    );
  }

  /** All of these claims, or null where one is missing. */
  #texts(names: readonly string[]): readonly string[] | null {
    const texts = names.flatMap((name) => this.#text(name) ?? []);
    return texts.length === names.length ? texts : null;
  }

  /** A claim that is one value, as text. A number that JSON.parse rounds names no one thing: it counts as missing. */
  #text(name: string): string | null {
    if (!Object.hasOwn(this.#claims, name)) return null;
    const value = this.#claims[name];
    if (typeof value === 'string') return value === '' ? null : value;
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
  }
}

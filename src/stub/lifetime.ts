import type { Log } from '../report/log.ts';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { StubCredentials } from './credentials.ts';

const LOOK_EVERY: Milliseconds = 60_000;
/** A certificate is near its end in the last fifth of its life, or in its last 30 days, whichever is shorter. */
const LAST_PART = 1 / 5;
const LAST_MS: Milliseconds = 30 * 86_400_000;

/** Where in its life a certificate is at `now`, milliseconds since 1970. */
export type Age = 'early' | 'good' | 'ending' | 'ended';

export function ageOf(
  { notBefore, notAfter }: Pick<StubCredentials, 'notBefore' | 'notAfter'>,
  now: EpochMilliseconds,
): Age {
  if (now < notBefore) return 'early';
  if (now >= notAfter) return 'ended';
  return notAfter - now <= Math.min((notAfter - notBefore) * LAST_PART, LAST_MS) ? 'ending' : 'good';
}

/** Tells the log when the certificate in use nears its end, has ended, or has not begun: each once a certificate. */
export class Lifetime {
  readonly #file: string;
  readonly #log: Log;
  readonly #now: () => EpochMilliseconds;
  readonly #timer: NodeJS.Timeout;
  #credentials: StubCredentials | null = null;
  #told: Age = 'good';

  /** `now`: milliseconds since 1970, as the machine's clock says. */
  constructor(file: string, log: Log, now: () => EpochMilliseconds = Date.now) {
    this.#file = file;
    this.#log = log;
    this.#now = now;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY).unref();
  }

  /** From now on, this one. */
  follow(credentials: StubCredentials): void {
    this.#credentials = credentials;
    this.#told = 'good';
    this.look();
  }

  /** Looks now; it also looks once a minute. */
  look(): void {
    if (this.#credentials === null) return;
    const age = ageOf(this.#credentials, this.#now());
    if (age === this.#told) return;
    this.#told = age;
    if (age === 'good') return;
    const { notBefore, notAfter } = this.#credentials;
    const fields = {
      file: this.#file,
      not_before: new Date(notBefore).toISOString(),
      not_after: new Date(notAfter).toISOString(),
    };
    if (age === 'ending')
      this.#log.warn('certificate-ending', 'the certificate is near its end: renew it', fields);
    else if (age === 'ended')
      this.#log.error('certificate-ended', 'the certificate has ended: servers will refuse it', fields);
    else
      this.#log.error(
        'certificate-early',
        'the certificate is not valid yet: servers will refuse it',
        fields,
      );
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

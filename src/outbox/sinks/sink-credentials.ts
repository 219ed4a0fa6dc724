import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SinkTls } from '../../settings/alert-settings.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** What is shown to a receiver, and whom it must be vouched for by. */
export interface Shown {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | null;
}

const NOTHING: Shown = { ca: undefined, cert: undefined, key: undefined, token: null };

/** The files of a sink, as they were read last. */
export class Credentials {
  readonly #tls: SinkTls;
  readonly #tokenFile: string | null;
  #shown: Shown | null = null;
  /** The certificate that is shown was out of its time when somebody looked last. */
  #wasFaulty = false;

  constructor(tls: SinkTls, tokenFile: string | null) {
    this.#tls = tls;
    this.#tokenFile = tokenFile;
  }

  /** Throws where a file cannot be read. */
  async shown(): Promise<Shown> {
    this.#shown ??= await this.#read();
    return this.#shown;
  }

  /**
   * Reads all files anew; whether one is another than before, or is good by now. Throws where a file cannot be read, and keeps what
   * it knew. `now`: milliseconds since 1970.
   */
  async renew(now: EpochMilliseconds): Promise<boolean> {
    const next = await this.#read();
    const before = this.#shown ?? NOTHING;
    this.#shown = next;
    const wasFaulty = this.#wasFaulty;
    const isGoodNow = wasFaulty && this.fault(next, now) === null;
    return isGoodNow || (['ca', 'cert', 'key', 'token'] as const).some((part) => next[part] !== before[part]);
  }

  /** Why a receiver would refuse the certificate that is shown, or null. `now`: milliseconds since 1970. */
  fault(shown: Shown, now: EpochMilliseconds): string | null {
    const fault = faultOf(shown, now);
    this.#wasFaulty = fault !== null;
    return fault;
  }

  async #read(): Promise<Shown> {
    const { ca, certificate, key } = this.#tls;
    const read = async (path: string | null): Promise<string | undefined> =>
      path === null ? undefined : await readFile(path, 'utf8');
    const token = await read(this.#tokenFile);
    return {
      ca: await read(ca),
      cert: await read(certificate),
      key: await read(key),
      token: token === undefined ? null : token.trim(),
    };
  }
}

function faultOf({ cert }: Shown, now: EpochMilliseconds): string | null {
  if (cert === undefined) return null;
  try {
    const { validFrom, validTo } = new X509Certificate(cert);
    if (now >= Date.parse(validTo)) return `its certificate has ended on ${validTo}`;
    if (now < Date.parse(validFrom)) return `its certificate begins on ${validFrom}`;
    return null;
  } catch {
    return 'its certificate cannot be read';
  }
}

/** Whether an error of TLS says that the receiver does not take the certificate that it was shown (RFC 8446 §6.2). */
export function isCertificateRefused(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return /^ERR_SSL_.*ALERT_(CERTIFICATE|BAD_CERT|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERT|NO_CERT)/.test(
    code,
  );
}

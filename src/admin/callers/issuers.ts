import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { OidcSetting } from '../../settings/settings.ts';
import type { EpochSeconds, Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { Job } from './jobs.ts';

/** What became of a token. */
export type Verified =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The issuer's keys are not to be had: nobody is let in, and nobody is told that the token is bad. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** Octets of a token; GitHub's have some 2,000. */
const MAX_TOKEN = 8_192;
/** Signatures that only the holder of a private key can make. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** The issuers of jobs' tokens (OpenID Connect Core; RFC 7519, RFC 8725). */
export class Issuers {
  #all: readonly { readonly setting: OidcSetting; readonly key: JWTVerifyGetKey }[] = [];
  readonly #remote = new Map<string, RemoteKeys>();

  configure(settings: readonly OidcSetting[]): void {
    this.#all = settings.map((setting) => ({ setting, key: this.#keys(setting) }));
    const urls = new Set(settings.flatMap(({ jwks }) => ('url' in jwks ? [jwks.url] : [])));
    for (const url of this.#remote.keys()) if (!urls.has(url)) this.#remote.delete(url);
  }

  /** Whether a token has the form of a JWT. */
  static isJwt(token: string): boolean {
    return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token) && token.startsWith('eyJ');
  }

  /** Checks signature, issuer, audience and dates. `now`: seconds since 1970. Never rejects. */
  async verify(token: string, now: EpochSeconds): Promise<Verified> {
    if (token.length > MAX_TOKEN) return refused('the token is too large');
    let issuer: string | undefined;
    try {
      issuer = decodeJwt(token).iss;
    } catch {
      return refused('the token cannot be read');
    }
    const candidates = this.#all.filter(({ setting }) => setting.issuer === issuer);
    let result: Verified = refused('no issuer of tokens has this name');
    for (const { setting, key } of candidates) {
      result = await verifyWith(token, setting, key, now);
      if (result.kind === 'job') return result;
    }
    return result;
  }

  #keys({ jwks }: OidcSetting): JWTVerifyGetKey {
    if ('file' in jwks) return createLocalJWKSet(JSON.parse(jwks.file.text) as JSONWebKeySet);
    let keys = this.#remote.get(jwks.url);
    if (keys === undefined) {
      keys = new RemoteKeys(jwks.url);
      this.#remote.set(jwks.url, keys);
    }
    return keys.get;
  }
}

async function verifyWith(
  token: string,
  setting: OidcSetting,
  key: JWTVerifyGetKey,
  now: EpochSeconds,
): Promise<Verified> {
  const { issuer, audience } = setting;
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp'],
      currentDate: new Date(now * 1000),
    });
    return { kind: 'job', job: new Job(issuer, payload) };
  } catch (error) {
    if (error instanceof KeysUnavailable) return { kind: 'unavailable', reason: error.message };
    if (error instanceof errors.JOSEError) return refused(REASONS[error.code] ?? 'the token is not good');
    return refused('the token is not good');
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has ended',
  ERR_JWT_CLAIM_VALIDATION_FAILED: 'the issuer, the audience or a date of the token is not good',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token is not good',
  ERR_JWKS_NO_MATCHING_KEY: 'the issuer has no such key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'the token does not say which key of the issuer signed it',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the algorithm of the token is not accepted',
};

function refused(reason: string): Verified {
  return { kind: 'refused', reason };
}

/** The keys of an issuer could not be fetched. */
class KeysUnavailable extends Error {}

const MAX_JWKS = 256 * 1024;
const FETCH_MS: Milliseconds = 5_000;
/** After a failure nobody asks again for so long. */
const RETRY_MS: Milliseconds = 10_000;
/** After a success nobody asks for a key that was not there for so long: an issuer's next key counts that soon. */
const UNKNOWN_KEY_MS: Milliseconds = 5_000;
/** Keys are asked for anew after so long: a key that the issuer has withdrawn counts no longer. */
const KEEP_MS: Milliseconds = 120_000;
/** No answer, no 200, no JSON, no set of keys. */
const KEY_FAULTS = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID']);

/** Keys by URL: bounded in time and size, not asked for more often than every few seconds, kept for two minutes. */
class RemoteKeys {
  readonly get: JWTVerifyGetKey;
  readonly #url: string;
  #failed: Monotonic = Number.NEGATIVE_INFINITY;
  #fault = '';

  constructor(url: string) {
    this.#url = url;
    const keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: FETCH_MS,
      cooldownDuration: UNKNOWN_KEY_MS,
      cacheMaxAge: KEEP_MS,
      [customFetch]: (_url, options) => this.#fetch(options),
    });
    this.get = async (header, token) => {
      try {
        return await keys(header, token);
      } catch (error) {
        // What the token chose must not count as a failure of the issuer's.
        const itsOwn = error instanceof errors.JOSEError && !KEY_FAULTS.has(error.code);
        throw itsOwn || error instanceof KeysUnavailable ? error : this.#fail(error);
      }
    };
  }

  async #fetch(options: { readonly headers: Headers; readonly signal: AbortSignal }): Promise<Response> {
    if (performance.now() - this.#failed < RETRY_MS) throw new KeysUnavailable(this.#fault);
    try {
      const response = await fetch(this.#url, { ...options, method: 'GET', redirect: 'manual' });
      const body = response.status === 200 ? await readBounded(response) : null;
      if (body === null) throw new Error(`${response.status} or more than ${MAX_JWKS} octets`);
      return new Response(body, { status: 200, headers: { 'content-type': 'application/json' } });
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): KeysUnavailable {
    this.#failed = performance.now();
    const { message, cause } = error as Error;
    this.#fault = `${this.#url}: ${cause instanceof Error ? cause.message : message}`;
    return new KeysUnavailable(this.#fault);
  }
}

/** The body, or null where it is larger than a set of keys is. */
async function readBounded({ body }: Response): Promise<ArrayBuffer | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_JWKS) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks)).buffer;
}

/** Tokens of jobs, as issuers sign them. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { TestClock } from './house.ts';

export const NOW = new TestClock().epoch();

/** An issuer of jobs' tokens with one key. */
export class TestIssuer {
  readonly name: string;
  readonly #key: KeyObject;
  readonly #public: KeyObject;

  constructor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.name = name;
    this.#key = privateKey;
    this.#public = publicKey;
  }

  get jwks(): string {
    return JSON.stringify({
      keys: [{ ...this.#public.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }],
    });
  }

  /** A good token with these claims, a fresh `jti` and five minutes to live, unless they say otherwise. */
  token(claims: object): string {
    const payload = {
      iss: this.name,
      aud: 'namegate',
      iat: NOW - 5,
      exp: NOW + 300,
      jti: `jti-${Math.random()}`,
      ...claims,
    };
    return this.tokenOf(JSON.stringify(payload));
  }

  /** The same of a payload as it is written. */
  tokenOf(payload: string): string {
    const part = (text: string): string => Buffer.from(text).toString('base64url');
    const signed = `${part(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: 'one' }))}.${part(payload)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

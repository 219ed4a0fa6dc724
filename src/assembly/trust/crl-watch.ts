import type { CrlState } from '../../identity/revocation.ts';
import { gauge, type Sample, type Samples } from '../../metric/metric.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { Trusts } from './trusts.ts';

/**
 * Tells of CRLs that near their end, have ended or have not begun: once for each change, and in `/ready` while it is so.
 * With `crl_ended: refuse` the end of a CRL turns away every client of its issuer, so that must not come as a surprise.
 */
export class CrlWatch {
  readonly #log: Log;
  readonly #readiness: Readiness;
  #trusts: Trusts = new Map();
  readonly #told = new Map<string, CrlState['state']>();

  constructor(log: Log, readiness: Readiness) {
    this.#log = log;
    this.#readiness = readiness;
  }

  /** Looks after the CRLs of another load. */
  take(trusts: Trusts, epoch: EpochSeconds): void {
    this.#trusts = trusts;
    this.look(epoch);
  }

  *samples(): Generator<Samples> {
    const ends = new Map<string, Sample>();
    for (const { trust, crlFile } of this.#trusts.values()) {
      // What its state is does not matter here.
      for (const { issuer, nextUpdate } of trust?.crls(0) ?? []) {
        const key = `${crlFile} ${issuer}`;
        const value = Math.min(nextUpdate, Number(ends.get(key)?.value ?? nextUpdate));
        ends.set(key, { labels: [crlFile ?? '', issuer], value });
      }
    }
    yield { metric: ENDS, values: ends.values() };
  }

  /** To be called every minute or so. */
  look(epoch: EpochSeconds): void {
    const seen = new Set<string>();
    const troubled: object[] = [];
    for (const [place, { trust, crlFile }] of this.#trusts) {
      for (const { issuer, nextUpdate, revoked, state } of trust?.crls(epoch) ?? []) {
        // Listeners that share a file are told of once.
        const key = `${crlFile} ${issuer}`;
        if (seen.has(key)) continue;
        const listener = place.split(' ').slice(0, 3).join(' ');
        const fields = {
          listener,
          file: crlFile,
          issuer,
          state,
          next_update: new Date(nextUpdate * 1000).toISOString(),
          revoked,
        };
        seen.add(key);
        if (state !== 'good') troubled.push(fields);
        if ((this.#told.get(key) ?? 'good') === state) continue;
        this.#told.set(key, state);
        this.#log[state === 'good' ? 'info' : 'warn']('crl', TEXTS[state], fields);
      }
    }
    for (const key of this.#told.keys()) if (!seen.has(key)) this.#told.delete(key);
    this.#readiness.setCrls(troubled);
  }
}

const ENDS = gauge(
  'namegate_crl_expiry_timestamp_seconds',
  'When the next CRL of an issuer is due, in seconds since 1970: after it, this one has ended.',
  'file',
  'issuer',
);

const TEXTS: Record<CrlState['state'], string> = {
  good: 'a CRL is good again',
  near: 'a CRL nears its end: fetch the next one',
  ended: 'a CRL has ended: fetch the next one',
  early: 'a CRL has not begun',
};

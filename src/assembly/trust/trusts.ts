import { isDeepStrictEqual } from 'node:util';
import { isLoaded, type LoadResult } from '../../config/loaded.ts';
import { readFirst } from '../../identity/certificate-file.ts';
import { dnsNamesOf } from '../../identity/client-certificate.ts';
import { buildTrust, type ClientTrust } from '../../identity/client-trust.ts';
import { NAME } from '../../identity/extensions.ts';
import { CertificateMemo } from '../../identity/memo.ts';
import { type ShownDates, shownDates } from '../../identity/server-certificate.ts';
import type { TlsMaterial } from '../../listen/stream/handshakes.ts';
import { isError, type Problem } from '../../policy/problem.ts';
import type { Designation } from '../../resolve/local/designation.ts';
import type { DotSetting, ListenSetting } from '../../settings/settings.ts';
import { readAddress } from '../../socket/address-words.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { placesOf } from '../places.ts';
import { warnUnreached } from './unreached.ts';

/** What one TLS listener shows, whom it trusts, and what may be told of it. */
export interface ListenerTrust {
  readonly material: TlsMaterial;
  /** Null where clients show nothing. */
  readonly trust: ClientTrust | null;
  readonly designation: Designation | null;
  /** Of the chain that is shown, and the file that it stands in. */
  readonly shown: { readonly file: string; readonly dates: readonly ShownDates[] };
  /** The file of its CRLs. */
  readonly crlFile: string | null;
}

/** By `placesOf` (places.ts) the listeners. */
export type Trusts = ReadonlyMap<string, ListenerTrust>;

/** What was read, with what TLS listeners need of it. */
export interface Vetted extends LoadResult {
  readonly trusts: Trusts;
}

/** Makes the trust of every TLS listener from what was read. One memo serves all, for the life of the process. */
export class TrustBuilder {
  readonly #memo = new CertificateMemo();

  /**
   * Adds what is wrong with certificates, keys, CAs and CRLs to a load's problems; an error there is one of the whole, and
   * nothing of it is for use. `epoch`: seconds since 1970.
   */
  vet(result: LoadResult, epoch: EpochSeconds): Vetted {
    if (!isLoaded(result)) return { ...result, trusts: new Map() };
    const { trusts, problems } = this.build(result.settings.listen, epoch);
    problems.push(...warnUnreached(result.settings, result.snapshot));
    const unfit = problems.some(isError) ? { settings: null, snapshot: null } : {};
    return { ...result, ...unfit, problems: [...result.problems, ...problems], trusts };
  }

  /** The trust of these listeners alone. Where a problem is an error, nothing of it is for use. */
  build(listen: readonly ListenSetting[], epoch: EpochSeconds): { trusts: Trusts; problems: Problem[] } {
    const problems: Problem[] = [];
    const trusts = new Map<string, ListenerTrust>();
    const places = placesOf(listen);
    listen.forEach((setting, index) => {
      if (setting.protocol !== 'tls') return;
      const { tls } = setting;
      const built = buildTrust(tls, epoch, this.#memo);
      problems.push(...built.problems.filter((problem) => !isTold(problem, problems)));
      if (built.problems.some(isError)) return;
      const { trust } = built;
      const material: TlsMaterial = {
        certificate: tls.certificate.text,
        key: tls.key.text,
        clients: tls.clients,
        caPem: trust?.caPem.join('') ?? '',
        judge: trust,
      };
      trusts.set(places[index]!, {
        material,
        trust,
        designation: designationOf(setting),
        shown: { file: tls.certificate.path, dates: shownDates(tls.certificate) },
        crlFile: tls.crl?.path ?? null,
      });
    });
    return { trusts, problems };
  }
}

/** Listeners share files, and what is wrong with one is told once. */
function isTold(problem: Problem, told: readonly Problem[]): boolean {
  return told.some((other) => isDeepStrictEqual(other, problem));
}

/**
 * What `_dns.resolver.arpa` may say of a listener (RFC 9462 §4): nothing where clients need a certificate, for who discovers a
 * resolver has none, and nothing without the names that are to be verified.
 */
function designationOf({ host, port, tls }: DotSetting): Designation | null {
  if (tls.clients === 'required') return null;
  const certificate = readFirst(Buffer.from(tls.certificate.text));
  const target = certificate === null ? undefined : dnsNamesOf(certificate)[0];
  const addresses = (certificate?.extensions.names ?? []).flatMap(({ tag, octets }) =>
    tag === NAME.IP && (octets.length === 4 || octets.length === 16) ? [addressIn(octets)] : [],
  );
  if (target === undefined || addresses.length === 0) return null;
  const wildcard = host === '0.0.0.0' || host === '::';
  return { addresses, target, port, host: wildcard ? null : addressOf(host) };
}

function addressIn(octets: Uint8Array): AddressWords {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const word = (i: number): number => (4 * i < octets.length ? view.getUint32(4 * i) : 0);
  return { family: octets.length === 4 ? 4 : 6, w0: word(0), w1: word(1), w2: word(2), w3: word(3) };
}

function addressOf(text: string): AddressWords {
  const address: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  readAddress(text, address);
  return address;
}

import { parsePrefix, wordsToText } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import type { LeaseClaim } from '../../policy/lease/lease.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';

/** What a lease is, in the journal, the API and the command line alike. */
export interface LeaseTerms {
  readonly id: string;
  readonly identity: string;
  readonly stage: string | null;
  /** Prefixes as text. */
  readonly addresses: readonly string[];
  readonly certificate: string | null;
  /** The address that the firewall judges in place of `addresses`, or null. */
  readonly client: string | null;
  /** `enforced`: its opener says that nobody else can send from its addresses. */
  readonly source: 'enforced' | null;
  readonly job: Readonly<Record<string, string>> | null;
}

/** A lease as it outlives the process. Times are milliseconds since 1970. */
export interface LeaseRecord extends LeaseTerms {
  readonly opened: EpochMilliseconds;
  readonly expires: EpochMilliseconds;
  /** Who opened it. */
  readonly by: string;
  /** The job that opened it by its own token, or null. */
  readonly holder: string | null;
  /** Milliseconds. */
  readonly quarantine: Milliseconds;
}

/** A job's own token opens once: what is remembered of it, and until when (milliseconds since 1970). */
export interface UsedMark {
  readonly key: string;
  readonly until: EpochMilliseconds;
}

/** What the journal holds. `at`: when it was written, milliseconds since 1970. */
export type LeaseEntry =
  | {
      readonly t: 'open';
      readonly at: EpochMilliseconds;
      readonly lease: LeaseRecord;
      readonly used: readonly UsedMark[];
    }
  | {
      readonly t: 'change';
      readonly at: EpochMilliseconds;
      readonly id: string;
      readonly stage: string | null;
      readonly expires: EpochMilliseconds;
    }
  | { readonly t: 'end'; readonly at: EpochMilliseconds; readonly id: string }
  | { readonly t: 'used'; readonly at: EpochMilliseconds; readonly marks: readonly UsedMark[] }
  | {
      readonly t: 'quarantine';
      readonly at: EpochMilliseconds;
      readonly addresses: readonly string[];
      readonly certificate: string | null;
      readonly client?: string | null;
      readonly until: EpochMilliseconds;
    };

/** `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`. */
export function prefixToText({ family, words, length }: Prefix): string {
  const address = wordsToText({ family, words });
  return length === (family === 4 ? 32 : 128) ? address : `${address}/${length}`;
}

/** Of text that `prefixToText` made. */
export function prefixFromText(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix instanceof TextFault) throw new Error(`${text} is no prefix`);
  return prefix;
}

/** Whom a record binds. */
export function claimOf({
  addresses,
  certificate,
  client,
}: {
  readonly addresses: readonly string[];
  readonly certificate: string | null;
  /** Records of before have none. */
  readonly client?: string | null;
}): LeaseClaim {
  const judged = client == null ? null : prefixFromText(client);
  return { addresses: addresses.map(prefixFromText), certificate, client: judged };
}

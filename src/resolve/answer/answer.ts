import type { Seconds } from '../../wire/quantity.ts';
import type { UpstreamCause } from '../ports.ts';

/**
 * What an upstream said of one question, cleaned (`clean.ts`) and ready to be kept in the answer store.
 * Nothing in it depends on who asked.
 */
export interface Answer {
  /** RCODE.NOERROR or RCODE.NXDOMAIN. */
  readonly rcode: number;
  /** Without DNSSEC records, unless they were asked for by type. */
  readonly plain: Form;
  /** With RRSIGs and proofs; the same object as `plain` where there are none. */
  readonly full: Form;
  /** Seconds from arrival in which it is fresh: its least TTL. */
  readonly ttl: Seconds;
  /** False: it is negative, and no SOA says so (RFC 2308 §5). It is not kept. */
  readonly supported: boolean;
  /** Where its chain ends with nothing at all, neither data nor a SOA: the name that is to be asked for next. Null otherwise. */
  readonly open: Uint8Array | null;
  /** AD was set by a server that proved who it is. */
  readonly authentic: boolean;
  /** Names that its CNAME and DNAME chain leads to, in order. */
  readonly chain: readonly Uint8Array[];
  /** Its addresses that are not public, 4 or 16 octets each: rules decide on them. */
  readonly restricted: readonly Uint8Array[];
  /** Names other than their owner that its MX, SRV, SVCB or HTTPS records lead to. */
  readonly targets: readonly Uint8Array[];
}

/** The sections behind the question. Compression pointers count from the start of a message with this question. */
export interface Form {
  readonly octets: Buffer;
  /** Offset of each TTL in `octets`. */
  readonly ttls: Uint16Array;
  readonly answers: number;
  readonly authority: number;
}

/** A form where it stands. */
export interface Sections {
  readonly octets: Buffer;
  /** Where the form begins and ends in `octets`. */
  readonly start: number;
  readonly end: number;
  /** The offset of each TTL from `start`: `ttlCount` of these, from `ttls` on. */
  readonly offsets: Uint16Array;
  readonly ttls: number;
  readonly ttlCount: number;
  readonly answers: number;
  readonly authority: number;
}

/** A form on its own, as sections. */
export function sectionsOf({ octets, ttls, answers, authority }: Form): Sections {
  const { length } = octets;
  return { octets, start: 0, end: length, offsets: ttls, ttls: 0, ttlCount: ttls.length, answers, authority };
}

/** How asking failed last, kept so that the next client need not wait for the same (RFC 9520). */
export interface Failure {
  readonly reason: 'silent' | 'network' | 'refused';
  /** What a client is told (RFC 8914): the upstream's own code where it gave one. */
  readonly ede: number;
  /** What the server did whose fault says most; null where none was asked. */
  readonly cause: UpstreamCause | null;
}

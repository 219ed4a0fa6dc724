import type { UpstreamCause } from '../ports.ts';

/**
 * What an upstream said of one question, cleaned (`clean.ts`) and ready to be sent: the form in which answers are cached.
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
  readonly ttl: number;
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

/** How asking ended last, kept so that the next client need not wait for the same (RFC 9520). */
export interface Failure {
  readonly reason: 'silent' | 'network' | 'refused';
  /** What a client is told (RFC 8914): the upstream's own code where it gave one. */
  readonly ede: number;
  /** What the server did whose fault says most; null where none was asked. */
  readonly cause: UpstreamCause | null;
  /** Monotonic milliseconds until which nobody is asked again. */
  readonly until: number;
  /** Failures in a row. */
  readonly count: number;
}

/** One slot of the answer store. */
export interface Entry {
  /** The last good answer, fresh or stale; null where there never was one. */
  readonly answer: Answer | null;
  /** Monotonic milliseconds at which `answer` arrived, and until which it is fresh. */
  readonly stored: number;
  readonly freshUntil: number;
  readonly failure: Failure | null;
  /** Renewed by ourselves: TTLs are what is left of its life, at most their own and at least 1. */
  readonly renewed: boolean;
}

/** Where entries are kept, bounded in octets; `cache/` implements it. */
export interface AnswerStore {
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry): void;
}

/** Octets that an entry takes, its objects estimated. */
export function entrySize(key: string, entry: Entry): number {
  const { answer } = entry;
  if (answer === null) return key.length + 256;
  let size = key.length + 640 + formSize(answer.plain);
  if (answer.full !== answer.plain) size += formSize(answer.full) + 200;
  for (const name of answer.chain) size += name.length + 100;
  for (const name of answer.targets) size += name.length + 100;
  return size + answer.restricted.length * 116;
}

function formSize(form: Form): number {
  return form.octets.length + form.ttls.length * 2;
}

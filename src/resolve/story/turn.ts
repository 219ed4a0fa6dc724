import { Decision } from '../../policy/decide/decision.ts';
import { EMPTY_VIEW } from '../../policy/identity.ts';
import type { Bound } from '../../policy/lease/lease.ts';
import type { Stage, View } from '../../policy/snapshot.ts';
import type { Ede, Rcode } from '../../wire/iana.ts';
import type { EpochSeconds, Monotonic } from '../../wire/quantity.ts';
import { Query } from '../../wire/question.ts';
import { PADDING_BLOCK, ReplyWriter, UDP_PAYLOAD } from '../../wire/reply.ts';
import type { Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';
import { COOKIE_SIZE } from '../client/cookies.ts';
import type { Standing } from '../client/standing.ts';
import { EXIT, type Exit } from '../exit.ts';
import type { InForce } from '../in-force.ts';
import type { RedirectEnd } from '../local/redirect.ts';
import type { AnswerFinding, CertificateFinding, Client } from '../ports.ts';
import type { Held } from './held.ts';
import type { TrustTarget } from './trust-target.ts';

/**
 * What the story knows of the query in hand, each part written by one stage. One object serves every query, since the
 * story of one ends, or is put by as a `Pending`, before the next begins. Whoever keeps something of it copies it.
 */
export class Turn {
  /** What is in force for this query: taken once, at its beginning. */
  inForce: InForce;
  /** Of the monotonic clock, and whole seconds since 1970. */
  now: Monotonic = 0;
  epoch: EpochSeconds = 0;
  /** The whole second that has not passed yet: what must not outlive a date is counted from here. */
  nextEpoch: EpochSeconds = 0;
  /** Who asks: `recognise.ts`. */
  readonly asker: Asker;
  /** What is asked: `readQuery`. */
  readonly query = new Query();
  /** What the policy says, and what follows from that: `deciding.ts`. */
  readonly decision = new Decision();
  readonly course = new Course();
  /** What was waited for: `resume.ts`. */
  readonly fetched = new Fetched();
  /** What is wanted of the store or an upstream, and what the store has of it: `lookup.ts`. */
  readonly wanted = new Wanted();
  /** How it leaves for an upstream: `forward.ts`. */
  readonly departure = new Departure();
  /** Where the reply goes: `begin`, and `read` for its size. */
  readonly reply = new ReplyPlace();
  /** How it ended: `end.ts`. */
  readonly end = new End();

  constructor(inForce: InForce) {
    this.inForce = inForce;
    this.asker = new Asker(inForce.standings.unknown);
  }

  /** Monotonic milliseconds, and seconds since 1970. Whole ones are no objects for V8, so they are rounded here, once. */
  readClock(monotonic: Monotonic, epoch: EpochSeconds): void {
    this.now = monotonic;
    this.epoch = Math.floor(epoch);
    this.nextEpoch = Math.ceil(epoch);
  }

  /** A new query: nothing of the one before is left but the time. */
  begin(inForce: InForce, client: Client, out: Buffer): void {
    this.inForce = inForce;
    this.asker.begin(client, inForce.standings.unknown);
    this.query.clear();
    this.decision.clear();
    this.course.begin();
    this.fetched.clear();
    this.wanted.clear();
    this.departure.clear();
    this.reply.begin(client, out, inForce.keepalive);
    this.end.begin();
  }
}

/** Who asks, and what says so. */
export class Asker {
  client!: Client;
  standing: Standing;
  /** The rules in force for whoever asks: of its identity, at its stage. */
  view: View = EMPTY_VIEW;
  stage: Stage | null = null;
  /** The lease, or the quarantine after one, that says who asks; null without. */
  bound: Bound | null = null;
  /** What is to be told of the client's certificate, once a certificate and policy; null for nothing. */
  doubt: CertificateFinding | null = null;
  /** Where there is a doubt: an identity that has the client's address, though its certificate is another's. */
  disagrees: string | null = null;
  /** The client has its address: it is on a stream, shows a server cookie, or listens where nobody can forge one. */
  proven = false;

  constructor(unknown: Standing) {
    this.standing = unknown;
  }

  begin(client: Client, unknown: Standing): void {
    this.client = client;
    this.standing = unknown;
    this.view = EMPTY_VIEW;
    this.stage = null;
    this.bound = null;
    this.doubt = null;
    this.disagrees = null;
    this.proven = false;
  }

  /** An identity claims the client. */
  get isKnown(): boolean {
    return this.standing.identity.index >= 0;
  }
}

/** What is done about a question. */
export const COURSE = {
  /** Nothing is decided: the message was refused, or is not yet so far. */
  NONE: 0,
  /** Answered from our own data. */
  LOCAL: 1,
  /** Type ANY: a short answer that says that there is no long one (RFC 8482). */
  ANY: 2,
  /** From the store, or from an upstream. */
  FETCH: 3,
  EMPTY: 4,
  DENY: 5,
} as const;

export type CourseKind = (typeof COURSE)[keyof typeof COURSE];

class Course {
  kind: CourseKind = COURSE.NONE;
  /** Where an approved name's redirects lead; null for a name without. */
  redirect: RedirectEnd | null = null;
  /** DS or DNSKEY of what an answer led to; null for everything else. */
  trust: TrustTarget | null = null;
  /** It would be denied or emptied, and is resolved since its identity is audited. */
  isAudited = false;

  begin(): void {
    this.kind = COURSE.NONE;
    this.redirect = null;
    this.trust = null;
    this.isAudited = false;
  }
}

/** How often a query has waited: told at first, when its answer has come, and again where a reload changed what it needs. */
export type Round = 0 | 1 | 2 | 3;
/** In this one it may not wait any more. */
export const LAST_ROUND: Round = 3;

/** What a query has waited for. */
export class Fetched {
  /** How often it has waited; 0 is its first time round, and then the rest says nothing. */
  round: Round = 0;
  /** When the query came, of the monotonic clock. */
  since: Monotonic = 0;
  key: Key | null = null;
  entry: Entry | null = null;
  /** The entry's answer is given although it is no longer fresh. */
  stale = false;
  /** The entry was given already, as `lookup.ts` says it stood, and waited for its grants alone; null where it was not. */
  held: Held | null = null;
  /** It came from an upstream while this query waited. */
  wasAsked = true;
  /** Its grants did not come into the firewall. */
  isRefused = false;
  /** It left beyond its budget (`Departure.isOverspent`), and that was told then. */
  isOverspent = false;

  clear(): void {
    this.round = 0;
    this.key = null;
    this.entry = null;
    this.stale = false;
    this.held = null;
    this.wasAsked = true;
    this.isRefused = false;
    this.isOverspent = false;
  }

  /** This query has waited for what `key` names. */
  isFor(key: Key): boolean {
    return this.under(key) !== null;
  }

  /** The entry that this query waited for under `key`, or null: a reload may have led it to another. */
  under(key: Key): Entry | null {
    return this.round > 0 && this.key?.equals(key) ? this.entry : null;
  }
}

/** What is wanted of the store or an upstream: the question, or the name that a redirect leads it to. */
class Wanted {
  /** Wire name in lower case, in the first `nameLength` octets. */
  name: Buffer = NO_NAME;
  nameLength = 0;
  /** Index of the upstream group. */
  group = 0;
  /** It is asked for with CD. */
  checkingDisabled = false;
  /** Good until the next query's is made. */
  key: Key | null = null;
  /** What there is under `key`, good until the store is written to; null for nothing. */
  entry: Entry | null = null;
  /** This query has waited for it. */
  waited = false;

  clear(): void {
    this.waited = false;
    this.name = NO_NAME;
    this.nameLength = 0;
    this.group = 0;
    this.checkingDisabled = false;
    this.key = null;
    this.entry = null;
  }
}

/** How a question leaves for an upstream. */
class Departure {
  /** It is charged beyond its budget and leaves all the same, since its identity is audited. */
  isOverspent = false;

  clear(): void {
    this.isOverspent = false;
  }
}

const NO_NAME = Buffer.alloc(0);

/** Over UDP without EDNS (RFC 1035 §4.2.1). */
const SMALLEST = 512;

/** How many times as long as its query a reply may be over UDP to who has not proved to have its address. */
export const AMPLIFICATION = 3;

/** Of EDE 13, which is told beside the failure itself. */
const KEPT = Buffer.from('that was a moment ago');

/** Where the reply goes. */
class ReplyPlace {
  out: Buffer = Buffer.alloc(0);
  /** The most octets that it may have. */
  limit = 0;
  readonly writer = new ReplyWriter();
  /** Client and server cookie for this client, where its query brought a cookie: `Cookies.judge` writes it. */
  readonly cookie = Buffer.alloc(COOKIE_SIZE);

  constructor() {
    this.writer.cookie = this.cookie;
    this.writer.secondText = KEPT;
  }

  begin(client: Client, out: Buffer, keepalive: number): void {
    const { transport } = client;
    this.out = out;
    this.limit = transport === 'udp' ? SMALLEST : 0xffff;
    this.writer.padding = transport === 'tls' ? PADDING_BLOCK : 0;
    this.writer.filling.most = 0;
    this.writer.keepalive = transport === 'udp' ? 0 : keepalive;
  }

  /** Once the query has been read: what its sender takes over UDP. */
  widen({ transport }: Client, udpSize: number): void {
    if (transport === 'udp') this.limit = Math.min(udpSize, UDP_PAYLOAD);
  }

  /** Whoever forges a source gains little by the reply, whatever it is: what does not fit is sent for over TCP. */
  confine(queryLength: number): void {
    this.limit = Math.min(this.limit, AMPLIFICATION * queryLength);
  }
}

/** How a query ended; what it says holds from the end of its story until the next begins. */
class End {
  exit: Exit = EXIT.drop;
  /** Null for a drop, and for a bug's bare SERVFAIL that nothing was said with. */
  rcode: Rcode | null = null;
  /** The first EDE code, or null. It is told where the query had OPT and the reply room. */
  ede: Ede | null = null;
  /** Why an answer was withheld, or what an audit let through once its answer was there; null for nothing. */
  finding: AnswerFinding | null = null;
  /** What the finding is about: the address (4 or 16 octets), or the wire name that an answer leads to. */
  culprit: Uint8Array | null = null;

  begin(): void {
    this.exit = EXIT.drop;
    this.rcode = null;
    this.ede = null;
    this.finding = null;
    this.culprit = null;
  }
}

import { Decision } from '../../policy/decide.ts';
import { EMPTY_VIEW } from '../../policy/identity.ts';
import type { Bound } from '../../policy/lease.ts';
import type { Stage, View } from '../../policy/snapshot.ts';
import { Query } from '../../wire/question.ts';
import type { Entry } from '../answer/answer.ts';
import type { Standing } from '../client/standing.ts';
import type { CertificateFinding, Client, ReplyLater } from '../ports.ts';

/**
 * What the story knows of the query in hand. One object serves every query, since the story of one ends, or is put by as
 * a Pending, before the next begins.
 */
export class Turn {
  readonly query = new Query();
  readonly decision = new Decision();
  client!: Client;
  standing!: Standing;
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
  proven = true;
  /** Where the reply goes, and the most octets that it may have. */
  out: Buffer = Buffer.alloc(0);
  limit = 0;
  /** Monotonic milliseconds, and seconds since 1970. */
  now = 0;
  epoch = 0;
  /** What was waited for; null on a query's first time round. */
  fetched: Fetched | null = null;
}

export interface Fetched {
  readonly key: string;
  readonly entry: Entry;
  readonly stale: boolean;
}

/** A query that waits: its octets, its client, and the way back. It stands in for the client when its story goes on. */
export class Pending implements Client {
  readonly query: Buffer;
  readonly transport: Client['transport'];
  readonly spoofable: boolean;
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly standing: Standing;
  lease = '';
  /** How often it has waited. */
  readonly rounds: number;
  readonly #later: ReplyLater;
  /** The connection, whose certificate may have been judged again while this waited. */
  readonly #stream: Client | null;

  constructor(turn: Turn, client: Client) {
    const { message, length } = turn.query;
    this.query = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) this.query[i] = message[i]!;
    this.transport = client.transport;
    this.spoofable = client.spoofable;
    this.#stream = client.transport === 'udp' ? null : client instanceof Pending ? client.#stream : client;
    this.family = client.family;
    this.w0 = client.w0;
    this.w1 = client.w1;
    this.w2 = client.w2;
    this.w3 = client.w3;
    this.standing = turn.standing;
    this.rounds = client instanceof Pending ? client.rounds + 1 : 1;
    this.#later = client.defer();
  }

  get credential(): Client['credential'] {
    return this.#stream === null ? null : this.#stream.credential;
  }

  /** What needs to know is never put by. */
  asked(): boolean {
    return false;
  }

  defer(): ReplyLater {
    return this.#later;
  }

  /** Set before it waits. */
  resume!: (pending: Pending, fetched: Fetched) => void;

  settle(key: string, entry: Entry, stale: boolean): void {
    this.resume(this, { key, entry, stale });
  }
}

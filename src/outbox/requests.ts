import { type EpochMilliseconds, type Milliseconds, unreachable } from '../wire/quantity.ts';
import { type FeedEvent, KINDS, type Kind, type Placed } from './event.ts';
import type { Store } from './event-store.ts';
import type { FindingList, FindingSelection } from './kept-findings.ts';
import type { Sending } from './sinks/sink.ts';
import { ulid } from './ulid.ts';

/** Milliseconds that a receiver has to answer. */
const PATIENCE_MS: Milliseconds = 8_000;
/** Dead letters that are shown, and that are sent again in one call. */
const MOST_DEAD = 100;

/** What a person asks of the sinks. `sink` null: all of them. */
export type FeedRequest =
  /** Sends one event of each kind to every sink. */
  | { readonly ask: 'test' }
  /** Sends all again that happened at `since` (milliseconds since 1970) or later. */
  | { readonly ask: 'replay'; readonly sink: string; readonly since: EpochMilliseconds }
  /** Shows what receivers did not take, or sends it again. */
  | { readonly ask: 'dead'; readonly sink: string | null; readonly retry: boolean }
  /** Shows the findings that are kept. */
  | ({ readonly ask: 'findings' } & FindingSelection)
  | FollowerRequest;

/** Asks whoever follows the ring, when all before `after` is written down; null: at once. */
export interface FollowerRequest {
  readonly ask: 'follower';
  readonly after: number | null;
  readonly question: object;
}

/** What a follower answered. */
export interface FollowerAnswer {
  readonly told: unknown;
}

/** What became of it at one sink. */
export interface SinkAnswer {
  readonly name: string;
  /** Events that were sent and taken; of a replay, those that are sent again. */
  readonly events: number;
  /** Dead letters that are left, or test events that were not taken. */
  readonly left: number;
  /** Why the rest was not taken; empty where all was. */
  readonly reason: string;
  /** The oldest dead letters. */
  readonly letters?: readonly {
    readonly at: EpochMilliseconds;
    readonly reason: string;
    readonly event: FeedEvent;
  }[];
}

/** What reaches a sink beside the events that it is sent in their order. */
export interface SinkReach {
  /** The cursor of a sink was moved back. */
  rewind(name: string): void;
  /** Sends events to a sink past all that waits; null where there is no such sink. */
  tryOut(name: string, events: readonly Placed[], patience: Milliseconds): Promise<Sending | null>;
}

export interface RequestParts {
  readonly store: Store;
  readonly delivery: SinkReach | null;
  readonly server: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: () => EpochMilliseconds;
}

/** Does what is asked. Null where there is no such sink. Rejects with what SQLite throws. */
export async function doRequest(
  request: Exclude<FeedRequest, FollowerRequest>,
  parts: RequestParts,
): Promise<readonly SinkAnswer[] | FindingList | null> {
  const { store, delivery } = parts;
  if (request.ask === 'findings') return store.findings(request);
  const names = store.status().sinks.map(({ name }) => name);
  const wanted = 'sink' in request && request.sink !== null ? [request.sink] : names;
  if (!wanted.every((name) => names.includes(name))) return null;
  switch (request.ask) {
    case 'replay': {
      store.replay(request.sink, request.since);
      delivery?.rewind(request.sink);
      const events = store.status().sinks.find(({ name }) => name === request.sink)?.depth ?? 0;
      return [{ name: request.sink, events, left: 0, reason: '' }];
    }
    case 'dead':
      return Promise.all(
        wanted.map((name) => (request.retry ? retryDead(name, parts) : showDead(name, store))),
      );
    case 'test': {
      const events = testEvents(parts);
      return Promise.all(wanted.map(async (name) => (await send(name, events, parts)).answer));
    }
    default:
      unreachable(request);
  }
}

function showDead(name: string, store: Store): SinkAnswer {
  const left = store.status().sinks.find((sink) => sink.name === name)?.dead ?? 0;
  const letters = store.dead(name, MOST_DEAD).map(({ at, reason, event }) => ({ at, reason, event }));
  return { name, events: 0, left, reason: '', letters };
}

async function retryDead(name: string, parts: RequestParts): Promise<SinkAnswer> {
  const { store } = parts;
  const dead = store.dead(name, MOST_DEAD);
  const { answer, taken } = await send(name, dead, parts);
  store.forgetDead(
    name,
    taken.map((index) => dead[index]!.number),
  );
  return { ...answer, left: store.status().sinks.find((sink) => sink.name === name)?.dead ?? 0 };
}

/** Sends events past all that waits. `taken`: indices of those that the receiver took. */
async function send(
  name: string,
  events: readonly Placed[],
  { delivery }: RequestParts,
): Promise<{ readonly answer: SinkAnswer; readonly taken: readonly number[] }> {
  const sent = events.length === 0 ? null : await delivery?.tryOut(name, events, PATIENCE_MS);
  if (sent === null || sent === undefined) {
    const reason = events.length === 0 ? '' : 'the sink does not run yet: try again';
    return { answer: { name, events: 0, left: events.length, reason }, taken: [] };
  }
  const refused = new Set(sent.dead.map(({ index }) => index));
  const taken = Array.from({ length: sent.accepted }, (_, index) => index).filter(
    (index) => !refused.has(index),
  );
  const why = sent.trouble ?? (await sent.held) ?? sent.dead[0];
  const lost = sent.held !== undefined && why !== undefined && why !== null;
  const counted = lost ? [] : taken;
  return {
    answer: { name, events: counted.length, left: events.length - counted.length, reason: why?.reason ?? '' },
    taken: counted,
  };
}

/** One event of each kind. Their number is 0, so that they are no gap, and their names lead nowhere. */
function testEvents({ server, version, now }: RequestParts): Placed[] {
  const at = now();
  const time = new Date(at).toISOString();
  return KINDS.map((kind) => ({
    position: 0,
    event: {
      id: ulid(at),
      seq: 0,
      kind,
      server,
      time,
      version,
      ...BODIES[kind],
      text: 'a test of this sink',
    },
  }));
}

const QUESTION = {
  identity: 'test',
  name: 'test.invalid.',
  type: 'A',
  transport: 'udp',
  client: '192.0.2.1',
  count: 1,
};

const BODIES: Readonly<Record<Kind, Partial<FeedEvent>>> = {
  deny: { ...QUESTION, verdict: 'deny', rcode: 'NXDOMAIN' },
  empty: { ...QUESTION, verdict: 'empty', rcode: 'NOERROR' },
  contain: { ...QUESTION, verdict: 'contain', rcode: 'NXDOMAIN' },
  would_deny: { ...QUESTION, verdict: 'deny' },
  would_contain: { ...QUESTION, verdict: 'contain' },
  allow: { ...QUESTION, verdict: 'allow', rcode: 'NOERROR' },
  finding: {
    identity: 'test',
    finding: 'test',
    uid: 'test',
    activity: 'create',
    severity: 'low',
    expected: true,
  },
  heartbeat: { policy: '0000000000000000', counts: {} },
  dropped: { of: 'deny', why: 'ring', first_seq: 0, last_seq: 0, count: 0, lost: {} },
};

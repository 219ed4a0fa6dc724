import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RingAnswerStore } from '../src/cache/store.ts';
import { load } from '../src/config/load.ts';
import type { Loaded } from '../src/config/loaded.ts';
import { RateLimits } from '../src/listen/limits.ts';
import { decide } from '../src/policy/decide/decide.ts';
import { findAddress } from '../src/policy/identity.ts';
import { LeaseTable } from '../src/policy/lease/lease.ts';
import { createLog } from '../src/report/log.ts';
import { StoryObserver } from '../src/report/observer.ts';
import { QueryCounts } from '../src/report/query-counts.ts';
import { clean } from '../src/resolve/answer/clean.ts';
import { copyOfEntry } from '../src/resolve/answer/entry.ts';
import { Landing } from '../src/resolve/answer/landing.ts';
import { Cookies } from '../src/resolve/client/cookies.ts';
import { EXIT } from '../src/resolve/exit.ts';
import { Flights } from '../src/resolve/flights/flights.ts';
import { buildInForce, type InForce, type InForceParts } from '../src/resolve/in-force.ts';
import type { Charges } from '../src/resolve/ledger/charges.ts';
import type {
  Client,
  Clock,
  Forwarder,
  ForwardListener,
  ReplyLater,
  UpstreamQuestion,
} from '../src/resolve/ports.ts';
import { deny } from '../src/resolve/story/end.ts';
import { writeAnswer } from '../src/resolve/story/give.ts';
import { Resolver } from '../src/resolve/story/resolver.ts';
import { Turn } from '../src/resolve/story/turn.ts';
import type { Settings } from '../src/settings/settings.ts';
import { FLAG, messageFlags, opcodeOf } from '../src/wire/header.ts';
import { RCODE } from '../src/wire/iana.ts';
import { ipAddress } from '../src/wire/ip-address.ts';
import { readQuery } from '../src/wire/question.ts';
import { namegate } from './contestants.ts';
import { feedStages } from './feed-stages.ts';
import { grantStages } from './grant-stages.ts';
import { benchCharges, chargeQuantiles, ledgerStages } from './ledger-stages.ts';
import { addressReply, question } from './messages.ts';
import { APPROVED, Dice, deniedName, WILDCARD_ZONE } from './names.ts';
import type { Stage } from './stage.ts';
import { storeStages } from './store-stages.ts';

/** Different questions that a stage goes round; a power of two. */
const ROUND = 1024;
/** Datagrams that a listener takes at once under load: the clock is read once for them. */
const BATCH = 64;
/** Nothing is opened. */
const OURS = 53;
const UPSTREAM = 54;
/** Octets of the store behind misses: less than ROUND answers take, so that each is a miss when its turn comes again. */
const SMALL_STORE = 65_536;

/** The stages of the story, in its order, under the shipped configuration with the bench's policy written to `folder`. */
export function stages(folder: string): Stage[] {
  const { settings, snapshot } = loaded(folder);
  const inForceParts = { ...partsOf(settings), snapshot };
  const inForce = buildInForce(inForceParts, settings.upstreams, null);
  const house = new House(inForce, settings.cache.size);
  return [
    ...parts(inForce, house),
    ...stories(inForce, house, null),
    ...stories(inForce, house, benchCharges()),
    ...ledgerStages(folder, inForceParts, house.client),
    ...grantStages(inForceParts, house.client),
    ...storeStages(),
  ];
}

/** How long single charges take, as a table. */
export function charges(folder: string): string {
  const { settings } = loaded(folder);
  return chargeQuantiles(folder, partsOf(settings), new LoopbackClient());
}

function partsOf({ replies, cache, limits, budgets, upstreams }: Settings): Omit<InForceParts, 'snapshot'> {
  const groupIds = upstreams.map((_, index) => index);
  return {
    replies,
    cache,
    limits,
    budgets,
    firewall: null,
    nearMiss: 6,
    keepalive: 100,
    designations: [],
    groupIds,
  };
}

function loaded(folder: string): Loaded {
  const at = join(folder, 'namegate');
  mkdirSync(at);
  const command = namegate.prepare({
    folder: at,
    port: OURS,
    upstream: { port: UPSTREAM, ca: null },
    tls: null,
  });
  const result = load(command.at(-1)!, { env: {}, now: Date.now() / 1000, salt: 0x6e61_6d65 });
  if (result.settings === null || result.snapshot === null) throw new Error(JSON.stringify(result.problems));
  return { ...result, settings: result.settings, snapshot: result.snapshot };
}

const CLOCK: Clock = { monotonic: () => performance.now(), epoch: () => Date.now() / 1000 };

/** What the story asks of others, and an upstream that answers when `land` is called. */
class House {
  readonly observer = new StoryObserver(createLog('silent'), () => performance.now());
  readonly limits = new RateLimits([1, 2]);
  readonly leases = new LeaseTable();
  readonly cookies = new Cookies(new Uint8Array(16));
  readonly store: RingAnswerStore;
  readonly upstream = new InstantUpstream();
  readonly client = new LoopbackClient();

  constructor({ snapshot, limits }: InForce, size: number) {
    this.store = new RingAnswerStore(size);
    const identities = snapshot.identities.map(({ name, limits: { qps, burst } }) => ({ name, qps, burst }));
    this.limits.configure({ identities, unknownQps: limits.unknownQps });
  }

  resolver(inForce: InForce, store: RingAnswerStore, charges: Charges | null): Resolver {
    const { observer, limits, upstream, leases, cookies } = this;
    return new Resolver(
      { store, forwarder: upstream, clock: CLOCK, limits, observer, leases, cookies, charges },
      inForce,
    );
  }
}

const REPLIED = { kind: 'reply' } as const;

class InstantUpstream implements Forwarder {
  /** What the next question is answered with. */
  reply: Buffer = Buffer.alloc(0);
  #listener: ForwardListener | null = null;
  #ticket = 0;

  ask(_question: UpstreamQuestion, listener: ForwardListener, ticket: number): void {
    this.#listener = listener;
    this.#ticket = ticket;
  }

  land(): void {
    const listener = this.#listener;
    if (listener === null) throw new Error('nothing was asked');
    this.#listener = null;
    listener.accept(this.reply, false, this.#ticket);
    listener.done(REPLIED, this.#ticket);
  }
}

/** 127.0.0.1 over UDP; late answers are counted. */
class LoopbackClient implements Client, ReplyLater {
  readonly transport = 'udp';
  readonly spoofable = false;
  readonly credential = null;
  readonly family = 4;
  readonly w0 = 0x7f00_0001;
  readonly w1 = 0;
  readonly w2 = 0;
  readonly w3 = 0;
  readonly port = 5353;
  lease = '';
  sent = 0;

  asked(): boolean {
    return false;
  }

  defer(): ReplyLater {
    return this;
  }

  send(_reply: Buffer, length: number): void {
    this.sent += length;
  }

  drop(): void {
    throw new Error('an answer was dropped');
  }
}

const approved = Array.from({ length: ROUND }, (_, i) => question(APPROVED[i % APPROVED.length]!));
const dice = new Dice(0x6e67);
const denied = Array.from({ length: ROUND }, () => question(deniedName(dice)));

/** Each part of the story alone, on what the parts before it leave. */
function parts(inForce: InForce, house: House): Stage[] {
  const { snapshot } = inForce;
  const { client, store, observer } = house;
  const { standings } = inForce;
  const turn = new Turn(inForce);
  turn.readClock(CLOCK.monotonic(), CLOCK.epoch());
  turn.begin(inForce, client, Buffer.alloc(4096));
  turn.reply.limit = 1232;
  const owner = findAddress(snapshot.addresses, client);
  turn.asker.standing = standings.at(owner);
  const { view } = turn.asker.standing.identity;
  turn.asker.view = view;
  turn.asker.proven = true;
  const flights = new Flights(house.upstream, store, CLOCK, observer);
  const { query, decision } = turn;
  const decided = (messages: readonly Buffer[], count: number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const message = messages[i & (ROUND - 1)]!;
      readQuery(message, message.length, query);
      decide(snapshot, view, query, query.type, false, turn.epoch, decision);
      sum += decision.verdict;
    }
    return sum;
  };
  const replies = Array.from({ length: ROUND }, (_, i) => addressReply(APPROVED[i % APPROVED.length]!, 300));
  const cleaned = replies.map((reply, i) => {
    const message = approved[i]!;
    readQuery(message, message.length, query);
    const name = Uint8Array.from(query.name.subarray(0, query.nameLength));
    return { name, reply, answer: clean(reply, name, 1, false)! };
  });
  const counts = new QueryCounts();
  const landing = new Landing();
  const entries = cleaned.map(({ answer, name }) => {
    landing.takeAnswer(answer, turn.now, turn.now + 300_000, false);
    store.put(flights.key(name, name.length, 1, 0, false, 0), landing);
    return copyOfEntry(landing);
  });
  return [
    {
      name: 'header',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const flags = messageFlags(approved[i & (ROUND - 1)]!);
          if ((flags & FLAG.QR) === 0) sum += opcodeOf(flags) + 1;
        }
        return sum;
      },
    },
    {
      name: 'clocks',
      run(count) {
        for (let i = 0; i < count; i++) {
          turn.readClock(CLOCK.monotonic(), CLOCK.epoch());
        }
        return turn.now + turn.epoch;
      },
    },
    {
      name: 'identify',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const index = findAddress(
            snapshot.addresses,
            ipAddress(client.family, client.w0 + (i & 1), 0, 0, 0),
          );
          sum += standings.at(index).underway.id;
        }
        return sum;
      },
    },
    {
      name: 'question',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const message = approved[i & (ROUND - 1)]!;
          if (readQuery(message, message.length, query) === null) sum += query.nameLength;
        }
        return sum;
      },
    },
    { name: 'question and decide, approved', run: (count) => decided(approved, count) },
    { name: 'question and decide, denied', run: (count) => decided(denied, count) },
    {
      name: 'question, cache key and lookup',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const message = approved[i & (ROUND - 1)]!;
          readQuery(message, message.length, query);
          const key = flights.key(query.name, query.nameLength, query.type, 0, false, 0);
          if (flights.lookup(key) !== null) sum++;
        }
        return sum;
      },
    },
    {
      name: 'question and give',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const message = approved[i & (ROUND - 1)]!;
          readQuery(message, message.length, query);
          sum += writeAnswer(turn, entries[i & (ROUND - 1)]!, false, EXIT.hit);
        }
        return sum;
      },
    },
    {
      name: 'question, decide and deny',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const message = denied[i & (ROUND - 1)]!;
          readQuery(message, message.length, query);
          decide(snapshot, view, query, query.type, false, turn.epoch, decision);
          sum += deny(turn);
        }
        return sum;
      },
    },
    {
      name: 'count a query that ended',
      run(count) {
        turn.begin(inForce, client, turn.reply.out);
        turn.asker.standing = standings.at(owner);
        for (let i = 0; i < count; i++) {
          turn.end.exit = (i & 1) === 0 ? EXIT.hit : EXIT.deny;
          turn.end.rcode = (i & 1) === 0 ? RCODE.NOERROR : RCODE.NXDOMAIN;
          counts.ended(turn);
          if (i % BATCH === 0) counts.left(turn.now, CLOCK.monotonic);
        }
        return turn.asker.standing.underway.queries;
      },
    },
    {
      name: 'clean',
      run(count) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const { reply, name } = cleaned[i & (ROUND - 1)]!;
          sum += clean(reply, name, 1, false)!.rcode + 1;
        }
        return sum;
      },
    },
    ...feedStages(turn, approved, denied, decided),
  ];
}

/** Whole stories, as a listener calls for them, with or without the leak ledger. */
function stories(inForce: InForce, house: House, charges: Charges | null): Stage[] {
  const { client, store, upstream } = house;
  const resolver = house.resolver(inForce, store, charges);
  const out = Buffer.alloc(4096);
  const asked = (messages: readonly Buffer[], count: number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (i % BATCH === 0) {
        if (i > 0) resolver.endBatch();
        resolver.beginBatch();
      }
      const message = messages[i & (ROUND - 1)]!;
      const length = resolver.answer(message, message.length, client, out);
      if (length <= 0) throw new Error('a question was not answered at once');
      sum += length;
    }
    resolver.endBatch();
    return sum;
  };
  const local = Array.from({ length: ROUND }, () => question('localhost'));
  const missing = house.resolver(inForce, new RingAnswerStore(SMALL_STORE), charges);
  const what = charges === null ? 'whole story' : 'with the ledger';
  const misses = Array.from({ length: ROUND }, (_, i) => {
    const name = `u${i.toString(36)}.${WILDCARD_ZONE}`;
    return { message: question(name), reply: addressReply(name, 300) };
  });
  let next = 0;
  return [
    { name: `${what}, hit`, run: (count) => asked(approved, count) },
    { name: `${what}, denial`, run: (count) => asked(denied, count) },
    { name: `${what}, local answer`, run: (count) => asked(local, count) },
    {
      name: `${what}, miss`,
      run(count) {
        // It goes on where the last run ended: what was asked last is in the store still.
        for (let i = 0; i < count; i++) {
          const { message, reply } = misses[next++ & (ROUND - 1)]!;
          upstream.reply = reply;
          missing.answer(message, message.length, client, out);
          upstream.land();
        }
        return client.sent;
      },
    },
  ];
}

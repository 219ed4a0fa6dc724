import { GROUND } from '../policy/decide/decision.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Turn } from '../resolve/story/turn.ts';
import type { ClockOffset } from '../wire/quantity.ts';
import { FeedWords } from './feed-words.ts';
import type { RingWriter } from './ring-writer.ts';
import { AT, FLAG_BIT, NO_RCODE, TRANSPORTS } from './slot.ts';

/** Begins slots of the ring that are about a question. */
export class QuestionSlots {
  readonly ring: RingWriter;
  readonly words: FeedWords;
  /** Milliseconds since 1970 at which the clock that never goes back was 0. It may be set while that goes on. */
  origin: ClockOffset;
  /** Of a question that two identities have to do with: the word of the second, made before its slot is begun. */
  other = 0;

  constructor(ring: RingWriter, origin: ClockOffset) {
    this.ring = ring;
    this.words = new FeedWords(ring);
    this.origin = origin;
  }

  /** Begins a slot and fills in what each record of a question has; -1 where it is lost, and then it is counted. */
  begin(turn: Turn, record: number, kind: number): number {
    const { ring } = this;
    const { asker, decision, query, inForce } = turn;
    const { client, standing, bound, proven } = asker;
    const { identity } = standing;
    const time = this.origin + turn.now;
    if (!ring.hasRoom()) {
      ring.lose(identity.name, kind, time);
      return -1;
    }
    const { snapshot } = inForce;
    const own = this.words;
    own.begin(snapshot);
    const name = own.identity(identity.index, identity.name);
    const owner = own.owner(identity.index, identity.owner);
    const stage = asker.stage === null ? 0 : own.of(asker.stage.name);
    const lease = bound === null || bound.lease === '' ? null : own.lease(bound);
    const { credential } = client;
    const certificate = credential === null ? 0 : own.certificate(credential);
    const policy = own.view(asker.view);
    const { rule, nearStage } = decision;
    const other = decision.ground !== GROUND.OTHER_STAGE || nearStage === null ? 0 : own.of(nearStage.name);
    const file = rule < 0 ? 0 : ruleFile(own, snapshot, rule);
    this.other = asker.disagrees === null ? 0 : own.of(asker.disagrees);

    const at = ring.begin(record);
    const { bytes, words, halves, floats } = ring;
    const word = at >>> 2;
    bytes[at + AT.KIND] = kind;
    bytes[at + AT.VERDICT] = decision.verdict;
    bytes[at + AT.GROUND] = decision.ground;
    bytes[at + AT.RCODE] = turn.end.rcode ?? NO_RCODE;
    bytes[at + AT.TRANSPORT] = transportCode(client.transport);
    const isInQuarantine = bound !== null && bound.lease === '';
    bytes[at + AT.FLAGS] =
      (proven ? FLAG_BIT.PROVEN : 0) |
      (client.family === 6 ? FLAG_BIT.SIX : 0) |
      (decision.expected < 0 ? 0 : FLAG_BIT.EXPECTED) |
      (isInQuarantine ? FLAG_BIT.QUARANTINE : 0);
    halves[(at + AT.TYPE) >>> 1] = query.type;
    halves[(at + AT.PORT) >>> 1] = client.port;
    floats[(at + AT.TIME) >>> 3] = time;
    words[word + AT.IDENTITY / 4] = name;
    words[word + AT.OWNER / 4] = owner;
    words[word + AT.STAGE / 4] = stage;
    words[word + AT.LEASE / 4] = lease === null ? 0 : lease.lease;
    words[word + AT.JOB / 4] = lease === null ? 0 : lease.job;
    words[word + AT.POLICY / 4] = policy;
    words[word + AT.FILE / 4] = file;
    words[word + AT.LINE / 4] = rule < 0 ? 0 : snapshot.rules.line[rule]!;
    words[word + AT.CERTIFICATE / 4] = certificate;
    words[word + AT.EXTRA_COUNT / 4] = 0;
    words[word + AT.CLIENT / 4] = client.w0;
    words[word + AT.CLIENT / 4 + 1] = client.w1;
    words[word + AT.CLIENT / 4 + 2] = client.w2;
    words[word + AT.CLIENT / 4 + 3] = client.w3;
    words[word + AT.OTHER / 4] = other;
    const length = query.nameLength;
    bytes[at + AT.NAME_LENGTH] = length;
    // Word by word: up to three octets behind the name come along, and nobody reads them.
    const { nameWords } = query;
    const to = word + AT.NAME / 4;
    for (let i = 0; 4 * i < length; i++) words[to + i] = nameWords[i]!;
    return at;
  }
}

/** Where a transport stands in TRANSPORTS. */
function transportCode(transport: (typeof TRANSPORTS)[number]): number {
  return transport === TRANSPORTS[0] ? 0 : transport === TRANSPORTS[1] ? 1 : 2;
}

function ruleFile(words: FeedWords, { rules }: Snapshot, rule: number): number {
  const term = rules.term[rule]!;
  return words.file(term, rules.terms[term]!.file);
}

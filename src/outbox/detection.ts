import { randomBytes } from 'node:crypto';
import type { DetectTerms } from '../detect/patterns/detect-terms.ts';
import { Detectors } from '../detect/patterns/detectors.ts';
import type { KeptChanges } from '../detect/patterns/kept-changes.ts';
import { DETECTED } from '../detect/patterns/kinds.ts';
import type { Noticed, OctetHash } from '../detect/patterns/observed.ts';
import type { LeaseNote } from '../policy/lease/lease-note.ts';
import { halfSipHash } from '../wire/half-siphash.ts';
import { nameToText } from '../wire/name.ts';
import { type EpochMilliseconds, type Milliseconds, unreachable } from '../wire/quantity.ts';
import { AcquaintanceFile } from './acquaintance-file.ts';
import type { Draft } from './draft.ts';
import type { Kind } from './event.ts';
import type { DetectSetting, FeedSetting } from './feed-setting.ts';
import type { Sighting } from './finding-life.ts';
import type { Follower, FollowerPlace } from './follower.ts';
import { readNote } from './notes.ts';
import { ObservedQuestion } from './observed-question.ts';
import type { QuestionRecord } from './slot-question.ts';
import type { SlotRecord } from './slot-record.ts';

const SECOND: Milliseconds = 1_000;
const TIDY_MS: Milliseconds = 600_000;
const SAVE_MS: Milliseconds = 60_000;
/** What is not denied is heard of where it is counted, once a question and client. */
const COUNTED: ReadonlySet<Kind> = new Set(['allow', 'empty', 'contain', 'would_contain']);

/** What of a follower's place it needs. */
interface DetectionPlace extends Pick<FollowerPlace, 'setting' | 'registered' | 'kept'> {
  readonly folder: string | null;
}

/** Leads the detectors in the worker: what the ring says goes to them, and what they notice becomes findings. */
export class Detection implements Follower {
  readonly detectors: Detectors;
  readonly #registered: (name: Uint8Array) => number;
  readonly #noticed: Noticed[] = [];
  readonly #asked: ObservedQuestion;
  readonly #file: AcquaintanceFile | null;
  #savedAt: EpochMilliseconds = 0;
  #passedAt: EpochMilliseconds = 0;
  #tidiedAt: EpochMilliseconds = 0;

  /** `folder` null: what identities have used is not kept. */
  constructor({ setting, registered, folder, kept }: DetectionPlace) {
    const fresh = randomBytes(8);
    this.#file = folder === null ? null : new AcquaintanceFile(folder, fresh);
    const { limits } = setting.detect;
    this.detectors = new Detectors(keyedHash(randomBytes(8)), keyedHash(this.#file?.secret ?? fresh), limits);
    this.#file?.restore(this.detectors.acquaintance);
    this.detectors.restore(kept);
    this.#registered = registered;
    this.#asked = new ObservedQuestion(registered, randomBytes(16));
    this.configure(setting);
  }

  configure({ detect }: FeedSetting): void {
    this.detectors.configure(detect.limits, termsOf(detect));
  }

  take(
    record: SlotRecord,
    _position: number,
    _now: EpochMilliseconds,
    sight: (sighting: Sighting) => void,
  ): void {
    switch (record.record) {
      case 'decision': {
        const { question } = record;
        if ((question.kind !== 'deny' && question.kind !== 'would_deny') || question.isUnheard) return;
        this.detectors.take(this.#asked.read(question, false), this.#noticed);
        this.#tell(question, sight);
        break;
      }
      case 'asked': {
        const { question, pattern, folded } = record;
        if (!COUNTED.has(question.kind) || folded !== 0) return;
        this.detectors.take(this.#asked.read(question, /[*{]/.test(pattern)), this.#noticed);
        this.#tell(question, sight);
        break;
      }
      case 'outcome': {
        const { question, outcome, group, isFresh, count, questions, destination } = record;
        const { at, identity, name, type } = question;
        const { claim, who, domain } = this.#asked.read(question, false);
        const got = {
          at,
          identity,
          claim,
          who,
          name,
          domain,
          type,
          group,
          isFresh,
          outcome,
          count,
          questions,
        };
        this.detectors.outcome(got, this.#noticed);
        this.#tell(question, sight, adviceOf(destination));
        break;
      }
      case 'note':
        this.#takeNote(record.text, sight);
        break;
      case 'finding':
      case 'given':
      case 'losses':
        // No question is told of that detectors have not heard of.
        break;
      default:
        unreachable(record);
    }
  }

  #takeNote(text: string, sight: (sighting: Sighting) => void): void {
    const note = readNote(text);
    if (note?.note === 'lease') this.#takeLease(note);
    if (note?.note !== 'rates') return;
    for (const { owner, ...rate } of note.rates) {
      this.detectors.rate({ ...rate, at: note.at, span: note.span }, this.#noticed);
      for (const noticed of this.#noticed.splice(0)) sight(passingSighting(noticed, note.at, owner));
    }
  }

  #takeLease({ what, id, identity = '', claim, at }: LeaseNote): void {
    const { endings } = this.detectors;
    if (what === 'ended' || what === 'expired') endings.ended(id, at);
    else if (claim !== undefined) {
      const { addresses, certificate } = claim;
      const claims = [...addresses.map(claimOfAddress), ...(certificate === null ? [] : [certificate])];
      endings.began(id, identity, claims);
    }
  }

  #tell(question: QuestionRecord, sight: (sighting: Sighting) => void, next: string | null = null): void {
    if (this.#noticed.length === 0) return;
    for (const noticed of this.#noticed.splice(0))
      sight(questionSighting(noticed, question, this.#registered, next));
  }

  flush(now: EpochMilliseconds, _all: boolean, sight: (sighting: Sighting) => void): void {
    if (now - this.#passedAt < SECOND && now >= this.#passedAt) return;
    this.#passedAt = now;
    this.detectors.pass(now, this.#noticed);
    for (const noticed of this.#noticed.splice(0)) sight(passingSighting(noticed, now));
    if (now - this.#savedAt >= SAVE_MS || now < this.#savedAt) {
      this.#savedAt = now;
      this.#file?.save(this.detectors.acquaintance);
    }
    if (now - this.#tidiedAt < TIDY_MS && now >= this.#tidiedAt) return;
    this.#tidiedAt = now;
    this.detectors.tidy(now);
  }

  changes(all: boolean): KeptChanges {
    const changes: KeptChanges = new Map();
    this.detectors.changes(this.#passedAt, all, changes);
    return changes;
  }

  commit(): void {}

  close(): void {
    this.#file?.save(this.detectors.acquaintance);
  }

  figures(): Readonly<Record<string, number>> {
    return { detectionsUnplaced: this.#asked.unplaced };
  }
}

function commonOf(noticed: Noticed, at: EpochMilliseconds) {
  const { finding, place, key, identity, window, count, severity, isOver = false } = noticed;
  return { identity, proven: true, finding, place, at, window, count, severity, isOver, key: () => key };
}

/** What time brings belongs to no question. */
function passingSighting(noticed: Noticed, now: EpochMilliseconds, owner = ''): Sighting {
  const { identity, names = [] } = noticed;
  return {
    ...commonOf(noticed, now),
    // Of what had other places its key is the domain.
    domain: () => (noticed.hasDomain ? noticed.key : null),
    draft: () => ({
      kind: 'finding',
      at: now,
      ...(identity === '' ? {} : { identity }),
      ...(owner === '' ? {} : { owner }),
      ...wordsOf(noticed),
    }),
    names: () => names,
  };
}

function questionSighting(
  noticed: Noticed,
  question: QuestionRecord,
  registered: (name: Uint8Array) => number,
  next: string | null,
): Sighting {
  const { name } = question;
  const { identity } = noticed;
  return {
    ...commonOf(noticed, question.at),
    domain: () => (noticed.hasDomain ? nameToText(name.subarray(registered(name))) : null),
    // A claim in quarantine is nobody's now: what it does is told of whose it was.
    draft: () => ({
      ...question.draft,
      ...(identity === '' ? {} : { identity }),
      kind: 'finding',
      ...wordsOf(noticed),
      // Who answers for a name has nothing to do with an upstream that fails.
      ...(next === null || noticed.finding !== 'dependency' || noticed.words !== undefined ? {} : { next }),
    }),
    names: () => [...(noticed.names ?? []), nameToText(name)],
  };
}

/** Who answers for a name that fails, and what people do meanwhile; null where it is not known. */
function adviceOf(destination: string): string | null {
  if (destination === '') return null;
  const { owner, fallback } = JSON.parse(destination) as { owner: string; fallback: string | null };
  const meanwhile = fallback === null ? '' : `; while it fails: ${fallback}`;
  return `ask ${owner}, who answers for it${meanwhile}; the policy is not to blame`;
}

/** An address of a lease as `claim` has it; a prefix stays as it is, for no client is called so. */
function claimOfAddress(text: string): string {
  const [address = '', length] = text.split('/');
  if (!address.includes(':')) return length === undefined || length === '32' ? address : text;
  if (length !== undefined && length !== '128' && length !== '64') return text;
  const [head = '', tail = ''] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === '' ? [] : tail.split(':');
  while (address.includes('::') && groups.length + behind.length < 8) groups.push('0');
  return `${[...groups, ...behind]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function wordsOf({
  finding,
  severity,
  target,
  words,
}: Noticed): Pick<Draft, 'severity' | 'text' | 'next' | 'target'> {
  const { text, next } = words ?? DETECTED[finding];
  return { severity, text, next, ...(target === undefined ? {} : { target }) };
}

function termsOf({ identities }: DetectSetting): ReadonlyMap<string, DetectTerms> {
  return new Map(identities.map(({ name, off, search }) => [name, { off: new Set(off), search }]));
}

/** `secret`: eight octets. */
function keyedHash(secret: Buffer): OctetHash {
  const first = secret.readInt32LE(0);
  const second = secret.readInt32LE(4);
  return (octets, from, to) => {
    const part = from === 0 && to === octets.length ? octets : octets.subarray(from, to);
    return halfSipHash(part, part.length, first, second);
  };
}

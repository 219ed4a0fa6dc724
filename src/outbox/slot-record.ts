import type { CountedQuestion } from '../resolve/story/counted-question.ts';
import type { Loss } from './draft.ts';
import { KINDS, type Kind } from './event.ts';
import type { RingWords } from './ring-words.ts';
import {
  ASKED,
  AT,
  LOSS,
  LOSS_AT,
  LOSS_COUNTS,
  LOSS_NAME_SIZE,
  OUTCOME,
  OUTCOMES,
  PART,
  PART_SIZE,
  RECORD,
  SLOT_FINDINGS,
} from './slot.ts';
import { type QuestionRecord, readCulprit, SlotQuestion } from './slot-question.ts';

export type SlotRecord =
  | { readonly record: 'decision'; readonly question: QuestionRecord }
  | {
      readonly record: 'finding';
      readonly question: QuestionRecord;
      readonly finding: string;
      /** What it is about, as text; null for nothing. */
      readonly culprit: string | null;
      readonly other: string;
    }
  | (CountedQuestion & { readonly record: 'asked'; readonly question: QuestionRecord })
  /** `question.draft.addresses`: those of the answers of an entry from here on. */
  | {
      readonly record: 'given';
      readonly question: QuestionRecord;
      readonly entry: number;
      readonly generation: number;
    }
  | {
      readonly record: 'outcome';
      readonly question: QuestionRecord;
      readonly outcome: (typeof OUTCOMES)[number];
      readonly group: number;
      readonly isFresh: boolean;
      /** Outcomes that it stands for, and questions of its client since the last that was none. */
      readonly count: number;
      readonly questions: number;
      /** Who answers for the rule, in JSON; empty for none. */
      readonly destination: string;
    }
  | { readonly record: 'losses'; readonly losses: readonly Loss[] }
  | { readonly record: 'note'; readonly text: string };

/** What a slot says; null where it says nothing yet, or nothing that can be read. */
export function readSlot(slot: Buffer, words: RingWords): SlotRecord | null {
  switch (slot[AT.RECORD]) {
    case RECORD.WORD:
    case RECORD.NOTE: {
      const isWord = slot[AT.RECORD] === RECORD.WORD;
      const text = words.part(isWord, {
        number: slot.readUInt32LE(PART.NUMBER),
        index: slot.readUInt16LE(PART.INDEX),
        count: slot.readUInt16LE(PART.COUNT),
        octets: slot.subarray(PART.TEXT, PART.TEXT + Math.min(PART_SIZE, slot.readUInt32LE(PART.LENGTH))),
      });
      return text === null || isWord ? null : { record: 'note', text };
    }
    case RECORD.FORGET:
      words.forget();
      return null;
    case RECORD.LOSS:
      return { record: 'losses', losses: readLosses(slot) };
    case RECORD.DECISION: {
      const kind = KINDS[slot[AT.KIND]!];
      return kind === undefined ? null : { record: 'decision', question: readQuestion(slot, words, kind) };
    }
    case RECORD.ASKED:
      return readAsked(slot, words);
    case RECORD.GIVEN:
      return {
        record: 'given',
        question: readQuestion(slot, words, 'allow'),
        entry: slot.readUInt32LE(AT.ENTRY),
        generation: slot.readUInt32LE(AT.GENERATION),
      };
    case RECORD.OUTCOME: {
      const outcome = OUTCOMES[slot[OUTCOME.STATE]!];
      if (outcome === undefined) return null;
      return {
        record: 'outcome',
        question: readQuestion(slot, words, 'allow'),
        outcome,
        group: slot[OUTCOME.GROUP]!,
        isFresh: slot[OUTCOME.FRESH] === 1,
        count: slot.readUInt32LE(OUTCOME.COUNT),
        questions: slot.readUInt32LE(OUTCOME.QUESTIONS),
        destination: words.text(slot.readUInt32LE(OUTCOME.DESTINATION)),
      };
    }
    case RECORD.FINDING: {
      const finding = SLOT_FINDINGS[slot[AT.KIND]!];
      if (finding === undefined) return null;
      return {
        record: 'finding',
        question: readQuestion(slot, words, 'finding'),
        finding,
        culprit: readCulprit(slot),
        other: words.text(slot.readUInt32LE(AT.OTHER)),
      };
    }
    default:
      return null;
  }
}

function readAsked(slot: Buffer, words: RingWords): SlotRecord | null {
  const kind = KINDS[slot[AT.KIND]!];
  if (kind === undefined) return null;
  const folded = slot[ASKED.FOLDED]!;
  const [pattern = '', hash = ''] = words.text(slot.readUInt32LE(ASKED.PATTERN)).split('\t');
  return {
    record: 'asked',
    question: readQuestion(slot, words, kind),
    entry: slot.readUInt32LE(ASKED.ENTRY),
    generation: slot.readUInt32LE(ASKED.GENERATION),
    before: {
      generation: slot.readUInt32LE(ASKED.OLD_GENERATION),
      count: slot.readUInt32LE(ASKED.OLD_COUNT),
      last: Math.floor(slot.readDoubleLE(ASKED.OLD_LAST)),
    },
    folded: folded === 1 || folded === 2 ? folded : 0,
    audited: slot[ASKED.AUDITED] === 1,
    others: slot[ASKED.OTHERS] === 1,
    pattern,
    hash,
  };
}

function readQuestion(slot: Buffer, words: RingWords, kind: Kind): QuestionRecord {
  return new SlotQuestion(slot, words, kind);
}

function readLosses(slot: Buffer): Loss[] {
  const length = Math.min(LOSS_NAME_SIZE, slot.readUInt32LE(LOSS_AT + LOSS.NAME_LENGTH));
  const name = slot.toString('utf8', LOSS_AT + LOSS.NAME, LOSS_AT + LOSS.NAME + length);
  const from = Math.floor(slot.readDoubleLE(LOSS_AT + LOSS.FROM));
  const to = Math.floor(slot.readDoubleLE(LOSS_AT + LOSS.TO));
  const losses: Loss[] = [];
  for (let kind = 0; kind < LOSS_COUNTS; kind++) {
    const count = slot.readUInt32LE(LOSS_AT + LOSS.COUNTS + 4 * kind);
    const of = KINDS[kind];
    if (count === 0 || of === undefined) continue;
    losses.push({ of, why: 'ring', lost: { [name === '' ? 'other' : name]: count }, from, to });
  }
  return losses;
}

import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';

const HOUR: Milliseconds = 3_600_000;
/** Hours that a median is taken of, and fewer than these say nothing. */
const HOURS = 24;
const FEW_HOURS = 3;
/** Identities that are followed. */
const MOST = 4_096;
/** How old what is kept of an hour under way may be. */
const STALE_MS: Milliseconds = 300_000;

export const RATE_KEY = 'detect rate ';

/** What one identity asks in a time: from the counts of the query thread. */
export interface Rate {
  readonly identity: string;
  /** Milliseconds since 1970 of the end, and the length. */
  readonly at: EpochMilliseconds;
  readonly span: Milliseconds;
  /** Questions that were asked, those that a limit refused among them. */
  readonly questions: number;
  /** Of them, those for TXT. */
  readonly txt: number;
  /** What the policy lets it ask a second; 0 for no limit. */
  readonly qps: number;
}

interface Identity {
  /** Since when it is over its limit; -1 for not. */
  overLimit: EpochMilliseconds;
  hour: number;
  asked: number;
  txt: number;
  /** Questions and TXT of the last hours in which it asked, the newest last. */
  readonly hours: { asked: number; txt: number }[];
  keptAt: EpochMilliseconds;
}

/** What the next run has of an identity. */
type KeptRate = Pick<Identity, 'hour' | 'asked' | 'txt' | 'hours'>;

/** Why a volume is too much. */
export type Excess = 'limit' | 'usual';

/** Follows how much each identity asks, and how much of it TXT is. It grows with the policy, whatever clients send. */
export class Rates {
  readonly #identities = new Map<string, Identity>();
  readonly #changed = new Set<string>();

  /** Counts, and says what is too much: told each time that it is so. */
  volume(rate: Rate, limits: NonNullable<Thresholds['volume']>): Excess | null {
    const state = this.#of(rate);
    const { at, span, questions, qps } = rate;
    const persecond = (questions * 1000) / Math.max(1, span);
    const isOverLimit = qps > 0 && persecond > qps;
    const median = medianOf(state.hours.map(({ asked }) => asked)) / (HOUR / 1000);
    const isUnusual =
      state.hours.length >= FEW_HOURS && persecond > limits.qps && persecond > limits.times * median;
    const began = at - span;
    state.overLimit = isOverLimit ? (state.overLimit < 0 ? began : state.overLimit) : -1;
    if (isOverLimit && at - state.overLimit >= limits.for) return 'limit';
    return isUnusual ? 'usual' : null;
  }

  /** Whether an identity asks far more TXT in this hour than its share of TXT in others. */
  isTxtOdd(rate: Rate, limits: NonNullable<Thresholds['odd-type']>): boolean {
    const state = this.#of(rate);
    if (state.txt <= limits.txt || state.hours.length < FEW_HOURS) return false;
    const asked = state.hours.reduce((sum, hour) => sum + hour.asked, 0);
    const txt = state.hours.reduce((sum, hour) => sum + hour.txt, 0);
    // One question of TXT is taken as had, so that the first is not odd by itself.
    return state.txt / Math.max(1, state.asked) > limits.times * (Math.max(1, txt) / Math.max(1, asked));
  }

  /** Counts a time; once each, before the two are asked. */
  count(rate: Rate): void {
    const state = this.#of(rate);
    const hour = Math.floor(rate.at / HOUR);
    if (hour > state.hour) {
      if (state.asked > 0) state.hours.push({ asked: state.asked, txt: state.txt });
      if (state.hours.length > HOURS) state.hours.shift();
      state.hour = hour;
      state.asked = 0;
      state.txt = 0;
    }
    state.asked += rate.questions;
    state.txt += rate.txt;
    this.#changed.add(rate.identity);
  }

  /** Adds what has to be kept since the last call; `all`: the hour under way too, since it stops. */
  changes(now: EpochMilliseconds, all: boolean, out: KeptChanges): void {
    for (const identity of this.#changed) {
      const state = this.#identities.get(identity);
      if (state !== undefined && !all && now - state.keptAt < STALE_MS && now >= state.keptAt) continue;
      this.#changed.delete(identity);
      if (state !== undefined) state.keptAt = now;
      const kept: KeptRate | undefined = state && {
        hour: state.hour,
        asked: state.asked,
        txt: state.txt,
        hours: state.hours,
      };
      out.set(`${RATE_KEY}${identity}`, kept === undefined ? null : JSON.stringify(kept));
    }
  }

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [key, text] of kept) {
      const state = JSON.parse(text) as KeptRate;
      this.#identities.set(key.slice(RATE_KEY.length), { ...state, overLimit: -1, keptAt: 0 });
    }
  }

  #of({ identity, at }: Rate): Identity {
    let state = this.#identities.get(identity);
    if (state === undefined) {
      if (this.#identities.size >= MOST) {
        const [oldest = ''] = this.#identities.keys();
        this.#identities.delete(oldest);
        this.#changed.add(oldest);
      }
      const hour = Math.floor(at / HOUR);
      state = { overLimit: -1, hour, asked: 0, txt: 0, hours: [], keptAt: 0 };
      this.#identities.set(identity, state);
    }
    return state;
  }
}

function medianOf(numbers: readonly number[]): number {
  if (numbers.length === 0) return 0;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

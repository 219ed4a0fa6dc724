import { countLetters, type Query } from './query.ts';
import { MAX_WRONG, type UdpAsk } from './way.ts';

/** With so many letters, every ID may be tried. */
const MOST_LETTERS = 11;
/** How nearly every question goes out over UDP. */
const MIXED: UdpAsk = { mix: true, alone: false, maxWrong: MAX_WRONG, background: false };
const AS_WRITTEN: UdpAsk = { ...MIXED, mix: false };

/** How a question goes out: nearly all share one form, so that nothing is made for them. */
export function udpAsk(mix: boolean, alone: boolean, maxWrong: number, background: boolean): UdpAsk {
  if (!alone && maxWrong === MAX_WRONG && !background) return mix ? MIXED : AS_WRITTEN;
  return { mix, alone, maxWrong, background };
}

/**
 * Replies that match nothing which a port of its own may see. With letters in a random case a guess has to meet the case of
 * all of them too: as many more are let pass, and the chance stays 1 in 2,048.
 */
export function wrongAllowance(query: Query, mix: boolean): number {
  return MAX_WRONG * 2 ** Math.min(MOST_LETTERS, mix ? countLetters(query) : 0);
}

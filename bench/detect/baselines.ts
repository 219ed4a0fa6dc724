/**
 * Three detectors as they are described in public, to stand beside the ledger:
 * - **long and unique subdomains**, a prebuilt rule of Elastic's: at least 25 questions and at least 15 distinct long names to one
 *   registered domain in 5 min;
 * - **ibHH** (information-based heavy hitters): unique subdomain octets to one registered domain at 0.7 B/s or more in windows
 *   of 120 s;
 * - **compressed volume**: the subdomains to one registered domain in a day, compressed by gzip, are 4 KiB or more.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Asked } from './traces.ts';

export interface Baseline {
  readonly name: string;
  /** The first question (1 is the first) at which it fires for one client and zone, or 0. */
  firesAt(asked: readonly Asked[], base: string): number;
  /** A figure that is known or obvious, and what this code makes of it. */
  reproduce(): { readonly says: string; readonly holds: boolean };
}

const LONG = 24;

function front({ text }: Asked, base: string): string {
  return text.replace(/\.$/, '').slice(0, -(base.length + 1));
}

export const LONG_UNIQUE: Baseline = {
  name: 'long unique names',
  firesAt(asked, base) {
    let from = 0;
    for (let at = 0; at < asked.length; at++) {
      while (asked[from]!.seconds < asked[at]!.seconds - 300) from++;
      if (at - from + 1 < 25) continue;
      const long = new Set<string>();
      for (let i = from; i <= at; i++) {
        const name = front(asked[i]!, base);
        if (name.length >= LONG) long.add(name);
      }
      if (long.size >= 15) return at + 1;
    }
    return 0;
  },
  reproduce() {
    const asked = series(40, 1, (i) => `${'x'.repeat(30)}${i}`);
    const slow = series(40, 30, (i) => `${'x'.repeat(30)}${i}`);
    const short = series(400, 1, (i) => `n${i}`);
    const got = [asked, slow, short].map((list) => this.firesAt(list, 'z.example'));
    return {
      says: `25 long names a second apart fire at the 25th (${got[0]}); one in 30 s never (${got[1]}); short names never (${got[2]})`,
      holds: got[0] === 25 && got[1] === 0 && got[2] === 0,
    };
  },
};

export const IBHH: Baseline = {
  name: 'ibHH 0.7 B/s',
  firesAt(asked, base) {
    // Windows of 120 s, one after the other; what is new in a window counts once.
    let window = -1;
    let octets = 0;
    const seen = new Set<string>();
    for (let at = 0; at < asked.length; at++) {
      const now = Math.floor(asked[at]!.seconds / 120);
      if (now !== window) {
        window = now;
        octets = 0;
        seen.clear();
      }
      const name = front(asked[at]!, base);
      if (seen.has(name)) continue;
      seen.add(name);
      octets += name.length;
      if (octets >= 0.7 * 120) return at + 1;
    }
    return 0;
  },
  reproduce() {
    const fast = this.firesAt(
      series(120, 1, (i) => String(i).padStart(6, 'a')),
      'z.example',
    );
    const slow = this.firesAt(
      series(120, 12, (i) => String(i).padStart(6, 'a')),
      'z.example',
    );
    return {
      says: `6 octets a second pass 84 octets at the 14th question (${fast}); 0.5 B/s never do (${slow})`,
      holds: fast === 14 && slow === 0,
    };
  },
};

export const COMPRESSED: Baseline = {
  name: '4 KiB a day by gzip',
  firesAt(asked, base) {
    let from = 0;
    // Compressing after each question would be slow; every 16th is near enough, and said so.
    for (let at = 15; at < asked.length; at += 16) {
      while (asked[from]!.seconds < asked[at]!.seconds - 86_400) from++;
      const text = asked
        .slice(from, at + 1)
        .map((one) => front(one, base))
        .join('\n');
      if (text.length >= 4096 && gzipSync(text).length >= 4096) return at + 1;
    }
    return 0;
  },
  reproduce() {
    const same = this.firesAt(
      series(4000, 1, () => 'www'),
      'z.example',
    );
    // Base32 holds five bits a character, and gzip finds them: 55 characters are 34 octets and the line end next to nothing.
    const random = this.firesAt(series(400, 1, randomLabel), 'z.example');
    const least = Math.floor(4096 / 36);
    const most = Math.ceil(4096 / 33);
    return {
      says: `one name 4,000 times never fires (${same}); random base32 of 34 octets a name fires after some 4 KiB, by name ${least} to ${most + 16} (${random})`,
      holds: same === 0 && random >= least && random <= most + 16,
    };
  },
};

/** 55 characters of base32 that nothing compresses, the same in each run. */
function randomLabel(i: number): string {
  const octets = createHash('sha512').update(String(i)).digest();
  return Array.from(octets.subarray(0, 55), (octet) => BASE32[octet & 31]).join('');
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

function series(count: number, gap: number, name: (i: number) => string): Asked[] {
  return Array.from({ length: count }, (_, i) => ({
    seconds: i * gap,
    client: 'c1',
    name: new Uint8Array(1),
    text: `${name(i)}.z.example.`,
    type: 'A',
    zone: 'z.example',
    payload: null,
  }));
}

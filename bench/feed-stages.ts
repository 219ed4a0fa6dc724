import { CountWriter } from '../src/outbox/count-writer.ts';
import type { Kind } from '../src/outbox/event.ts';
import { FeedWriter } from '../src/outbox/feed-writer.ts';
import { OutcomeWriter } from '../src/outbox/outcome-writer.ts';
import { openCounts, openRing } from '../src/outbox/ring.ts';
import { RingWriter } from '../src/outbox/ring-writer.ts';
import { HEADER } from '../src/outbox/slot.ts';
import { Key } from '../src/resolve/answer/key.ts';
import { EXIT, type Exit } from '../src/resolve/exit.ts';
import { COURSE, type Turn } from '../src/resolve/story/turn.ts';
import { RCODE } from '../src/wire/iana.ts';
import type { Stage } from './stage.ts';

type Decided = (messages: readonly Buffer[], count: number) => number;

/** What the alert feed adds to a question on the query thread. Memory of the process stands in for the file: both are pages. */
export function feedStages(
  turn: Turn,
  approved: readonly Buffer[],
  denied: readonly Buffer[],
  decided: Decided,
): Stage[] {
  const stage = (name: string, wanted: readonly Kind[], messages: readonly Buffer[], exit: Exit): Stage => {
    const ring = new RingWriter(openRing(null, () => '').memory);
    const writer = new FeedWriter(ring, Date.now() - performance.now());
    writer.want(wanted);
    return {
      name,
      run(count) {
        decided(messages, 1);
        turn.course.kind = exit === EXIT.deny ? COURSE.DENY : COURSE.FETCH;
        turn.end.exit = exit;
        turn.end.rcode = exit === EXIT.deny ? RCODE.NXDOMAIN : RCODE.NOERROR;
        for (let i = 0; i < count; i++) {
          writer.decided(turn);
          writer.ended(turn, 0);
          // A reader that is always there.
          if ((i & 255) === 0) ring.words[HEADER.READ] = ring.next;
        }
        return ring.next + ring.lost;
      },
    };
  };
  const history = (name: string, messages: readonly Buffer[], exit: Exit): Stage => {
    const ring = new RingWriter(openRing(null, () => '').memory);
    const writer = new FeedWriter(ring, Date.now() - performance.now());
    const secret = crypto.getRandomValues(new Uint32Array(2));
    const counts = new CountWriter(writer.slots, openCounts(null, () => '').memory, secret);
    return {
      name,
      run(count) {
        decided(messages, 1);
        turn.course.kind = exit === EXIT.deny ? COURSE.DENY : COURSE.FETCH;
        turn.end.exit = exit;
        turn.end.rcode = exit === EXIT.deny ? RCODE.NXDOMAIN : RCODE.NOERROR;
        for (let i = 0; i < count; i++) {
          counts.ended(turn, 0);
          if ((i & 255) === 0) ring.words[HEADER.READ] = ring.next;
        }
        return ring.next + ring.lost;
      },
    };
  };
  /** Hits of as many names as a server is asked for, all of which were told. `pace`: milliseconds between two. */
  const outcomes = (name: string, pace: number): Stage => {
    const ring = new RingWriter(openRing(null, () => '').memory);
    const { slots } = new FeedWriter(ring, Date.now() - performance.now());
    const writer = new OutcomeWriter(slots);
    const keys = approved.map((message, i) => {
      const key = new Key(() => Math.imul(i + 1, 0x9e37_79b1));
      return key.set(message, message.length, 1, 0, false, 0);
    });
    let now = turn.now;
    return {
      name,
      run(count) {
        decided(approved, 1);
        turn.course.kind = COURSE.FETCH;
        turn.end.exit = EXIT.hit;
        turn.end.rcode = RCODE.NOERROR;
        // One record in the answer.
        turn.reply.out.fill(0, 0, 12);
        turn.reply.out[7] = 1;
        const before = turn.now;
        for (let i = 0; i < count; i++) {
          turn.wanted.key = keys[i & (keys.length - 1)]!;
          now += pace;
          turn.now = now;
          writer.ended(turn);
          if ((i & 255) === 0) ring.words[HEADER.READ] = ring.next;
        }
        turn.wanted.key = null;
        turn.now = before;
        return ring.next + ring.lost;
      },
    };
  };
  return [
    outcomes('detectors, a hit of 20,000 a second', 0.05),
    history('history, a known denial', denied, EXIT.deny),
    history('history, a known name', approved, EXIT.hit),
    stage('feed, of a kind that nobody wants', ['contain'], denied, EXIT.deny),
    stage('feed, a denial', ['deny'], denied, EXIT.deny),
    stage('feed, an allowed question', ['allow'], approved, EXIT.hit),
  ];
}

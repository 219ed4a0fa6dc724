/**
 * Two identities whose policies overlap and change all the time, and whose addresses are leased to one another, ask about
 * everything, while their upstream lies.
 */
import { Random } from '../server/random.ts';
import { layOut } from './layout.ts';
import { type LeakCounts, LeakRun } from './leak-run.ts';
import { type Event, stretch } from './leak-story.ts';
import { shrink } from './shrink.ts';

export interface LeakOptions {
  readonly questions: number;
  readonly reloads: number;
  readonly seed: number;
  readonly progress?: (asked: number) => void;
}

export interface LeakResult {
  readonly counts: LeakCounts;
  /** The first fault with the shortest course of events that shows it, or null. */
  readonly failure: string | null;
}

export async function watchForLeaks({
  questions,
  reloads,
  seed,
  progress,
}: LeakOptions): Promise<LeakResult> {
  const run = new LeakRun();
  const course: Event[] = [];
  let epoch = Date.UTC(2026, 10, 20) / 1000;
  try {
    for (let at = 0; at < reloads; at++) {
      const share = Math.floor((questions * (at + 1)) / reloads) - Math.floor((questions * at) / reloads);
      for (const event of stretch(new Random(seed + Math.imul(at, 0x9e3779b1)), share, epoch)) {
        if (event.kind === 'pass') epoch += event.milliseconds / 1000;
        course.push(event);
        const fault = await run.happen(event);
        if (fault !== null)
          return {
            counts: run.counts,
            failure: `seed ${seed}, reload ${at}: ${fault}\n${await shortest(course)}`,
          };
      }
      progress?.(run.counts.asked);
    }
    return { counts: run.counts, failure: null };
  } finally {
    run.close();
  }
}

async function fails(course: readonly Event[]): Promise<boolean> {
  const run = new LeakRun();
  try {
    for (const event of course) if ((await run.happen(event)) !== null) return true;
    return false;
  } catch {
    return false;
  } finally {
    run.close();
  }
}

/** Cuts a course that ends in a fault: first what lies long back, then event by event. As text. */
async function shortest(course: readonly Event[]): Promise<string> {
  const starts = course.flatMap(({ kind }, at) => (kind === 'reload' ? [at] : [])).reverse();
  let best = [...course];
  for (const count of [1, 2, 3, 5, 10, 30, 100]) {
    const from = starts[count - 1];
    if (from === undefined) break;
    const recent = course.slice(from);
    if (!(await fails(recent))) continue;
    best = recent;
    break;
  }
  for (let size = best.length >> 1; size >= 1 && best.length < 5000; size >>= 1) {
    for (let at = 1; at < best.length - 1; ) {
      const fewer = best.toSpliced(at, Math.min(size, best.length - 1 - at));
      if (await fails(fewer)) best = fewer;
      else at += size;
    }
  }
  for (const [at, event] of best.entries()) {
    if (event.kind !== 'reload' || best.length >= 5000) continue;
    const policy = await shrink(
      event.policy,
      (smaller) => fails(best.with(at, { ...event, policy: smaller })),
      300,
    );
    best = best.with(at, { ...event, policy });
  }
  return best
    .slice(-40)
    .map((event) =>
      event.kind === 'reload'
        ? `reload\n${Object.values(layOut(event.policy).files).join('---\n')}`
        : JSON.stringify(event),
    )
    .join('\n');
}

import { randomBytes } from 'node:crypto';
import { History, noteOff } from '../../history/history.ts';
import type { HistoryAsk } from '../../history/questions.ts';
import { Tail, type TailRecord } from '../../history/tail.ts';
import type { Unreported } from '../../history/unreported.ts';
import type { Sighting } from '../../outbox/finding-life.ts';
import type { Follower, FollowerPlace } from '../../outbox/follower.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** The history in the worker of the feed, for as long as the settings have one; and the tail, which there always is. */
export function openHistory(place: FollowerPlace): Follower {
  return new HistoryFollower(place);
}

const UNREPORTED = 'unreported-denials';

/** The finding of a lease that ran out, refused something, and has no reader. */
function unreportedSighting({ lease, identity, owner, names }: Unreported, at: EpochMilliseconds): Sighting {
  return {
    identity,
    proven: true,
    finding: UNREPORTED,
    place: `${UNREPORTED} ${lease}`,
    at,
    window: 3_600_000,
    key: () => lease,
    domain: () => null,
    draft: () => ({
      kind: 'finding',
      at,
      identity,
      ...(owner === '' ? {} : { owner }),
      lease,
      severity: 'medium',
      text: 'a lease ran out, its job was refused something, and nobody has read its report',
      next: `namegate report --lease ${lease}; let the job's last step read it and end the lease`,
    }),
    names: () => names,
  };
}

class HistoryFollower implements Follower {
  readonly #place: FollowerPlace;
  readonly #tail = new Tail(() => randomBytes(6).toString('hex'));
  #history: History | null = null;

  constructor(place: FollowerPlace) {
    this.#place = place;
    this.configure(place.setting);
  }

  take(...[record, position, now]: Parameters<Follower['take']>): void {
    this.#tail.take(record as TailRecord, now);
    this.#history?.take(record as Parameters<History['take']>[0], position);
  }

  flush(...[now, all, sight]: Parameters<Follower['flush']>): void {
    this.#history?.flush(now, all);
    for (const one of this.#history?.unreported(now) ?? []) sight(unreportedSighting(one, now));
  }

  commit(position: number): void {
    this.#history?.commit(position);
  }

  answer(question: object): unknown {
    if (!('of' in question) || question.of !== 'history') return undefined;
    const { asked } = question as unknown as { readonly asked: HistoryAsk };
    if (asked.what === 'tail') return this.#tail.page(asked, this.#place.now());
    return this.#history?.answer(asked) ?? null;
  }

  figures(): Readonly<Record<string, number>> {
    return this.#history?.figures() ?? {};
  }

  configure(setting: FollowerPlace['setting']): void {
    const { history } = setting;
    this.#tail.decide(setting.decided);
    if (history === null) {
      this.close();
      noteOff(this.#place.folder);
    } else if (this.#history === null) this.#history = new History(this.#place, history, this.#tail);
    else this.#history.configure(setting);
  }

  close(): void {
    this.#history?.close();
    this.#history = null;
  }
}

import { History } from '../../history/history.ts';
import type { HistoryQuestion } from '../../history/questions.ts';
import type { Follower, FollowerPlace } from '../../outbox/follower.ts';

/** The history in the worker of the feed, for as long as the settings have one. */
export function openHistory(place: FollowerPlace): Follower {
  return new HistoryFollower(place);
}

class HistoryFollower implements Follower {
  readonly #place: FollowerPlace;
  #history: History | null = null;

  constructor(place: FollowerPlace) {
    this.#place = place;
    this.configure(place.setting);
  }

  take(...[record, position]: Parameters<Follower['take']>): void {
    this.#history?.take(record as Parameters<History['take']>[0], position);
  }

  flush(now: number, all: boolean): void {
    this.#history?.flush(now, all);
  }

  commit(position: number): void {
    this.#history?.commit(position);
  }

  answer(question: object): unknown {
    if (!('of' in question) || question.of !== 'history') return undefined;
    if (this.#history === null) return null;
    return this.#history.answer((question as unknown as { readonly asked: HistoryQuestion }).asked);
  }

  configure(setting: FollowerPlace['setting']): void {
    const { history } = setting;
    if (history === null) this.close();
    else if (this.#history === null) this.#history = new History(this.#place, history);
    else this.#history.configure(setting);
  }

  close(): void {
    this.#history?.close();
    this.#history = null;
  }
}

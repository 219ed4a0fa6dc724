import { EMPTY_VIEW } from '../identity.ts';
import type { View } from '../snapshot.ts';
import { viewId } from './content-hash.ts';
import type { Rulebook } from './rulebook.ts';

/** Views with the same sets are one view. */
export class Views {
  readonly all: View[] = [EMPTY_VIEW];
  readonly #known = new Map<string, View>([['', EMPTY_VIEW]]);
  readonly #book: Rulebook;

  constructor(book: Rulebook) {
    this.#book = book;
  }

  /** A set that is approved both ways is approved for good. */
  intern(fixed: readonly number[], dynamic: readonly number[]): View {
    const marks = new Map<number, number>();
    for (const set of dynamic) marks.set(set, 1);
    for (const set of fixed) marks.set(set, 0);
    const order = [...marks].sort(([a], [b]) => a - b);
    const key = order.map(([set, mark]) => `${set}:${mark}`).join(' ');
    let view = this.#known.get(key);
    if (view === undefined) {
      const sets = Uint32Array.from(order, ([set]) => set);
      const flags = Uint8Array.from(order, ([, mark]) => mark);
      view = { id: viewId(this.#book.hashes, sets, flags), sets, dynamic: flags };
      this.#known.set(key, view);
      this.all.push(view);
    }
    return view;
  }
}

/** What several views hold, for looking whether any of them approves a name; null where the first holds it all. Nobody's view. */
export function joinViews(views: readonly View[]): View | null {
  const sets = new Set(views.flatMap((view) => [...view.sets]));
  if (new Set(views).size === 1) return null;
  return {
    id: EMPTY_VIEW.id,
    sets: Uint32Array.from(sets).sort(),
    dynamic: new Uint8Array(sets.size),
  };
}

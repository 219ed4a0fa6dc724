import { shared } from '../policy/compile/arrays.ts';
import type { Identity, Snapshot, Stage, View } from '../policy/snapshot.ts';
import { unreachable } from '../wire/quantity.ts';

/**
 * A part of a snapshot as it crosses from the loading thread: of its own fields one at a time, and of what is many so few that
 * to receive them takes well below a millisecond.
 */
export type Piece =
  | { readonly kind: 'field'; readonly field: Partial<Snapshot> }
  /** `own`: how many of all are the snapshot's own. These come first. */
  | { readonly kind: 'views'; readonly views: readonly View[]; readonly own: number }
  | { readonly kind: 'identities'; readonly identities: readonly FlatIdentity[] };

/** Views by their numbers: what two pieces hold would be two objects. */
type FlatIdentity = Omit<Identity, 'view' | 'everywhere' | 'stages' | 'expectedView'> & {
  readonly view: number;
  /** -1 for none. */
  readonly everywhere: number;
  readonly expectedView: number;
  readonly stages: readonly (Omit<Stage, 'view'> & { readonly view: number })[];
};

/** Views or identities in a piece. */
const MANY = 200;

/** The pieces, each made when it is asked for. Large arrays are in shared memory; those of the snapshot are empty then. */
export function* piecesOf(snapshot: Snapshot): Generator<Piece> {
  const { views, identities, ...fields } = snapshot;
  for (const [key, value] of Object.entries(fields))
    yield { kind: 'field', field: shared({ [key]: value } as Partial<Snapshot>) };
  const numbers = new Map<View, number>();
  const numberOf = (view: View | null): number => {
    if (view === null) return -1;
    if (!numbers.has(view)) numbers.set(view, numbers.size);
    return numbers.get(view)!;
  };
  for (const view of views) numberOf(view);
  const flat = identities.map((identity): FlatIdentity => {
    const { view, everywhere, stages, expectedView } = identity;
    return {
      ...identity,
      view: numberOf(view),
      everywhere: numberOf(everywhere),
      expectedView: numberOf(expectedView),
      stages: stages.map((stage) => ({ ...stage, view: numberOf(stage.view) })),
    };
  });
  for (const some of chunks([...numbers.keys()])) yield { kind: 'views', views: some, own: views.length };
  for (const some of chunks(flat)) yield { kind: 'identities', identities: some };
}

function* chunks<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += MANY) yield all.slice(at, at + MANY);
}

/** Puts a snapshot together again. */
export class PieceTaker {
  #fields: Partial<Snapshot> = {};
  readonly #views: View[] = [];
  #ownViews = 0;
  readonly #identities: Identity[] = [];

  /** In the order in which `piecesOf` gives them. */
  take(piece: Piece): void {
    switch (piece.kind) {
      case 'field':
        this.#fields = { ...this.#fields, ...piece.field };
        return;
      case 'views':
        this.#views.push(...piece.views);
        this.#ownViews = piece.own;
        return;
      case 'identities':
        for (const identity of piece.identities) this.#identities.push(this.#whole(identity));
        return;
      default:
        unreachable(piece);
    }
  }

  #whole(flat: FlatIdentity): Identity {
    const view = (number: number): View | null => this.#views[number] ?? null;
    return {
      ...flat,
      view: view(flat.view)!,
      everywhere: view(flat.everywhere),
      expectedView: view(flat.expectedView),
      stages: flat.stages.map((stage) => ({ ...stage, view: view(stage.view)! })),
    };
  }

  /** The snapshot, once every piece has been taken. */
  done(): Snapshot {
    const views = this.#views.slice(0, this.#ownViews);
    return { ...(this.#fields as Snapshot), views, identities: this.#identities };
  }
}

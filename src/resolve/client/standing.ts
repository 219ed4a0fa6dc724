import { UNKNOWN } from '../../policy/identity.ts';
import type { Identity, Snapshot, View } from '../../policy/snapshot.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import { type EdeText, edeText } from './ede-text.ts';

/** What an identity has underway. It goes over from one policy to the next, by the identity's name. */
export class Underway {
  /** Small and unique for the process: part of a cache key where identities do not share. 0 is `unknown`. */
  readonly id: number;
  /** Questions of this identity that wait for an upstream. */
  inFlight = 0;
  /** When a limit refused a question last, monotonic milliseconds, and which limit. */
  limitedAt: Monotonic = Number.NEGATIVE_INFINITY;
  limitedBy = '';
  /** Queries of this identity that ended, and how many of them were denied (with proof of their source), contained or limited. */
  queries = 0;
  denied = 0;
  contained = 0;
  limited = 0;
  /** Those that an audit let through. */
  audited = 0;
  /** Those for TXT. */
  txt = 0;
  /** Denied questions that detectors heard of in the second `heardIn`. */
  heard = 0;
  heardIn = -1;
  /** Answers of names that were new to the detectors, in the second that began at `answersSince`. */
  answers = 0;
  answersSince: Monotonic = Number.NEGATIVE_INFINITY;

  constructor(id: number) {
    this.id = id;
  }
}

let lastTrust = 0;
let lastId = 0;

/** An identity under one policy, with what it has underway. A reload makes another. */
export class Standing {
  readonly identity: Identity;
  readonly underway: Underway;
  /** How many of its questions may wait for an upstream at once. */
  readonly share: number;
  /** By whom to ask, then by reason. Null until the first is asked for. */
  #texts: Map<string, Map<string, EdeText>> | null = null;
  /** By view and audit. Null until the first is asked for. */
  #trusts: Map<string, number> | null = null;

  /** `before`: the standing of the same name that this one replaces, or null. It stays as it is. */
  constructor(identity: Identity, share: number, before: Standing | null) {
    this.identity = identity;
    this.share = share;
    this.underway = before?.underway ?? new Underway(identity.index < 0 ? 0 : ++lastId);
    // A reload makes as many of these as there are identities, and queries wait meanwhile.
    if (before === null || before.#trusts === null) return;
    if (before.identity.auditUntil !== identity.auditUntil) return;
    for (const [id, trust] of before.#trusts) if (hasView(identity, id)) this.#keepTrust(id, trust);
  }

  /** A number for what may be resolved with this view: unique for the process, and never that of another view or audit. */
  trust(view: View): number {
    return this.#trusts?.get(view.id) ?? this.#keepTrust(view.id, ++lastTrust);
  }

  #keepTrust(id: string, trust: number): number {
    this.#trusts ??= new Map();
    this.#trusts.set(id, trust);
    return trust;
  }

  /** EDE text for a reason, one of a few, and whom to ask: one of the policy's owners, or the contact. */
  text(reason: string, ask: string): EdeText {
    this.#texts ??= new Map();
    let texts = this.#texts.get(ask);
    if (texts === undefined) {
      texts = new Map();
      this.#texts.set(ask, texts);
    }
    let text = texts.get(reason);
    if (text === undefined) {
      text = edeText(`${this.identity.name}: ${reason}`, ask);
      texts.set(reason, text);
    }
    return text;
  }
}

function hasView({ view, stages }: Identity, id: string): boolean {
  return view.id === id || stages.some((stage) => stage.view.id === id);
}

/** The standings of all identities under one policy. */
export class Standings {
  readonly unknown: Standing;
  readonly #byIndex: readonly Standing[];
  /** Index by the identity's name. */
  readonly #indexOf: ReadonlyMap<string, number>;

  /** An identity's share is its own limit, else an eighth of `inFlight`. `before` is what this replaces, and stays as it is. */
  constructor(snapshot: Snapshot, inFlight: number, before: Standings | null) {
    this.unknown = before?.unknown ?? new Standing(UNKNOWN, 0, null);
    const { identities } = snapshot;
    // Few reloads change who there is, and queries wait meanwhile.
    const same = areSame(before, identities) ? before : null;
    this.#byIndex = identities.map((identity, index) => {
      const share = identity.limits.inFlight || Math.max(1, Math.floor(inFlight / 8));
      const old = same === null ? known(before, identity.name) : same.at(index);
      return new Standing(identity, share, old);
    });
    this.#indexOf =
      same === null ? new Map(identities.map(({ name }, index) => [name, index])) : same.#indexOf;
  }

  /** How many identities there are beside `unknown`. */
  get size(): number {
    return this.#byIndex.length;
  }

  /** By index in the snapshot; -1 is `unknown`. */
  at(index: number): Standing {
    return index < 0 ? this.unknown : this.#byIndex[index]!;
  }

  /** All of them, `unknown` first. */
  *all(): Generator<Standing> {
    yield this.unknown;
    yield* this.#byIndex;
  }

  /** By the identity's name; one that the snapshot has not is `unknown`. */
  named(name: string): Standing {
    return this.at(this.#indexOf.get(name) ?? -1);
  }
}

/** Whether these identities have the same names in the same order. */
function areSame(standings: Standings | null, identities: readonly Identity[]): boolean {
  if (standings === null || standings.size !== identities.length) return false;
  return identities.every(({ name }, index) => standings.at(index).identity.name === name);
}

/** The standing of this name, or null where there is none. */
function known(standings: Standings | null, name: string): Standing | null {
  const standing = standings?.named(name);
  return standing === undefined || standing === standings!.unknown ? null : standing;
}

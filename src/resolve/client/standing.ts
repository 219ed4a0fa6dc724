import { edeText } from '../../policy/explain.ts';
import { UNKNOWN } from '../../policy/identity.ts';
import type { Identity, Snapshot, View } from '../../policy/snapshot.ts';

let lastTrust = 0;

/** What an identity has running, beside what the policy says of it. Outlives reloads, by name. */
export class Standing {
  identity: Identity;
  /** Small and unique for the process: part of a cache key where identities do not share. */
  readonly id: number;
  /** Questions of this identity that wait for an upstream. */
  inFlight = 0;
  /** How many may. */
  share = 0;
  readonly #texts = new Map<string, Buffer>();
  /** By view and audit. */
  readonly #trusts = new Map<string, number>();

  constructor(identity: Identity, id: number) {
    this.identity = identity;
    this.id = id;
  }

  update(identity: Identity, share: number): void {
    if (this.identity.auditUntil !== identity.auditUntil) this.#trusts.clear();
    const ids = new Set([identity, ...identity.stages].map(({ view }) => view.id));
    for (const id of this.#trusts.keys()) if (!ids.has(id)) this.#trusts.delete(id);
    this.identity = identity;
    this.share = share;
    this.#texts.clear();
  }

  /** A number for what may be resolved with this view: unique for the process, and never that of another view or audit. */
  trust(view: View): number {
    let trust = this.#trusts.get(view.id);
    if (trust === undefined) {
      trust = ++lastTrust;
      this.#trusts.set(view.id, trust);
    }
    return trust;
  }

  /** EDE text for a reason, as octets; `reason` is one of the constants of `policy/explain.ts`. */
  text(reason: string): Buffer {
    let text = this.#texts.get(reason);
    if (text === undefined) {
      text = Buffer.from(edeText(this.identity, reason));
      this.#texts.set(reason, text);
    }
    return text;
  }
}

export class Standings {
  readonly unknown = new Standing(UNKNOWN, 0);
  #byIndex: readonly Standing[] = [];
  readonly #byName = new Map<string, Standing>();
  #ids = 0;

  /** Takes the identities of a snapshot; an identity's share is its own limit, else an eighth of `inFlight`. */
  update(snapshot: Snapshot, inFlight: number): void {
    const names = new Set<string>();
    this.#byIndex = snapshot.identities.map((identity) => {
      names.add(identity.name);
      let standing = this.#byName.get(identity.name);
      if (standing === undefined) {
        standing = new Standing(identity, ++this.#ids);
        this.#byName.set(identity.name, standing);
      }
      standing.update(identity, identity.limits.inFlight || Math.max(1, Math.floor(inFlight / 8)));
      return standing;
    });
    for (const name of this.#byName.keys()) if (!names.has(name)) this.#byName.delete(name);
  }

  /** By index in the snapshot; -1 is `unknown`. */
  at(index: number): Standing {
    return index < 0 ? this.unknown : this.#byIndex[index]!;
  }

  /** By the identity's name; one that the snapshot has not is `unknown`. */
  named(name: string): Standing {
    return this.#byName.get(name) ?? this.unknown;
  }
}

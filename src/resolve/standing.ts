import { edeText } from '../policy/explain.ts';
import { UNKNOWN } from '../policy/identity.ts';
import type { Identity, Snapshot } from '../policy/snapshot.ts';

/** What an identity has running, beside what the policy says of it. Outlives reloads, by name. */
export class Standing {
  identity: Identity;
  /** Small and unique for the process: part of a cache key where identities do not share. */
  readonly id: number;
  /** Unique for the process, and another one as soon as the identity may resolve other names than before. */
  trust = 0;
  /** Questions of this identity that wait for an upstream. */
  inFlight = 0;
  /** How many may. */
  share = 0;
  readonly #texts = new Map<string, Buffer>();

  constructor(identity: Identity, id: number) {
    this.identity = identity;
    this.id = id;
  }

  update(identity: Identity, share: number): void {
    this.identity = identity;
    this.share = share;
    this.#texts.clear();
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
  #trusts = 0;

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
      if (standing.trust === 0 || grantsOther(standing.identity, identity)) standing.trust = ++this.#trusts;
      standing.update(identity, identity.limits.inFlight || Math.max(1, Math.floor(inFlight / 8)));
      return standing;
    });
    for (const name of this.#byName.keys()) if (!names.has(name)) this.#byName.delete(name);
  }

  /** By index in the snapshot; -1 is `unknown`. */
  at(index: number): Standing {
    return index < 0 ? this.unknown : this.#byIndex[index]!;
  }
}

function grantsOther(before: Identity, after: Identity): boolean {
  return before.view.id !== after.view.id || before.auditUntil !== after.auditUntil;
}

/** What holds a place. */
export interface Member {
  /** Nobody waits for anything from it: it may be closed to make room. */
  readonly resting: boolean;
  /** Ends it to make room; it calls `leave` before this returns. */
  evict(): void;
}

export interface CrowdCaps {
  /** Places, at least 1. */
  readonly total: number;
  /** Of one client, at least 1. */
  readonly perClient: number;
}

/**
 * Who is in, with the key of its client, the longest silent first. Over its own cap a client's newcomer stays out. At the total cap
 * the longest silent member that rests makes room, so that holding places keeps nobody out; only where none rests does
 * the newcomer stay out.
 */
export class Crowd<M extends Member> {
  readonly caps: CrowdCaps;
  /** Told of each member that makes room. */
  readonly #onEvict: () => void;
  readonly #members = new Map<M, string | null>();
  readonly #held = new Map<string, number>();

  constructor(caps: CrowdCaps, onEvict: () => void) {
    this.caps = caps;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#members.size;
  }

  /** The longest silent first; a member may leave while this is read. */
  members(): IterableIterator<M> {
    return this.#members.keys();
  }

  /** Which cap keeps a client's newcomer out, or null: there is room now. `client` is null for who has no cap of its own. */
  makeRoom(client: string | null): 'client' | 'total' | null {
    if (this.isFull(client)) return 'client';
    return this.#members.size >= this.caps.total && !this.#evictOne() ? 'total' : null;
  }

  /** Whether a client has all the places that are its own. */
  isFull(client: string | null): boolean {
    return client !== null && (this.#held.get(client) ?? 0) >= this.caps.perClient;
  }

  /** After `makeRoom` said null. */
  enter(member: M, client: string | null): void {
    this.#members.set(member, client);
    if (client !== null) this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
  }

  /** It showed life: it is the last that would make room. */
  touch(member: M): void {
    const client = this.#members.get(member);
    if (client === undefined) return;
    this.#members.delete(member);
    this.#members.set(member, client);
  }

  /** Whether it was in. */
  leave(member: M): boolean {
    const client = this.#members.get(member);
    if (client === undefined) return false;
    this.#members.delete(member);
    if (client === null) return true;
    const held = this.#held.get(client)! - 1;
    if (held > 0) this.#held.set(client, held);
    else this.#held.delete(client);
    return true;
  }

  #evictOne(): boolean {
    for (const member of this.#members.keys()) {
      if (!member.resting) continue;
      this.#onEvict();
      member.evict();
      return true;
    }
    return false;
  }
}

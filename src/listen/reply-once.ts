import type { ReplyLater } from '../resolve/ports.ts';

/** Who takes answers that come later; `reply` is null for none. */
export interface LateOwner<WayBack> {
  complete(reply: Buffer | null, length: number, wayBack: WayBack): void;
}

/** The way back for one query: the first call counts, the others are nothing. */
export class ReplyOnce<WayBack> implements ReplyLater {
  #owner: LateOwner<WayBack> | null;
  readonly #wayBack: WayBack;

  constructor(owner: LateOwner<WayBack>, wayBack: WayBack) {
    this.#owner = owner;
    this.#wayBack = wayBack;
  }

  send(reply: Buffer, length: number): void {
    this.#end(reply, length);
  }

  drop(): void {
    this.#end(null, 0);
  }

  #end(reply: Buffer | null, length: number): void {
    const owner = this.#owner;
    this.#owner = null;
    owner?.complete(reply, length, this.#wayBack);
  }
}

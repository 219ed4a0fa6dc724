/** More than any reply that keeps to the size that we ask for: what `Replies` takes. */
const SIZE = 4096;

/** Room for the one message that is in hand, and a view of it for each length, made once: a Buffer costs more than the copy. */
export class MessageRoom {
  readonly #octets = Buffer.alloc(SIZE);
  readonly #views = new Array<Buffer | null>(SIZE + 1).fill(null);

  /** The first `length` octets of `slot`, SIZE at most: good until the next is taken. */
  take(slot: Buffer, length: number): Buffer {
    const octets = this.#octets;
    if (length > 200) slot.copy(octets, 0, 0, length);
    else for (let i = 0; i < length; i++) octets[i] = slot[i]!;
    return this.#views[length] ?? this.#view(length);
  }

  #view(length: number): Buffer {
    const view = this.#octets.subarray(0, length);
    this.#views[length] = view;
    return view;
  }
}

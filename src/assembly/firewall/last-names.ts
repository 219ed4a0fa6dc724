/** Addresses that are remembered; the one that was granted longest ago goes first. */
const MOST = 65_536;

/** The name that an address was granted with last, to anybody, since the start. */
export class LastNames {
  readonly #names = new Map<string, string>();

  note(addresses: readonly string[], name: string): void {
    for (const address of addresses) {
      this.#names.delete(address);
      this.#names.set(address, name);
    }
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= MOST) return;
      this.#names.delete(oldest);
    }
  }

  of(address: string): string | null {
    return this.#names.get(address) ?? null;
  }
}

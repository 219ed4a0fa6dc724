/**
 * Typed arrays that grow, for what is compiled without knowing its size. They grow and are cut in place
 * (`ArrayBuffer.transfer`), so that a million rules leave no garbage of the same size behind.
 */
export class WordList {
  at = new Uint32Array(256);
  length = 0;

  push(value: number): number {
    const index = this.length;
    this.reach(index);
    this.at[index] = value;
    return index;
  }

  /** Makes room for index `index`, zeros in between. */
  reach(index: number): void {
    if (index >= this.at.length) this.at = resized(this.at, Math.max(index + 1, this.at.length * 2));
    if (index >= this.length) this.length = index + 1;
  }

  /** The array at its length. The list is empty afterwards. */
  cut(): Uint32Array {
    const array = resized(this.at, this.length);
    this.at = new Uint32Array(256);
    this.length = 0;
    return array;
  }
}

export class ByteList {
  at = new Uint8Array(256);
  length = 0;

  push(value: number): void {
    this.reach(this.length);
    this.at[this.length - 1] = value;
  }

  reach(index: number): void {
    if (index >= this.at.length) {
      this.at = new Uint8Array(this.at.buffer.transfer(Math.max(index + 1, this.at.length * 2)));
    }
    if (index >= this.length) this.length = index + 1;
  }

  cut(): Uint8Array {
    const array = new Uint8Array(this.at.buffer.transfer(this.length));
    this.at = new Uint8Array(256);
    this.length = 0;
    return array;
  }
}

/** The same array with `length` elements; the old one is empty. */
export function resized(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(array.buffer.transfer(length * 4));
}

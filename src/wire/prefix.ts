/** An address range: `words` are the address in network order, one 32-bit word for IPv4, four for IPv6. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly words: readonly number[];
  readonly length: number;
}

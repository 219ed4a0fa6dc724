/** A letter in lower case, a digit, `-` or `_`: what a label that a wildcard stands for may hold. */
export function isHostOctet(octet: number): boolean {
  return (
    (octet >= 0x61 && octet <= 0x7a) || (octet >= 0x30 && octet <= 0x39) || octet === 0x2d || octet === 0x5f
  );
}

/** CRC-32C (RFC 3309), by its table: another way than the one that is tested. */
export function crc32c(octets: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const octet of octets) crc = (crc >>> 8) ^ TABLE[(crc ^ octet) & 0xff]!;
  return (crc ^ 0xffff_ffff) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

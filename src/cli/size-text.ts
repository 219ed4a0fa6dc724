/** `412 B`, `1.5 KiB`. */
export function sizeText(octets: number): string {
  if (octets < 1024) return `${octets} B`;
  const [size, unit] = octets < 2 ** 20 ? [octets / 1024, 'KiB'] : [octets / 2 ** 20, 'MiB'];
  return `${Number(size.toFixed(1))} ${unit}`;
}

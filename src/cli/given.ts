/** Those of some options that were written: a body or a query has no member for the others. */
export function given<V>(values: Readonly<Record<string, V | null | undefined>>): Record<string, V> {
  const written = Object.entries(values).filter((entry): entry is [string, V] => entry[1] != null);
  return Object.fromEntries(written);
}

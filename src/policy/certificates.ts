import type { CertificateTable } from './snapshot.ts';

/** No identity has one of the names. */
export const NONE = -1;
/** Two identities have them: nobody is. */
export const TWO = -2;

/**
 * The index of the identity that has one of `names` (`spiffe://…`, `dns:…`, `sha256:…`, as a Credential holds them), NONE, or
 * TWO when they are those of different identities.
 */
export function findCertificate(table: CertificateTable, names: readonly string[]): number {
  let found = NONE;
  for (const name of names) {
    const folder = folderOf(name);
    for (const index of [table.exact.get(name), folder === null ? undefined : table.below.get(folder)]) {
      if (index === undefined || index === found) continue;
      if (found !== NONE) return TWO;
      found = index;
    }
  }
  return found;
}

/** A name of policy that ends in `/*`: one segment, whichever, stands for the star. */
export function isFolder(text: string): boolean {
  return text.startsWith('spiffe://') && text.endsWith('/*');
}

/** What a SPIFFE ID has up to its last segment, the slash included; null for other names, and without such a segment. */
export function folderOf(name: string): string | null {
  return name.startsWith('spiffe://') && !name.endsWith('/')
    ? name.slice(0, name.lastIndexOf('/') + 1)
    : null;
}

import { openHistoryToRead } from './asked-rows.ts';

/** Answers that are looked at, the newest. */
const MOST = 100_000;

/** An address that was given for more than one name, and these names, in their order. */
export interface SharedRow {
  readonly address: string;
  readonly names: readonly string[];
}

/** Reads beside the server that writes; what most names share comes first. Throws a DatabaseRefusal where the file is no history. */
export function readShared(path: string): SharedRow[] {
  const database = openHistoryToRead(path);
  try {
    const rows = database
      .prepare(`
        SELECT DISTINCT given.address AS address, name.text AS name
        FROM (SELECT asked, address FROM given ORDER BY number DESC LIMIT ${MOST}) AS given
        JOIN asked ON asked.number = given.asked JOIN name ON name.number = asked.name
        WHERE asked.folded = 0 AND asked.verdict = 'allow' ORDER BY name.text`)
      .all() as unknown as { readonly address: string; readonly name: string }[];
    const names = new Map<string, string[]>();
    for (const { address, name } of rows) {
      const known = names.get(address);
      if (known === undefined) names.set(address, [name]);
      else known.push(name);
    }
    return [...names]
      .filter(([, of]) => of.length > 1)
      .map(([address, of]) => ({ address, names: of }))
      .sort((one, other) => other.names.length - one.names.length || (one.address < other.address ? -1 : 1));
  } finally {
    database.close();
  }
}

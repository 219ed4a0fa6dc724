import type { Test } from 'tap';
import { WireError } from '../../src/wire/error.ts';
import { nameFromText } from '../../src/wire/name.ts';
import { House, type QueryOptions, queryOctets } from '../resolve/house.ts';
import { policy, rule } from '../resolve/policy.ts';
import type { Script } from '../resolve/records.ts';
import type { Reply } from '../resolve/reply.ts';

/** One row of a table: what a section of an RFC says, the question that shows it, and the answer. */
export interface Row {
  /** The section, and what it says, in a few words. */
  readonly says: string;
  /** `NAME TYPE`; or octets, see `octets`. */
  readonly ask: string | Buffer;
  readonly options?: QueryOptions;
  /** What the upstream says when it is asked. Without it the question must not go out. */
  readonly upstream?: Script;
  /** The whole reply, octet by octet; null: none. */
  readonly reply?: Buffer | null;
  /** Or fields of it. */
  readonly has?: Partial<Reply>;
}

const TYPES =
  'types: [A, AAAA, CNAME, NS, SOA, MX, TXT, SRV, HTTPS, PTR, DNAME, NAPTR, TYPE1000, TYPE65280, RRSIG]';

/** The policy of the tables: example.org and what is in it is approved, and `rec.test` is local. */
/** Written out: a wildcard takes letters, digits, - and _ alone. */
const ODD = '\\\\000\\\\255\\\\.a.example.org';

export const POLICY = policy(
  {
    alice: {
      allow: [
        rule('example.org', TYPES),
        rule('**.example.org', TYPES),
        rule(ODD, TYPES),
        'rec.test',
        'below.ent.test',
      ],
    },
  },
  { records: ['{ name: rec.test, type: A, data: 192.0.2.53 }'] },
);

/** Runs each row against a house of its own. */
export async function runRows(t: Test, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    await t.test(row.says, async (t) => {
      const house = new House(t.testdir.bind(t), POLICY);
      const reply = await answered(house, row);
      t.equal(house.asked.length, row.upstream === undefined ? 0 : 1, 'whether it goes out');
      if (row.reply === null) t.equal(reply.octets.length, 0, 'no reply');
      else if (row.reply !== undefined) t.equal(reply.octets.toString('hex'), row.reply.toString('hex'));
      for (const [field, value] of Object.entries(row.has ?? {}))
        t.same(reply[field as keyof Reply], value, field);
      t.same(house.bugs, []);
    });
  }
}

function answered(house: House, row: Row): Promise<Reply> {
  const [name = '', type = ''] = typeof row.ask === 'string' ? row.ask.split(' ') : [];
  const query = typeof row.ask === 'string' ? queryOctets(name, type, row.options) : row.ask;
  const pending = house.send(query, row.options);
  if (row.upstream !== undefined) house.settleAll(row.upstream);
  return pending;
}

/**
 * A message written down: hexadecimal octets, `<name>` for a name on the wire, `"text"` for ASCII, and ` | ` or line ends
 * between its parts for the reader alone.
 */
export function octets(text: string): Buffer {
  const parts = text.match(/<[^>]*>|"[^"]*"|[0-9a-f]+/g) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (part.startsWith('"')) return Buffer.from(part.slice(1, -1));
      if (!part.startsWith('<')) return Buffer.from(part, 'hex');
      const name = nameFromText(part.slice(1, -1));
      if (name instanceof WireError) throw new Error(`bad name ${part}`);
      return name;
    }),
  );
}

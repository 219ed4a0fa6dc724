import { createHash } from 'node:crypto';
import { MESSAGE } from './elements.ts';
import { type NetfilterExchange, nfTables } from './netlink-exchange.ts';
import { attributesOf, eachAttribute, type NetlinkWriter } from './netlink-message.ts';

const NFPROTO_INET = 1;
const OWNER = 1;
const TABLE_FLAGS = 2;
const DORMANT = 1;
const CHAIN = { NAME: 3, HOOK: 4, POLICY: 5, TYPE: 7 } as const;
const RULE = { CHAIN: 2, EXPRESSIONS: 4 } as const;
const SET = { NAME: 2, FLAGS: 3, KEY_TYPE: 4, KEY_LENGTH: 5 } as const;
const ANONYMOUS = 1;
const ELEMENTS = 3;

/** What a table does with packets: the same for two tables of the same rules, whatever they are called. */
export interface TableShape {
  readonly hash: string;
  /** It judges nothing. */
  readonly isDormant: boolean;
}

/** Null where there is no such table. Throws where the kernel gives no list. */
export function shapeOf(exchange: NetfilterExchange, table: string): TableShape | null {
  const hash = createHash('sha256');
  let flags: number | null = null;
  const list = (
    message: number,
    write: (writer: NetlinkWriter) => void,
    take: (octets: Buffer) => void,
  ): void =>
    exchange.dump(nfTables(message), NFPROTO_INET, write, (body) => {
      const octets = body.subarray(4);
      if (textOf(attributesOf(octets).get(OWNER)) === table) take(octets);
    });
  // Chains and sets stand in the order in which they were made; the rules of a chain in the order in which they judge.
  const parts: string[] = [];
  const rules = new Map<string, string>();
  const lineOf = (octets: Buffer, types: readonly number[]): string => {
    const attributes = attributesOf(octets);
    return types.map((type) => attributes.get(type)?.toString('hex') ?? '').join(' ');
  };
  const ofAll = (): void => {};
  const ofTable = (writer: NetlinkWriter): void => writer.text(OWNER, table);
  list(MESSAGE.GET_TABLE, ofAll, (octets) => {
    flags = attributesOf(octets).get(TABLE_FLAGS)?.readUInt32BE(0) ?? 0;
  });
  if (flags === null) return null;
  list(MESSAGE.GET_CHAIN, ofAll, (octets) => parts.push(`chain ${lineOf(octets, Object.values(CHAIN))}`));
  list(MESSAGE.GET_RULE, ofTable, (octets) => {
    const chain = lineOf(octets, [RULE.CHAIN]);
    rules.set(chain, `${rules.get(chain) ?? ''}${lineOf(octets, [RULE.EXPRESSIONS])};`);
  });
  const anonymous: string[] = [];
  list(MESSAGE.GET_SET, ofTable, (octets) => {
    parts.push(`set ${lineOf(octets, Object.values(SET))}`);
    const attributes = attributesOf(octets);
    const own = attributes.get(SET.FLAGS)?.readUInt32BE(0) ?? 0;
    if ((own & ANONYMOUS) !== 0) anonymous.push(textOf(attributes.get(SET.NAME)));
  });
  for (const set of anonymous) {
    const held: string[] = [];
    const ofSet = (writer: NetlinkWriter): void => {
      ofTable(writer);
      writer.text(SET.NAME, set);
    };
    exchange.dump(nfTables(MESSAGE.GET_ELEMENT), NFPROTO_INET, ofSet, (body) => {
      const elements = attributesOf(body.subarray(4)).get(ELEMENTS);
      if (elements !== undefined)
        for (const { value } of eachAttribute(elements)) held.push(value.toString('hex'));
    });
    parts.push(`elements ${set} ${held.sort().join(' ')}`);
  }
  for (const [chain, text] of rules) parts.push(`rules ${chain} ${text}`);
  for (const part of parts.sort()) hash.update(`${part}\n`);
  return { hash: hash.digest('hex'), isDormant: (flags & DORMANT) !== 0 };
}

function textOf(octets: Buffer | undefined): string {
  return octets === undefined ? '' : octets.toString('latin1').replace(/\0$/, '');
}

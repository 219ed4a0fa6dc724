import { createHash } from 'node:crypto';
import { MESSAGE, TABLE } from './elements.ts';
import { type NetfilterExchange, nfTables } from './netlink-exchange.ts';
import { attributesOf, eachAttribute, type NetlinkWriter } from './netlink-message.ts';

const NFPROTO_INET = 1;
/** Attributes by the message that lists them. Table, chain and rule name their table first, as a set does. */
const OWNER = 1;
const TABLE_FLAGS = 2;
const CHAIN_COUNTERS = 8;
const SET_STEADY: ReadonlySet<number> = new Set([1, 2, 3, 4, 5]);

/**
 * A hash of the rules of the table `inet namegate`: of its flags, chains, rules and sets, without what the sets hold and
 * without counts. Null where the table is gone. Any change by anybody gives another. Throws where the kernel gives no list.
 */
export function fingerprint(exchange: NetfilterExchange): string | null {
  const hash = createHash('sha256');
  let found = false;
  const list = (
    message: number,
    write: (writer: NetlinkWriter) => void,
    keep: (type: number) => boolean,
  ): void =>
    exchange.dump(nfTables(message), NFPROTO_INET, write, (body) => {
      const octets = body.subarray(4);
      if (textOf(attributesOf(octets).get(OWNER)) !== TABLE) return;
      if (message === MESSAGE.GET_TABLE) found = true;
      hash.update(`${message}:`);
      for (const { type, whole } of eachAttribute(octets)) if (keep(type)) hash.update(whole);
    });
  const ofAll = (): void => {};
  const ofTable = (writer: NetlinkWriter): void => writer.text(OWNER, TABLE);
  list(MESSAGE.GET_TABLE, ofAll, (type) => type <= TABLE_FLAGS);
  if (!found) return null;
  list(MESSAGE.GET_CHAIN, ofAll, (type) => type !== CHAIN_COUNTERS);
  list(MESSAGE.GET_RULE, ofTable, () => true);
  list(MESSAGE.GET_SET, ofTable, (type) => SET_STEADY.has(type));
  return hash.digest('hex');
}

function textOf(octets: Buffer | undefined): string {
  return octets === undefined ? '' : octets.toString('latin1').replace(/\0$/, '');
}

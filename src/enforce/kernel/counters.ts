import { MESSAGE, TABLE } from './elements.ts';
import { type NetfilterExchange, nfTables } from './netlink-exchange.ts';
import { attributesOf } from './netlink-message.ts';

const OBJECT = { TABLE: 1, NAME: 2, DATA: 4 } as const;
const PACKETS = 2;
const NFPROTO_INET = 1;

/** Packets that the named counters of the table have counted. Throws where the kernel gives no list. */
export function countersOf(exchange: NetfilterExchange): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const ofTable = (writer: { text(type: number, text: string): void }): void =>
    writer.text(OBJECT.TABLE, TABLE);
  exchange.dump(nfTables(MESSAGE.GET_OBJECT), NFPROTO_INET, ofTable, (body) => {
    const attributes = attributesOf(body.subarray(4));
    const name = attributes.get(OBJECT.NAME)?.toString('latin1').replace(/\0$/, '');
    const data = attributes.get(OBJECT.DATA);
    const packets = data === undefined ? undefined : attributesOf(data).get(PACKETS);
    if (name !== undefined && packets !== undefined) found.set(name, Number(packets.readBigUInt64BE(0)));
  });
  return found;
}

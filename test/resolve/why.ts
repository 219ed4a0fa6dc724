import { FLAG } from '../../src/wire/header.ts';
import { readMessage } from '../../src/wire/message.ts';
import type { House, QueryOptions } from './house.ts';

/** The line that namegate tells of a name: its TXT record's strings in one. */
export async function why(house: House, name: string, options: QueryOptions = {}): Promise<string> {
  const reply = await house.query(`${name}._why.namegate.internal`, 'TXT', { transport: 'tcp', ...options });
  const message = readMessage(reply.octets);
  if (!('records' in message)) throw new Error('unreadable');
  const record = message.records.find(({ type }) => type === 16);
  if (record === undefined || record.ttl !== 0 || (reply.flags & FLAG.AA) === 0) throw new Error('no line');
  let text = '';
  for (let at = record.start; at < record.end; at += 1 + reply.octets[at]!)
    text += reply.octets.toString('utf8', at + 1, at + 1 + reply.octets[at]!);
  return text;
}

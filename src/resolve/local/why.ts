import type { Decision } from '../../policy/decide/decision.ts';
import { explanationLine } from '../../policy/explain/explain.ts';
import { TYPE, typeFromText } from '../../wire/iana.ts';
import type { RrType } from '../../wire/quantity.ts';
import { QUESTION, type ReplyWriter } from '../../wire/reply.ts';
import { unclaimedBecause } from '../client/unclaimed.ts';
import type { Flights } from '../flights/flights.ts';
import type { Charges } from '../ledger/charges.ts';
import type { Turn } from '../story/turn.ts';
import { explainNow } from './state.ts';

/**
 * TXT at `NAME._why.namegate.internal`: the line of `namegate explain NAME`, with what is so now. `NAME._mx._why…` explains
 * type MX, and so each type; no name ends in a label such as `_mx`. It is for now, so its TTL is 0.
 */
export function writeWhy(turn: Turn, flights: Flights, charges: Charges | null, writer: ReplyWriter): void {
  const { query, decision } = turn;
  const free = query.labelCount - decision.depth;
  if (free === 0) return;
  const asked = typeOf(turn, free - 1);
  const suffix = query.labels[asked === null ? free : free - 1]!;
  const name = new Uint8Array(suffix + 1);
  name.set(query.name.subarray(0, suffix));
  const { asker, inForce, now, epoch } = turn;
  const { standing, stage, proven } = asker;
  const contained = (wanted: Uint8Array, decided: Decision): boolean =>
    charges?.isContained(turn, wanted, decided) ?? false;
  const moment = { inForce, standing, stage, now, epoch, unproven: !proven, contained };
  const line = explanationLine(
    explainNow(moment, flights, name, asked ?? TYPE.A, {
      contact: inForce.replies.contact,
      unclaimed: asker.isKnown ? '' : unclaimedBecause(turn),
    }),
  );
  const text = Buffer.from(line);
  const strings: Buffer[] = [];
  for (let at = 0; at < text.length; at += 255) {
    const part = text.subarray(at, at + 255);
    strings.push(Buffer.from([part.length]), part);
  }
  writer.record(QUESTION, TYPE.TXT, 0, Buffer.concat(strings));
}

/** The type that a label such as `_mx` names, or null. */
function typeOf({ query }: Turn, label: number): RrType | null {
  const at = query.labels[label]!;
  const size = query.name[at]!;
  if (query.name[at + 1] !== UNDERSCORE) return null;
  return typeFromText(Buffer.from(query.name.subarray(at + 2, at + 1 + size)).toString('latin1'));
}

const UNDERSCORE = 0x5f;

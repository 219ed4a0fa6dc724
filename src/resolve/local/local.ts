import type { LocalName } from '../../policy/snapshot.ts';
import { SPECIAL } from '../../policy/special.ts';
import { TYPE } from '../../wire/iana.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import { sameName } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { QUESTION, type ReplyWriter } from '../../wire/reply.ts';
import type { Flights } from '../flights/flights.ts';
import type { Charges } from '../ledger/charges.ts';
import type { Turn } from '../story/turn.ts';
import { DESIGNATION_TTL, type Designation, DISCOVERY, designated } from './designation.ts';
import { writeWhy } from './why.ts';

const LOOPBACK_4 = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK_6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** `RFC8482` and an empty string (RFC 8482 §4.2). */
const HINFO = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);

/** Writes what namegate itself says of a special name. Nothing written means no data. */
export function writeSpecial(
  turn: Turn,
  flights: Flights,
  charges: Charges | null,
  writer: ReplyWriter,
  ttl: Seconds,
): void {
  const { query, decision } = turn;
  const { snapshot, designations } = turn.inForce;
  switch (snapshot.specials.get(decision.special)) {
    case SPECIAL.LOCALHOST:
      if (query.type === TYPE.A) writer.record(QUESTION, TYPE.A, ttl, LOOPBACK_4);
      else if (query.type === TYPE.AAAA) writer.record(QUESTION, TYPE.AAAA, ttl, LOOPBACK_6);
      break;
    case SPECIAL.RESOLVER:
      if (query.type === TYPE.SVCB && designations.length > 0) writeDesignations(turn, designations, writer);
      break;
    case SPECIAL.WHY:
      if (query.type === TYPE.TXT) writeWhy(turn, flights, charges, writer);
      break;
    default:
      break;
  }
}

/** Where this client can ask over TLS instead (RFC 9462 §4). */
function writeDesignations(
  { query, asker }: Turn,
  designations: readonly Designation[],
  writer: ReplyWriter,
): void {
  const asked: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  if (!sameName(query.name.subarray(0, query.nameLength), DISCOVERY) || !asker.client.asked(asked)) return;
  for (const rdata of designated(designations, asked))
    writer.record(QUESTION, TYPE.SVCB, DESIGNATION_TTL, rdata);
}

/** RFC 8482: a short answer that says that there is no long one. */
export function writeAny(writer: ReplyWriter, ttl: Seconds): void {
  writer.record(QUESTION, TYPE.HINFO, ttl, HINFO);
}

/** Writes the RRset of the type that was asked for, if there is one; `cap` bounds its TTL. */
export function writeLocal(
  writer: ReplyWriter,
  owner: number,
  local: LocalName,
  type: number,
  cap: Seconds,
): void {
  for (const rrset of local.rrsets) {
    if (rrset.type !== type && rrset.type !== TYPE.CNAME) continue;
    for (const rdata of rrset.rdata) writer.record(owner, rrset.type, Math.min(rrset.ttl, cap), rdata);
  }
}

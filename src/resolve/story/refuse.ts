import type { WireError } from '../../wire/error.ts';
import { FLAG, HEADER_SIZE, messageFlags, opcodeOf } from '../../wire/header.ts';
import { CLASS, OPCODE, RCODE, type Rcode, TYPE } from '../../wire/iana.ts';
import type { Query } from '../../wire/question.ts';
import { EXIT, type Exit } from '../exit.ts';

/** Why a message gets no answer at all: what its RCODE says, whatever name it asks for. */
export interface MessageRefusal {
  readonly rcode: Rcode;
  readonly exit: Exit;
}

const REFUSED: MessageRefusal = { rcode: RCODE.REFUSED, exit: EXIT.refused };
const NOTIMP: MessageRefusal = { rcode: RCODE.NOTIMP, exit: EXIT.notimp };
const FORMERR: MessageRefusal = { rcode: RCODE.FORMERR, exit: EXIT.formerr };
/** Only a cookie was asked for: the reply has no question either (RFC 7873 §5.4). */
const COOKIE: MessageRefusal = { rcode: RCODE.NOERROR, exit: EXIT.local };
const BADVERS: MessageRefusal = { rcode: RCODE.BADVERS, exit: EXIT.badvers };

/** Null for a question of class IN that can be decided. `fault`: what `readQuery` said of it. */
export function refusalOf(query: Query, fault: WireError | null): MessageRefusal | null {
  const opcode = opcodeOf(query.flags);
  if (opcode === OPCODE.NOTIFY || opcode === OPCODE.UPDATE) return REFUSED;
  if (opcode !== OPCODE.QUERY) return NOTIMP;
  if (fault !== null) return FORMERR;
  if (query.ednsVersion > 0) return BADVERS;
  if (query.questionEnd === HEADER_SIZE) return COOKIE;
  const transfer = query.type === TYPE.AXFR || query.type === TYPE.IXFR;
  return query.class !== CLASS.IN || transfer ? REFUSED : null;
}

/** Replies are never answered (RFC 5358 §4); what has no header cannot be. */
export function isAnswerable(message: Buffer, length: number): boolean {
  return length >= HEADER_SIZE && (messageFlags(message) & FLAG.QR) === 0;
}

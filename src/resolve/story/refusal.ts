import type { WireError } from '../../wire/error.ts';
import { HEADER_SIZE, opcodeOf } from '../../wire/header.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../../wire/iana.ts';
import type { Query } from '../../wire/question.ts';
import { EXIT } from '../exit.ts';

/** Why a message gets no answer at all: what its RCODE says, whatever name it asks for (DESIGN §2). */
export interface Refusal {
  readonly rcode: number;
  readonly exit: number;
}

const REFUSED: Refusal = { rcode: RCODE.REFUSED, exit: EXIT.refused };
const NOTIMP: Refusal = { rcode: RCODE.NOTIMP, exit: EXIT.notimp };
const FORMERR: Refusal = { rcode: RCODE.FORMERR, exit: EXIT.formerr };
/** Only a cookie was asked for: the reply has no question either (RFC 7873 §5.4). */
const COOKIE: Refusal = { rcode: RCODE.NOERROR, exit: EXIT.local };
const BADVERS: Refusal = { rcode: RCODE.BADVERS, exit: EXIT.badvers };

/** Null for a question of class IN that can be decided. `fault`: what `readQuery` said of it. */
export function refusalOf(query: Query, fault: WireError | null): Refusal | null {
  const opcode = opcodeOf(query.flags);
  if (opcode === OPCODE.NOTIFY || opcode === OPCODE.UPDATE) return REFUSED;
  if (opcode !== OPCODE.QUERY) return NOTIMP;
  if (fault !== null) return FORMERR;
  if (query.ednsVersion > 0) return BADVERS;
  if (query.questionEnd === HEADER_SIZE) return COOKIE;
  const transfer = query.type === TYPE.AXFR || query.type === TYPE.IXFR;
  return query.class !== CLASS.IN || transfer ? REFUSED : null;
}

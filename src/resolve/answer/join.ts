import { WireError } from '../../wire/error.ts';
import { HEADER_SIZE, writeUint16 } from '../../wire/header.ts';
import { TYPE } from '../../wire/iana.ts';
import { ANSWER, readMessage } from '../../wire/message.ts';
import { sameName } from '../../wire/name.ts';
import { expandRdata } from '../../wire/rdata.ts';
import type { Answer, Form } from './answer.ts';
import { type CleanRecord, writeSections } from './sections.ts';

/**
 * One answer of several: `parts` answer `question` and then, each, the name at which the chain of the one before is open.
 * Null where the chain comes back to a name that it has passed, or where all of it does not fit a message.
 */
export function joinAnswers(question: Uint8Array, type: number, parts: readonly Answer[]): Answer | null {
  const last = parts.at(-1);
  if (last === undefined) return null;
  const chain = parts.flatMap((part) => part.chain);
  const repeats = (name: Uint8Array, at: number): boolean =>
    sameName(name, question) || chain.some((other, i) => i < at && sameName(name, other));
  if (chain.some(repeats)) return null;
  const plain = joinForms(question, type, parts, (part) => part.plain);
  const signed = parts.some((part) => part.full !== part.plain);
  const full = signed ? joinForms(question, type, parts, (part) => part.full) : plain;
  if (plain === null || full === null) return null;
  return {
    rcode: last.rcode,
    plain,
    full,
    ttl: Math.min(...parts.map((part) => part.ttl)),
    supported: last.supported,
    open: last.open,
    authentic: parts.every((part) => part.authentic),
    chain,
    restricted: parts.flatMap((part) => part.restricted),
    targets: parts.flatMap((part) => part.targets),
  };
}

function joinForms(
  question: Uint8Array,
  type: number,
  parts: readonly Answer[],
  formOf: (part: Answer) => Form,
): Form | null {
  const answers: CleanRecord[] = [];
  let authority: readonly CleanRecord[] = [];
  let name = question;
  for (const part of parts) {
    const records = recordsOf(name, type, formOf(part));
    if (records === null) return null;
    answers.push(...records.answers);
    authority = records.authority;
    if (part.open !== null) name = part.open;
  }
  return writeSections(question, answers, authority);
}

/** The records of a form whose question is `name`. Null where it is none that we wrote. */
export function recordsOf(
  name: Uint8Array,
  type: number,
  form: Form,
): { readonly answers: readonly CleanRecord[]; readonly authority: readonly CleanRecord[] } | null {
  const octets = Buffer.alloc(HEADER_SIZE + name.length + 4 + form.octets.length);
  writeUint16(octets, 4, 1);
  writeUint16(octets, 6, form.answers);
  writeUint16(octets, 8, form.authority);
  octets.set(name, HEADER_SIZE);
  writeUint16(octets, HEADER_SIZE + name.length, type);
  writeUint16(octets, HEADER_SIZE + name.length + 2, 1);
  octets.set(form.octets, HEADER_SIZE + name.length + 4);
  const message = readMessage(octets);
  if (message instanceof WireError) return null;
  const answers: CleanRecord[] = [];
  const authority: CleanRecord[] = [];
  for (const { section, owner, type: of, ttl, start, end } of message.records) {
    const size = expandRdata(octets, of, start, end, room, 0);
    const rdata = room.slice(0, Math.max(0, size));
    const record = { owner, type: of, ttl, rdata, linked: of === TYPE.CNAME };
    (section === ANSWER ? answers : authority).push(record);
  }
  return { answers, authority };
}

const room = new Uint8Array(0x1_0000 + 512);

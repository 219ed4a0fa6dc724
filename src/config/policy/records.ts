import { isMetaType, TYPE, typeFromText, typeToText } from '../../wire/iana.ts';
import { TextFault } from '../problems.ts';
import { quote } from '../units.ts';
import { EXAMPLES, FIELDS, FieldReader, fits } from './record-fields.ts';
import { type Token, tokenize } from './tokens.ts';

/** Octets that RDATA may have: one record must fit a reply with its question and options. */
const MAX_RDATA = 60_000;

/** The type of a record that an operator may write, from its mnemonic or TYPEn. */
export function parseRecordType(text: string): number | TextFault {
  const type = typeFromText(text);
  if (type === null) return new TextFault('type-unknown', 0, `${quote(text)} is no type`, TYPE_FIX);
  if (isMetaType(type)) return new TextFault('type-meta', 0, `${text} is a question, not data`, TYPE_FIX);
  const refused = REFUSED.get(type);
  return refused === undefined
    ? type
    : new TextFault('record-type', 0, `${text} records are not written here`, refused);
}

const TYPE_FIX = 'write a mnemonic such as A or TXT, or TYPEn';
const REFUSED = new Map<number, string>([
  [TYPE.CNAME, 'write a redirect: { name: …, to: … }'],
  [TYPE.DNAME, 'write a redirect for each name'],
  [TYPE.SOA, 'remove it: namegate writes the SOA of its answers'],
  [TYPE.RRSIG, 'remove it: local data is not signed'],
  [TYPE.NSEC, 'remove it: local data is not signed'],
  [TYPE.NSEC3, 'remove it: local data is not signed'],
]);

/**
 * RDATA from its presentation form (RFC 1035 §5.1, and the RFC of each type); names are absolute and uncompressed
 * (RFC 3597 §4). Any type can be written as `\# LENGTH HEX` (RFC 3597 §5).
 */
export function parseRdata(type: number, text: string): Uint8Array | TextFault {
  const tokens = tokenize(text);
  if (tokens instanceof TextFault) return tokens;
  const fields = FIELDS.get(type);
  const generic = tokens[0]?.raw === '\\#' && !tokens[0].quoted;
  if (!generic && fields === undefined) {
    const message = `${typeToText(type)} data is written as octets`;
    return new TextFault('record-data', 0, message, 'write \\# LENGTH HEX, such as \\# 4 c0000201');
  }
  const rdata = generic ? genericRdata(tokens, text) : new FieldReader(type, tokens, text).read(fields!);
  if (rdata instanceof TextFault) return rdata;
  if (rdata.length > MAX_RDATA) {
    return new TextFault(
      'record-data',
      0,
      `${rdata.length} octets of data; ${MAX_RDATA} are the most`,
      'write less',
    );
  }
  if (generic && fields !== undefined && !fits(fields, rdata)) {
    const message = `these octets are no ${typeToText(type)} data`;
    return new TextFault(
      'record-data',
      0,
      message,
      `write the text form: ${EXAMPLES.get(type) ?? 'see its RFC'}`,
    );
  }
  // Node's buffers are parts of larger ones.
  return Uint8Array.from(rdata);
}

function genericRdata(tokens: readonly Token[], text: string): Uint8Array | TextFault {
  const length = tokens[1]?.raw ?? '';
  const digits = tokens
    .slice(2)
    .map(({ raw }) => raw)
    .join('');
  const fix = 'write \\# LENGTH HEX, such as \\# 4 c0000201';
  if (!/^\d{1,5}$/.test(length)) {
    return new TextFault('record-data', tokens[1]?.start ?? text.length, 'no length stands after \\#', fix);
  }
  if (!/^([0-9a-f]{2})*$/i.test(digits) || digits.length !== 2 * Number(length)) {
    const message = `${length} octets are ${2 * Number(length)} hexadecimal digits`;
    return new TextFault('record-data', tokens[2]?.start ?? text.length, message, fix);
  }
  return Buffer.from(digits, 'hex');
}

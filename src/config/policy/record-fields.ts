import { TYPE, typeToText } from '../../wire/iana.ts';
import { unreachable } from '../../wire/quantity.ts';
import { addressOctets, parseAddress } from '../addresses.ts';
import { readTarget } from '../names.ts';
import { TextFault } from '../problems.ts';
import { quote } from '../units.ts';
import { parseServiceParams } from './svcb.ts';
import type { Token } from './tokens.ts';

/** What the data of a type is made of. */
export type Field =
  | 'u8'
  | 'u16'
  | 'ipv4'
  | 'ipv6'
  | 'name'
  /** One character-string of at most 255 octets. */
  | 'string'
  /** One or more of them, to the end. */
  | 'strings'
  /** A length octet and letters or digits (RFC 8659 §4.1). */
  | 'tag'
  /** One quoted text without a length octet, to the end. */
  | 'text'
  /** Hexadecimal or base64 digits to the end; spaces may stand in them. */
  | 'hex'
  | 'base64'
  /** SvcParams to the end (RFC 9460 §2.1). */
  | 'params';

export const FIELDS = new Map<number, readonly Field[]>([
  [TYPE.A, ['ipv4']],
  [TYPE.AAAA, ['ipv6']],
  [TYPE.NS, ['name']],
  [TYPE.PTR, ['name']],
  [TYPE.MX, ['u16', 'name']],
  [TYPE.KX, ['u16', 'name']],
  [TYPE.AFSDB, ['u16', 'name']],
  [TYPE.RP, ['name', 'name']],
  [TYPE.SRV, ['u16', 'u16', 'u16', 'name']],
  [TYPE.NAPTR, ['u16', 'u16', 'string', 'string', 'string', 'name']],
  [TYPE.TXT, ['strings']],
  [TYPE.SPF, ['strings']],
  [TYPE.HINFO, ['string', 'string']],
  [TYPE.CAA, ['u8', 'tag', 'text']],
  [TYPE.URI, ['u16', 'u16', 'text']],
  [TYPE.TLSA, ['u8', 'u8', 'u8', 'hex']],
  [TYPE.SMIMEA, ['u8', 'u8', 'u8', 'hex']],
  [TYPE.SSHFP, ['u8', 'u8', 'hex']],
  [TYPE.DS, ['u16', 'u8', 'u8', 'hex']],
  [TYPE.CDS, ['u16', 'u8', 'u8', 'hex']],
  [TYPE.DNSKEY, ['u16', 'u8', 'u8', 'base64']],
  [TYPE.CDNSKEY, ['u16', 'u8', 'u8', 'base64']],
  [TYPE.OPENPGPKEY, ['base64']],
  [TYPE.SVCB, ['u16', 'name', 'params']],
  [TYPE.HTTPS, ['u16', 'name', 'params']],
]);

export const EXAMPLES = new Map<number, string>([
  [TYPE.A, '192.0.2.1'],
  [TYPE.AAAA, '2001:db8::1'],
  [TYPE.NS, 'ns.example'],
  [TYPE.PTR, 'host.example'],
  [TYPE.MX, '10 mail.example'],
  [TYPE.SRV, '0 5 5061 sip.example'],
  [TYPE.NAPTR, '100 10 "S" "SIP+D2U" "" _sip._udp.example'],
  [TYPE.TXT, '"one text" "another"'],
  [TYPE.CAA, '0 issue "ca.example"'],
  [TYPE.TLSA, '3 1 1 0123…'],
  [TYPE.SSHFP, '4 2 0123…'],
  [TYPE.DS, '12345 13 2 0123…'],
  [TYPE.SVCB, '1 svc.example alpn=h2'],
  [TYPE.HTTPS, '1 . alpn=h2,h3'],
]);

/** Reads the fields of a record's data from its text. */
export class FieldReader {
  readonly #type: number;
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #next = 0;

  constructor(type: number, tokens: readonly Token[], text: string) {
    this.#type = type;
    this.#tokens = tokens;
    this.#text = text;
  }

  read(fields: readonly Field[]): Uint8Array | TextFault {
    const parts: Uint8Array[] = [];
    for (const field of fields) {
      const part = this.#field(field, parts);
      if (part instanceof TextFault) return part;
      parts.push(part);
    }
    const extra = this.#tokens[this.#next];
    if (extra === undefined) return Buffer.concat(parts);
    return this.#fault(extra.start, `${quote(extra.raw)} is more than ${typeToText(this.#type)} data has`);
  }

  #field(field: Field, before: readonly Uint8Array[]): Uint8Array | TextFault {
    if (field === 'strings') return this.#strings();
    if (field === 'hex' || field === 'base64') return this.#digits(field);
    if (field === 'params') {
      const rest = this.#tokens.slice(this.#next);
      this.#next = this.#tokens.length;
      return parseServiceParams(rest, before[0]![0] === 0 && before[0]![1] === 0);
    }
    const token = this.#tokens[this.#next++];
    if (token === undefined)
      return this.#fault(this.#text.length, `${typeToText(this.#type)} data ends too early`);
    switch (field) {
      case 'u8':
        return this.#integer(token, 1);
      case 'u16':
        return this.#integer(token, 2);
      case 'ipv4':
      case 'ipv6':
        return this.#address(token, field === 'ipv4' ? 4 : 6);
      case 'name': {
        const name = readTarget(token.raw);
        return name instanceof TextFault ? this.#at(name, token) : name;
      }
      case 'string':
        return this.#string(token);
      case 'tag':
        if (/^[a-z0-9]{1,255}$/i.test(token.raw)) return this.#string(token);
        return this.#fault(token.start, `${quote(token.raw)} is no property tag`);
      case 'text':
        return token.octets;
      default:
        unreachable(field);
    }
  }

  #integer(token: Token, octets: number): Uint8Array | TextFault {
    const value = /^\d{1,10}$/.test(token.raw) ? Number(token.raw) : -1;
    if (value < 0 || value >= 2 ** (8 * octets)) {
      return this.#fault(token.start, `${quote(token.raw)} is no integer below ${2 ** (8 * octets)}`);
    }
    const out = Buffer.alloc(octets);
    out.writeUIntBE(value, 0, octets);
    return out;
  }

  #address(token: Token, family: 4 | 6): Uint8Array | TextFault {
    const address = parseAddress(token.raw);
    if (!(address instanceof TextFault) && address.family === family) return addressOctets(address);
    return this.#fault(token.start, `${quote(token.raw)} is no IPv${family} address`);
  }

  #string(token: Token): Uint8Array | TextFault {
    if (token.octets.length > 255) {
      const message = 'a string has at most 255 octets';
      return new TextFault(
        'record-data',
        token.start,
        message,
        'write several quoted strings; readers join them',
      );
    }
    return Buffer.concat([Uint8Array.of(token.octets.length), token.octets]);
  }

  #strings(): Uint8Array | TextFault {
    const rest = this.#tokens.slice(this.#next);
    this.#next = this.#tokens.length;
    if (rest.length === 0)
      return this.#fault(this.#text.length, `${typeToText(this.#type)} data ends too early`);
    const second = rest.find((token, i) => !token.quoted && i > 0);
    if (second !== undefined) {
      // A zone file would read two strings, which readers join without the space.
      const fix = `write '"${this.#text.replace(/["\\]/g, '\\$&')}"' for one string`;
      return new TextFault('record-data', second.start, 'a text with spaces stands in quotes', fix);
    }
    const parts = rest.map((token) => this.#string(token));
    return parts.find((part) => part instanceof TextFault) ?? Buffer.concat(parts as Uint8Array[]);
  }

  #digits(field: 'hex' | 'base64'): Uint8Array | TextFault {
    const rest = this.#tokens.slice(this.#next);
    this.#next = this.#tokens.length;
    const digits = rest.map(({ raw }) => raw).join('');
    const start = rest[0]?.start ?? this.#text.length;
    const form =
      field === 'hex'
        ? /^([0-9a-f]{2})+$/i
        : /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
    if (digits === '' || !form.test(digits)) {
      const what = field === 'hex' ? 'pairs of hexadecimal digits' : 'base64 digits';
      return this.#fault(start, `${typeToText(this.#type)} data ends in ${what}`);
    }
    return Buffer.from(digits, field);
  }

  #at(fault: TextFault, token: Token): TextFault {
    return new TextFault(fault.code, token.start + fault.offset, fault.message, fault.fix);
  }

  #fault(offset: number, message: string): TextFault {
    const example = EXAMPLES.get(this.#type);
    const fix = example === undefined ? 'see the RFC of the type' : `write data such as ${example}`;
    return new TextFault('record-data', offset, message, fix);
  }
}

/** Whether octets have the fields of their type: names end, strings fit. */
export function fits(fields: readonly Field[], rdata: Uint8Array): boolean {
  let at = 0;
  for (const field of fields) {
    switch (field) {
      case 'name': {
        const start = at;
        while (at < rdata.length && rdata[at] !== 0) {
          if (rdata[at]! > 63) return false;
          at += 1 + rdata[at]!;
        }
        at++;
        if (at - start > 255) return false;
        break;
      }
      case 'string':
      case 'tag':
        at += 1 + (rdata[at] ?? 0);
        break;
      case 'strings':
        if (at === rdata.length) return false;
        while (at < rdata.length) at += 1 + rdata[at]!;
        break;
      case 'text':
      case 'hex':
      case 'base64':
      case 'params':
        return at <= rdata.length;
      default:
        at += SIZES[field];
    }
  }
  return at === rdata.length;
}

const SIZES = { u8: 1, u16: 2, ipv4: 4, ipv6: 16 } as const;

import { addressOctets, parseAddress } from '../addresses.ts';
import { TextFault } from '../problems.ts';
import { quote } from '../units.ts';
import type { Token } from './tokens.ts';

/**
 * SvcParams from their presentation form (RFC 9460 §2.1, Appendix A) to the wire: ascending keys, none twice, and
 * `mandatory` naming keys that are there (§8). Alias mode (`alias`, priority 0) has none (§2.4.2).
 */
export function parseServiceParams(tokens: readonly Token[], alias: boolean): Uint8Array | TextFault {
  const params = new Map<number, Uint8Array>();
  let mandatory: { keys: number[]; start: number } | null = null;
  for (const token of tokens) {
    if (alias)
      return fault(
        token.start,
        'priority 0 is an alias, which has no parameters',
        'remove them, or write priority 1',
      );
    const equals = token.raw.indexOf('=');
    const name = (equals < 0 ? token.raw : token.raw.slice(0, equals)).toLowerCase();
    const key = keyNumber(name);
    if (key === null) {
      return fault(
        token.start,
        `${quote(name)} is no parameter`,
        `write one of ${NAMES.join(', ')}, or keyN`,
      );
    }
    if (params.has(key))
      return fault(token.start, `${name} is written twice`, 'write it once, values separated by commas');
    // Names of keys are ASCII, so that the octets after the equals sign are the value's.
    const value = readValue(key, equals < 0 ? null : token.octets.subarray(equals + 1), token);
    if (value instanceof TextFault) return value;
    if (key === KEY.mandatory) mandatory = { keys: wordsOf(value), start: token.start };
    params.set(key, value);
  }
  if (params.has(KEY['no-default-alpn']) && !params.has(KEY.alpn)) {
    return fault(tokens[0]!.start, 'no-default-alpn needs alpn (RFC 9460 §7.1.1)', 'write alpn=…');
  }
  const missing = mandatory?.keys.find((key) => !params.has(key) || key === KEY.mandatory);
  if (missing !== undefined) {
    return fault(
      mandatory!.start,
      `mandatory names ${keyName(missing)}, which is not there`,
      'write it, or do not name it',
    );
  }
  const parts = [...params]
    .sort(([a], [b]) => a - b)
    .flatMap(([key, value]) => [u16(key), u16(value.length), value]);
  return Buffer.concat(parts);
}

/** https://www.iana.org/assignments/dns-svcb/ */
const KEY = {
  mandatory: 0,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
  ohttp: 8,
} as const;
const NAMES = Object.keys(KEY);
const BY_NAME = new Map<string, number>(Object.entries(KEY));

function keyNumber(name: string): number | null {
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(name)?.[1];
  // 65535 is reserved (§14.3.2).
  return digits === undefined || Number(digits) >= 65_535 ? null : Number(digits);
}

function keyName(key: number): string {
  return NAMES.find((name) => BY_NAME.get(name) === key) ?? `key${key}`;
}

function readValue(key: number, value: Uint8Array | null, token: Token): Uint8Array | TextFault {
  const text = value === null ? '' : Buffer.from(value).toString('latin1');
  const start = token.start;
  switch (key) {
    case KEY['no-default-alpn']:
    case KEY.ohttp:
      return value === null
        ? new Uint8Array(0)
        : fault(start, `${keyName(key)} takes no value`, `write ${keyName(key)}`);
    case KEY.mandatory: {
      const keys = text.split(',').map((name) => keyNumber(name));
      if (keys.includes(null) || new Set(keys).size < keys.length) {
        return fault(start, `${quote(text)} is no list of parameters`, 'write mandatory=alpn,port');
      }
      return Buffer.concat((keys as number[]).sort((a, b) => a - b).map(u16));
    }
    case KEY.alpn: {
      const ids = splitList(text);
      if (ids.some((id) => id.length === 0 || id.length > 255))
        return fault(start, 'alpn is a list of protocols', 'write alpn=h2,h3');
      return Buffer.concat(ids.flatMap((id) => [Uint8Array.of(id.length), Buffer.from(id, 'latin1')]));
    }
    case KEY.port:
      return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
        ? u16(Number(text))
        : fault(start, `${quote(text)} is no port`, 'write port=8443');
    case KEY.ipv4hint:
    case KEY.ipv6hint: {
      const family = key === KEY.ipv4hint ? 4 : 6;
      const addresses = text.split(',').map(parseAddress);
      const octets = addresses.map((one) =>
        one instanceof TextFault || one.family !== family ? null : addressOctets(one),
      );
      if (octets.includes(null)) {
        const example = family === 4 ? 'ipv4hint=192.0.2.1,192.0.2.2' : 'ipv6hint=2001:db8::1';
        return fault(start, `${quote(text)} is no list of IPv${family} addresses`, `write ${example}`);
      }
      return Buffer.concat(octets as Uint8Array[]);
    }
    case KEY.ech:
      return text !== '' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
        ? Buffer.from(text, 'base64')
        : fault(start, 'ech is base64', 'write ech=…');
    case KEY.dohpath:
      return text.includes('{?dns}')
        ? value!
        : fault(start, 'dohpath is a template with {?dns}', 'write dohpath=/dns-query{?dns}');
    default:
      return value ?? new Uint8Array(0);
  }
}

/** A comma-separated list (RFC 9460 Appendix A.1): a backslash takes the next character as it is. */
function splitList(text: string): string[] {
  const items: string[] = [];
  let item = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === ',') {
      items.push(item);
      item = '';
    } else if (char === '\\' && i + 1 < text.length) item += text[++i]!;
    else item += char;
  }
  items.push(item);
  return items;
}

function wordsOf(value: Uint8Array): number[] {
  return Array.from({ length: value.length / 2 }, (_, i) => (value[2 * i]! << 8) | value[2 * i + 1]!);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

function fault(start: number, message: string, fix: string): TextFault {
  return new TextFault('record-data', start, message, fix);
}

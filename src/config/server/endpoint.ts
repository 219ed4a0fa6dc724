import {
  type Address,
  isIPv6,
  isLinkLocal,
  isLoopback,
  isMapped,
  isMulticast,
  isUnspecified,
  parseAddress,
  wordsToText,
} from '../addresses.ts';
import { TextFault } from '../problems.ts';
import { quote } from '../units.ts';

/** Forms of the URLs for JSON Schema; the functions below decide. */
export const URL_FORM = {
  listen: '^(udp|tcp|tls)://(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+)(:[0-9]{1,5})?$',
  server: '^(udp|tcp|tls)://(\\[[0-9A-Fa-f:.]+(%[0-9A-Za-z_.-]+)?\\]|[0-9.]+)(:[0-9]{1,5})?(#.+)?$',
  metrics: '^http://(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+)(:[0-9]{1,5})?$',
} as const;

/** Where something listens or is asked. `host` is RFC 5952 text without brackets, of a server perhaps with `%` and an interface (RFC 4007 §11); `name` is what stood after `#`. */
export interface Endpoint {
  readonly scheme: string;
  readonly host: string;
  readonly address: Address;
  readonly port: number;
  readonly name: string | null;
  /** Where `name` starts in the text. */
  readonly nameOffset: number;
}

/** `udp://`, `tcp://` (port 53) or `tls://` (port 853), an address literal, and perhaps a port (0 takes a free one). */
export function parseListener(text: string): Endpoint | TextFault {
  const endpoint = parseEndpoint(text, LISTEN, 'udp://127.0.0.1:5300');
  if (endpoint instanceof TextFault) return endpoint;
  return (
    noName(endpoint) ?? (isMulticast(endpoint.address) ? unusable(text, 'a multicast address') : endpoint)
  );
}

/** `udp://`, `tcp://` (port 53) or `tls://` (port 853, the server's name after `#`), and an address literal. */
export function parseServer(text: string): Endpoint | TextFault {
  const endpoint = parseEndpoint(text, SERVER, 'udp://192.0.2.53');
  if (endpoint instanceof TextFault) return endpoint;
  if (isUnspecified(endpoint.address)) return unusable(text, 'no address of a server');
  if (isMulticast(endpoint.address)) return unusable(text, 'a multicast address');
  if (endpoint.port === 0)
    return new TextFault('url-form', 0, `${text} has port 0`, 'write the port of the server');
  return endpoint.scheme === 'tls' ? endpoint : (noName(endpoint) ?? endpoint);
}

/** `http://`, an address literal, and a port (9153 unless written; 0 takes a free one). */
export function parseMetrics(text: string): Endpoint | TextFault {
  const endpoint = parseEndpoint(text, METRICS, 'http://127.0.0.1:9153');
  return endpoint instanceof TextFault ? endpoint : (noName(endpoint) ?? endpoint);
}

/** `http://`, a loopback address, and a port (0 takes a free one). */
export function parseAdmin(text: string): Endpoint | TextFault {
  const endpoint = parseEndpoint(text, ADMIN, 'http://127.0.0.1:9154');
  if (endpoint instanceof TextFault) return endpoint;
  if (!isLoopback(endpoint.address)) {
    const message = `${text} is not on loopback, and HTTP keeps no secret`;
    return new TextFault('url-form', 7, message, 'write an address of 127.0.0.0/8, or [::1]');
  }
  return noName(endpoint) ?? endpoint;
}

const LISTEN = new Map([
  ['udp', 53],
  ['tcp', 53],
  ['tls', 853],
]);
const SERVER = new Map(LISTEN);
const METRICS = new Map([['http', 9153]]);
const ADMIN = new Map([['http', 9154]]);

function parseEndpoint(
  text: string,
  schemes: ReadonlyMap<string, number>,
  example: string,
): Endpoint | TextFault {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1];
  if (scheme === undefined) return withoutScheme(text, example);
  const port = schemes.get(scheme);
  if (port === undefined) return wrongScheme(text, scheme, schemes, example);
  const start = scheme.length + 3;
  const match = /^(\[[^\]]*\]|[^[\]:/#?@]*)(?::(\d{1,5}))?(?:#(.*))?$/.exec(text.slice(start));
  if (match === null) {
    const bare = text.slice(start).replace(/\/$/, '');
    const fix = isIPv6(bare)
      ? `write ${scheme}://[${bare}]`
      : bare !== text.slice(start)
        ? `write ${scheme}://${bare}`
        : `write ${example}`;
    return new TextFault('url-form', start, `${quote(text)} is not an address with a port`, fix);
  }
  const [, hostText, portText, name] = match as unknown as [
    string,
    string,
    string | undefined,
    string | undefined,
  ];
  const bracketed = hostText.startsWith('[');
  const literal = bracketed ? hostText.slice(1, -1) : hostText;
  const percent = schemes === SERVER ? literal.indexOf('%') : -1;
  const host = percent < 0 ? literal : literal.slice(0, percent);
  const zone = percent < 0 ? '' : literal.slice(percent);
  const address = parseAddress(host);
  if (address instanceof TextFault || (address.family === 6) !== bracketed)
    return noLiteral(text, host, start, example);
  if (isMapped(address)) {
    const inner = wordsToText({ family: 4, words: [address.words[3]!] });
    return new TextFault('url-form', start, `${hostText} is IPv4 inside IPv6`, `write ${scheme}://${inner}`);
  }
  if (schemes === SERVER) {
    const fault = zoneFault(text, address, zone, start + (bracketed ? 1 : 0) + host.length);
    if (fault !== null) return fault;
  }
  const number = portText === undefined ? port : Number(portText);
  if (number > 65_535 || (portText !== undefined && /^0\d/.test(portText))) {
    const offset = start + hostText.length + 1;
    return new TextFault('url-form', offset, `${portText} is no port`, 'write a port from 1 to 65535');
  }
  return {
    scheme,
    host: wordsToText(address) + zone,
    address,
    port: number,
    name: name ?? null,
    nameOffset: text.length - (name?.length ?? 0),
  };
}

/** A link-local address is one of each link, so that it needs the link's interface; any other has none (RFC 4007 §6). */
function zoneFault(text: string, address: Address, zone: string, offset: number): TextFault | null {
  if (!isLinkLocal(address)) {
    if (zone === '') return null;
    const message = `${zone} names an interface, and the address is not link-local`;
    return new TextFault('url-form', offset, message, `write ${text.replace(zone, '')}`);
  }
  const plain = text.slice(0, offset) + text.slice(offset + zone.length);
  const withZone = `${plain.slice(0, offset)}%eth0${plain.slice(offset)}`;
  if (zone === '') {
    const message = `${wordsToText(address)} is link-local, so that it needs the interface`;
    return new TextFault('url-form', offset, message, `write ${withZone} with the interface's name`);
  }
  // RFC 6874 writes %25; no other program's configuration does.
  if (/^%[0-9A-Za-z_.-]+$/.test(zone) && !/^%25./.test(zone)) return null;
  return new TextFault('url-form', offset, `${quote(zone)} is no interface`, `write ${withZone}`);
}

function withoutScheme(text: string, example: string): TextFault {
  const scheme = example.split(':', 1)[0];
  const plain = text.trim();
  const literal = isIPv6(plain) ? `[${plain}]` : plain;
  const usable = !(parseAddress(plain.replace(/:\d+$/, '')) instanceof TextFault) || isIPv6(plain);
  const fix = usable ? `write ${scheme}://${literal}` : `write ${example}`;
  return new TextFault('url-form', 0, `${quote(text)} is not a URL`, fix);
}

function wrongScheme(
  text: string,
  scheme: string,
  schemes: ReadonlyMap<string, number>,
  example: string,
): TextFault {
  const known = [...schemes.keys()].map((name) => `${name}://`).join(', ');
  if (schemes.has(scheme.toLowerCase())) {
    return new TextFault('url-form', 0, `${scheme}:// has capitals`, `write ${scheme.toLowerCase()}://`);
  }
  if (schemes === LISTEN && (scheme === 'https' || scheme === 'h3' || scheme === 'quic')) {
    const message = `${scheme}:// listeners are not supported by this version`;
    return new TextFault('url-unsupported', 0, message, 'listen on udp://, tcp:// and tls://');
  }
  if (schemes === SERVER && (scheme === 'https' || scheme === 'h3' || scheme === 'quic')) {
    const message = `${scheme}:// servers are not supported`;
    return new TextFault(
      'url-unsupported',
      0,
      message,
      'ask the server over tls://, such as tls://192.0.2.54#dns.example',
    );
  }
  return new TextFault('url-form', 0, `${quote(text)} does not start with ${known}`, `write ${example}`);
}

function noLiteral(text: string, host: string, start: number, example: string): TextFault {
  const name = /^[A-Za-z]/.test(host) && !host.includes(':');
  const message = name
    ? `${quote(host)} is a name; an address literal is needed, for names are what is resolved here`
    : `${quote(host)} is no IP address`;
  const fix = host === 'localhost' ? `write ${text.replace('localhost', '127.0.0.1')}` : `write ${example}`;
  return new TextFault('url-form', start, message, fix);
}

function noName(endpoint: Endpoint): TextFault | null {
  if (endpoint.name === null) return null;
  const message = `${endpoint.scheme}:// takes no name after #`;
  return new TextFault('url-form', endpoint.nameOffset - 1, message, `remove #${endpoint.name}`);
}

function unusable(text: string, what: string): TextFault {
  return new TextFault(
    'url-form',
    text.indexOf('//') + 2,
    `${text} holds ${what}`,
    'write an address of one machine',
  );
}

import { isIP } from 'node:net';
import { TextFault } from '../problems.ts';
import { quote } from '../units.ts';

/** Where a sink's receiver is. */
export interface Receiver {
  readonly scheme: string;
  /** An address without brackets, or a name in lower case. */
  readonly host: string;
  readonly isName: boolean;
  readonly port: number;
  /** What stood after `#`: the name that the receiver's certificate must hold. */
  readonly serverName: string | null;
  /** http(s) alone. */
  readonly url: string;
}

const SYSLOG: ReadonlyMap<string, number> = new Map([
  ['udp', 514],
  ['tcp', 601],
  ['tls', 6514],
]);
const HTTP: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);

const EXAMPLE = { syslog: 'tls://192.0.2.9:6514', otlp: 'https://192.0.2.9:4318' } as const;

/** `udp://` (port 514), `tcp://` (601) or `tls://` (6514, RFC 5425 §4.1), and an address or a name. */
export function parseSyslogReceiver(text: string): Receiver | TextFault {
  const receiver = parseReceiver(text, SYSLOG, EXAMPLE.syslog);
  if (receiver instanceof TextFault) return receiver;
  const { pathname, search } = new URL(receiver.url);
  if ((pathname !== '' && pathname !== '/') || search !== '')
    return new TextFault('url-form', 0, `${quote(text)} has a path`, `write ${EXAMPLE.syslog}`);
  return receiver;
}

/** `http://` or `https://`. A URL without a path gets `/v1/logs`, the path of the protocol. */
export function parseOtlpReceiver(text: string): Receiver | TextFault {
  const receiver = parseReceiver(text, HTTP, EXAMPLE.otlp);
  if (receiver instanceof TextFault) return receiver;
  const url = new URL(receiver.url);
  if (url.pathname === '/') url.pathname = '/v1/logs';
  return { ...receiver, url: url.href };
}

function parseReceiver(
  text: string,
  schemes: ReadonlyMap<string, number>,
  example: string,
): Receiver | TextFault {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || !schemes.has(scheme)) {
    const known = [...schemes.keys()].map((name) => `${name}://`).join(', ');
    return new TextFault('url-form', 0, `${quote(text)} does not start with ${known}`, `write ${example}`);
  }
  const url = /[\s\p{Cc}]/u.test(text) ? null : URL.parse(text);
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (url === null || host === '' || !isHost(host))
    return new TextFault('url-form', scheme.length + 3, `${quote(text)} names no host`, `write ${example}`);
  if (url.username !== '' || url.password !== '')
    return new TextFault(
      'url-form',
      scheme.length + 3,
      'a password stands in the URL',
      'write token_file: FILE',
    );
  if (url.port === '0')
    return new TextFault('url-form', 0, `${quote(text)} has port 0`, 'write the port of the receiver');
  const serverName = url.hash === '' ? null : decodeURIComponentOrNull(url.hash.slice(1));
  if (url.hash !== '' && (serverName === null || isIP(serverName) !== 0 || !isHost(serverName)))
    return new TextFault('url-form', text.indexOf('#'), `${quote(url.hash)} is no name`, 'write #NAME');
  if (serverName !== null && scheme !== 'tls' && scheme !== 'https')
    return new TextFault(
      'url-form',
      text.indexOf('#'),
      `${scheme}:// takes no name after #`,
      `remove ${url.hash}`,
    );
  url.hash = '';
  const port = url.port === '' ? schemes.get(scheme)! : Number(url.port);
  return { scheme, host, isName: isIP(host) === 0, port, serverName, url: url.href };
}

function isHost(host: string): boolean {
  return (
    isIP(host) !== 0 || (/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$/.test(host) && host.length < 254)
  );
}

function decodeURIComponentOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

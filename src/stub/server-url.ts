import { isIP } from 'node:net';
import type { TlsServerAddress } from '../socket/tls-connector.ts';

/** A server as the command line writes it: `tls://192.0.2.54:853#dns.example`. */
export function serverUrl({ host, port, name }: TlsServerAddress): string {
  return `tls://${isIP(host) === 6 ? `[${host}]` : host}:${port}${name === null ? '' : `#${name}`}`;
}

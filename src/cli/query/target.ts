import { isIP, isIPv6 } from 'node:net';

/** Where a question is sent. `host` is an address literal without brackets. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * `192.0.2.53`, `192.0.2.53:5300`, `2001:db8::53` or `[2001:db8::53]:5300`; the port is `port` unless written. Else
 * what is wrong with the text. Names are not taken: what they mean is what is being asked for.
 */
export function parseTarget(text: string, port: number): Target | string {
  if (isIP(text) !== 0) return { host: text, port };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  if (isIP(host) === 0 || isIPv6(host) !== (bracketed !== undefined)) {
    return host === 'localhost'
      ? 'write an address: 127.0.0.1 or [::1]'
      : 'write an address and a port, such as 127.0.0.1:5300 or [::1]:5300';
  }
  if (digits === undefined) return { host, port };
  const written = Number(digits);
  return written < 1 || written > 65_535 ? 'write a port from 1 to 65535' : { host, port: written };
}

/** The text that `parseTarget` reads. */
export function targetText({ host, port }: Target): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

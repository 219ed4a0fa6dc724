import { networkInterfaces } from 'node:os';
import { isLoopback, isMapped, parseAddress, wordsToText } from '../addresses.ts';
import { TextFault } from '../problems.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * Whether a question to `host` (an address literal, an IPv6 one perhaps with `%zone`) on `port` would come to one of
 * `listeners`, whose hosts are RFC 5952 text. `machine`: the addresses of this machine, which a wildcard listens on.
 */
export function isOurs(
  listeners: readonly { readonly host: string; readonly port: number }[],
  host: string,
  port: number,
  machine: readonly string[],
): boolean {
  const parsed = parseAddress(host.replace(/%.*$/, ''));
  if (parsed instanceof TextFault) return false;
  const address = isMapped(parsed) ? { family: 4 as const, words: parsed.words.slice(3) } : parsed;
  const text = wordsToText(address);
  const wildcard = address.family === 4 ? '0.0.0.0' : '::';
  const here = isLoopback(address) || machine.includes(text);
  return listeners.some((own) => own.port === port && (own.host === text || (own.host === wildcard && here)));
}

/** Whether asking `server` would ask one of our own listeners. */
export function isOwnListener(
  server: Endpoint,
  listeners: readonly Endpoint[],
  ownAddresses: readonly string[],
): boolean {
  return listeners.some((listener) => {
    // A truncated UDP answer leads to TCP, and TLS runs over TCP; so only tls:// beside a udp:// listener can be apart.
    if (listener.port !== server.port || (server.scheme === 'tls' && listener.scheme === 'udp')) return false;
    if (listener.host === server.host) return true;
    const wild = listener.host === '::' || (listener.host === '0.0.0.0' && server.address.family === 4);
    return wild && (isLoopback(server.address) || ownAddresses.includes(server.host));
  });
}

/** The addresses of this machine's interfaces, without zones. */
export function machineAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address.split('%', 1)[0]!),
  );
}

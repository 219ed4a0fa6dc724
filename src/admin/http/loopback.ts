import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './refusal.ts';

/**
 * Null where a request was meant for this machine. A page in a browser of this machine may lead a name to loopback (DNS
 * rebinding); it can choose neither Host nor Origin. RFC 9110 §7.4.
 */
export function judgeHost({ host, origin }: IncomingHttpHeaders): Refusal | null {
  if (!isLoopback(host ?? '')) return new Refusal('misdirected', 'the Host header is not of this machine');
  const from = /^https?:\/\/(.*)$/i.exec(origin ?? 'http://localhost')?.[1] ?? '';
  return isLoopback(from) ? null : new Refusal('misdirected', 'the Origin header is not of this machine');
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(host);
}

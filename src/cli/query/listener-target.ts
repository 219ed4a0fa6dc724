import { networkInterfaces } from 'node:os';
import type { ListenAt } from '../../settings/settings.ts';
import type { Transport } from './one-question.ts';
import type { Target } from './target.ts';

/** Where the first listener of a transport can be asked from this machine; null if there is none with a fixed port. */
export function listenerTarget(listen: readonly ListenAt[], transport: Transport): Target | null {
  const first = listen.find(({ protocol, port }) => protocol === transport && port !== 0);
  if (first === undefined) return null;
  const { host, port } = first;
  return { host: UNSPECIFIED.get(host) ?? host, port };
}

/** What listens everywhere is asked on loopback. */
const UNSPECIFIED = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** Whether an address is one of this machine's own: asking there leaves nothing. */
export function isHere(host: string): boolean {
  if (host === '::1' || /^127\./.test(host)) return true;
  const interfaces = Object.values(networkInterfaces());
  return interfaces.some((list) => list?.some(({ address }) => address === host));
}
